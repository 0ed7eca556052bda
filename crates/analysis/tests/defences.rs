//! Sound defences that differ from the benchmark's references, each next to a near miss.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use codeward_analysis::{Language, analyse};
use codeward_records::Level;

fn rules(source: &str) -> Vec<String> {
    let analysis = analyse(Language::Python, source).unwrap();
    assert_eq!(analysis.syntax_error, None, "{source}");
    let found = analysis.findings.into_iter().filter(|finding| finding.severity >= Level::Medium);
    found.map(|finding| finding.rule).collect()
}

/// Sound and unsound ways to do the same thing.
fn check(rule: &str, sound: &[&str], unsound: &[&str]) {
    let mut wrong: Vec<String> = Vec::new();
    for source in sound {
        let found = rules(source);
        if !found.is_empty() {
            wrong.push(format!("not clean, {found:?}:\n{source}"));
        }
    }
    for source in unsound {
        if !rules(source).iter().any(|found| found == rule) {
            wrong.push(format!("{rule} is missed:\n{source}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn directory_filters() {
    check(
        "py/ldap-filter-built",
        &[
            "from ldap3.utils.conv import escape_filter_chars\ndef f(x):\n    return '(uid=' + escape_filter_chars(x) + ')'\n",
            "def f(x):\n    table = {'\\\\': r'\\5c', '*': r'\\2a', '(': r'\\28', ')': r'\\29', '\\0': r'\\00'}\n    return '(uid=%s)' % x.translate(str.maketrans(table))\n",
            "def f(x):\n    if any(c in '*()\\\\\\0' for c in x):\n        raise ValueError\n    return f'(uid={x})'\n",
            "import re\ndef f(x):\n    x = re.sub(r'[^\\w.-]', '', x)\n    return f'(uid={x})'\n",
            "import re\nNAME = re.compile(r'^[a-z0-9]+\\Z')\ndef f(x):\n    if NAME.match(x) is None:\n        raise ValueError\n    return f'(uid={x})'\n",
            "def f(x):\n    if not x.isalnum():\n        return None\n    return f'(uid={x})'\n",
        ],
        &[
            "def f(x):\n    x = x.replace('*', '')\n    return f'(uid={x})'\n",
            "import re\ndef f(x):\n    if not re.match(r'[a-z0-9]+', x):\n        raise ValueError\n    return f'(uid={x})'\n",
            "def f(x):\n    if any(c in '*()\\\\' for c in x):\n        print('strange')\n    return f'(uid={x})'\n",
        ],
    );
}

#[test]
fn headers_and_logs() {
    check(
        "py/header-newline",
        &[
            "def f(x):\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {\"\".join(x.splitlines())}\\r\\n\\r\\n'\n",
            "from urllib.parse import quote\ndef f(x):\n    return 'HTTP/1.1 302 Found\\r\\nLocation: ' + quote(x) + '\\r\\n\\r\\n'\n",
            "import re\ndef f(x):\n    if re.search(r'[\\r\\n]', x):\n        raise ValueError\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
            "def f(x):\n    if any(c in x for c in '\\r\\n'):\n        raise ValueError\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
            "def f(x):\n    for c in ('\\r', '\\n'):\n        x = x.replace(c, '')\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
        ],
        &[
            "def f(x):\n    x = x.replace('\\n', '')\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
            "def f(x):\n    x = x.strip()\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
            "def f(x):\n    if '\\r' in x and '\\n' in x:\n        raise ValueError\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {x}\\r\\n\\r\\n'\n",
        ],
    );
    check(
        "py/log-newline",
        &[
            "def f(logger, x):\n    logger.info('login by %r', x)\n",
            "def f(logger, x):\n    logger.info(f'login by {x!r}')\n",
            "import json\ndef f(logger, x):\n    logger.info('login by ' + json.dumps(x))\n",
            "def f(logger, x):\n    logger.info('login by %s', x.encode('unicode_escape').decode())\n",
            "import re\ndef f(logger, x):\n    logger.info('login by %s', re.sub(r'[\\r\\n]+', ' ', x))\n",
            "def f(logger, x):\n    logger.info('login by %s', ' '.join(x.split()))\n",
        ],
        &[
            "def f(logger, x):\n    x.replace('\\n', '').replace('\\r', '')\n    logger.info('login by %s', x)\n",
            "def f(logger, x):\n    logger.info('login by {}'.format(x))\n",
        ],
    );
}

#[test]
fn redirects_and_requests() {
    check(
        "py/open-redirect",
        &[
            "from urllib.parse import urlparse\ndef f(x):\n    if urlparse(x).netloc:\n        return '/'\n    return '/' + x.lstrip('/')\n",
            "def f(x):\n    if x in ('/home', '/account'):\n        return {'Location': x}\n    return {'Location': '/'}\n",
            "def f(x):\n    return {'Location': x if x.startswith('/') and not x.startswith(('//', '/\\\\')) else '/'}\n",
            "from urllib.parse import urlparse\ndef f(x):\n    host = urlparse(x).netloc\n    if host != 'example.org':\n        raise ValueError\n    return {'Location': x}\n",
        ],
        &[
            "def f(x):\n    if x.startswith('/'):\n        return {'Location': x}\n    return {'Location': '/'}\n",
            "def f(x):\n    x.startswith('/')\n    return {'Location': x}\n",
        ],
    );
    check(
        "py/server-side-request",
        &[
            "from urllib.parse import urlparse\nHOSTS = {'example.org'}\ndef f(url, fetch):\n    if urlparse(url).hostname not in HOSTS:\n        raise ValueError\n    return fetch(url)\n",
            "from urllib.parse import urlparse\ndef f(url, fetch):\n    parts = urlparse(url)\n    if parts.scheme != 'https' or parts.netloc != 'example.org':\n        raise ValueError\n    return fetch(url)\n",
            "import ipaddress, socket\nfrom urllib.parse import urlparse\ndef f(url, fetch):\n    address = ipaddress.ip_address(socket.gethostbyname(urlparse(url).hostname))\n    if address.is_private or address.is_loopback:\n        raise ValueError\n    return fetch(url)\n",
            "import re\ndef f(url, fetch):\n    if not re.match(r'https://example\\.org/', url):\n        raise ValueError\n    return fetch(url)\n",
        ],
        &[
            "import re\ndef f(url, fetch):\n    if not re.match(r'https?://', url):\n        raise ValueError\n    return fetch(url)\n",
            "from urllib.parse import urlparse\ndef f(url, fetch):\n    if not urlparse(url).hostname:\n        raise ValueError\n    return fetch(url)\n",
        ],
    );
}

#[test]
fn queries_and_documents() {
    check(
        "py/nosql-query-object",
        &[
            "def f(users, x):\n    if type(x) is not str:\n        raise TypeError\n    return users.find_one({'name': x})\n",
            "def f(users, x):\n    return users.find_one({'name': {'$eq': x}})\n",
            "def f(users, x):\n    if isinstance(x, dict):\n        raise TypeError\n    return users.find_one({'name': x})\n",
            "def f(users, x):\n    return users.find_one({'name': f'{x}'})\n",
        ],
        &[
            "def f(users, x):\n    isinstance(x, str)\n    return users.find_one({'name': x})\n",
            "def f(users, x):\n    return users.find_one(dict(name=x))\n",
        ],
    );
    check(
        "py/xpath-built",
        &[
            "def f(root, x):\n    return [e for e in root.iter('user') if e.get('name') == x]\n",
            "def f(root, x):\n    if '\"' in x or \"'\" in x:\n        raise ValueError\n    return root.find(f'user[@name=\"{x}\"]')\n",
            "def f(root, x):\n    return root.xpath('user[@name=$name]', name=x)\n",
        ],
        &[
            "def f(root, x):\n    if \"'\" in x:\n        raise ValueError\n    return root.find(f'user[@name=\"{x}\"]')\n",
        ],
    );
    check(
        "py/xml-entity-expansion",
        &[
            "import defusedxml.ElementTree as ET\ndef f(x):\n    return ET.fromstring(x)\n",
            "import xml.etree.ElementTree as ET\ndef f(x):\n    if '<!doctype' in x.lower():\n        raise ValueError\n    return ET.fromstring(x)\n",
            "import re\nimport xml.etree.ElementTree as ET\ndef f(x):\n    if re.search(r'<!(?:DOCTYPE|ENTITY)', x):\n        raise ValueError\n    return ET.fromstring(x)\n",
        ],
        &[
            "import xml.etree.ElementTree as ET\ndef f(x):\n    if 'SYSTEM' in x:\n        raise ValueError\n    return ET.fromstring(x)\n",
        ],
    );
}

#[test]
fn names_and_records() {
    check(
        "py/reflection",
        &[
            "ACTIONS = frozenset(['start', 'stop'])\ndef f(device, x):\n    if x not in ACTIONS:\n        raise ValueError\n    return getattr(device, x)()\n",
            "def f(device, x):\n    actions = {'start': device.start}\n    return actions.get(x, device.stop)()\n",
            "def f(device, x):\n    if x == 'start':\n        return getattr(device, x)()\n    return None\n",
        ],
        &[
            "def f(device, x):\n    if x.startswith('_'):\n        raise ValueError\n    return getattr(device, x)()\n",
            "def f(device, x):\n    if hasattr(device, x):\n        return getattr(device, x)()\n",
        ],
    );
    check(
        "py/mass-assignment",
        &[
            "def f(user, data):\n    allowed = {'name', 'city'}\n    for key, value in data.items():\n        if key not in allowed:\n            continue\n        setattr(user, key, value)\n    return user\n",
            "def f(user, data):\n    unknown = set(data) - {'name', 'city'}\n    if unknown:\n        raise ValueError\n    user.name = data['name']\n    return user\n",
        ],
        &[
            "def f(user, data):\n    for key in data:\n        if key != 'role':\n            setattr(user, key, data[key])\n    return user\n",
        ],
    );
}

#[test]
fn tables_templates_and_texts() {
    check(
        "py/csv-formula",
        &[
            "import csv\ndef safe(value):\n    if value and value[0] in '=+-@':\n        return \"'\" + value\n    return value\ndef f(handle, rows):\n    csv.writer(handle).writerows([[safe(cell) for cell in row] for row in rows])\n",
            "import csv\ndef f(handle, row):\n    csv.writer(handle).writerow([\"'\" + str(cell) for cell in row])\n",
            "import csv\ndef f(handle, row):\n    csv.writer(handle).writerow([int(cell) for cell in row])\n",
        ],
        &[
            "import csv\ndef f(handle, row):\n    csv.writer(handle).writerow([\"'\" + cell if cell.startswith('=') else cell for cell in row])\n",
        ],
    );
    check(
        "py/format-string",
        &[
            "from string import Template\ndef f(x, user):\n    return Template(x).safe_substitute(name=user.name)\n",
            "def f(x, user):\n    if '{' in x:\n        raise ValueError\n    return x.format(user=user)\n",
            "def f(x, user):\n    return 'Dear {}'.format(x)\n",
        ],
        &[
            "def f(x, user):\n    return ('Dear ' + x).format(user=user)\n",
            "def f(x, user):\n    return str.format(x, user=user)\n",
        ],
    );
    check(
        "py/html-unescaped",
        &[
            "from html import escape\ndef f(rows):\n    out = ['<table>']\n    for row in rows:\n        out.append('<tr><td>' + escape(str(row)) + '</td></tr>')\n    out.append('</table>')\n    return ''.join(out)\n",
            "from string import Template\nfrom html import escape\ndef f(x):\n    return Template('<p>$name</p>').substitute(name=escape(x))\n",
            "import html\ndef f(x, y):\n    values = {'a': html.escape(x), 'b': html.escape(y)}\n    return '<p>{a} {b}</p>'.format(**values)\n",
            "import html\ndef f(x):\n    page = '<p>NAME</p>'\n    return page.replace('NAME', html.escape(x))\n",
        ],
        &[
            "from string import Template\ndef f(x):\n    return Template('<p>$name</p>').substitute(name=x)\n",
            "def f(x):\n    page = '<p>NAME</p>'\n    return page.replace('NAME', x)\n",
            "def f(rows):\n    out = []\n    for row in rows:\n        out.append('<li>%s</li>' % row)\n    return ''.join(out)\n",
            "def f(rows):\n    return '<li>' + '</li><li>'.join(rows) + '</li>'\n",
        ],
    );
}

#[test]
fn secrets_and_files() {
    check(
        "py/signature-check",
        &[
            "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    if not given:\n        return False\n    return hmac.compare_digest(code, given)\n",
        ],
        &[
            "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return not given or hmac.compare_digest(code, given)\n",
            "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return code[:4] == given[:4]\n",
        ],
    );
    check(
        "py/insecure-temp-file",
        &[
            "import os, tempfile\ndef f(text):\n    path = os.path.join(tempfile.mkdtemp(), 'a.txt')\n    with open(path, 'w') as handle:\n        handle.write(text)\n    return path\n",
            "import os, secrets, tempfile\ndef f(text):\n    path = os.path.join(tempfile.gettempdir(), secrets.token_hex(16))\n    with open(path, 'x') as handle:\n        handle.write(text)\n    return path\n",
        ],
        &["def f(text):\n    with open('/tmp/report.txt', 'w') as handle:\n        handle.write(text)\n"],
    );
    check(
        "py/loose-permissions",
        &["import os, stat\ndef f(path):\n    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)\n"],
        &[
            "import os, stat\ndef f(path):\n    os.chmod(path, stat.S_IRUSR | stat.S_IROTH)\n",
            "from pathlib import Path\ndef f(path):\n    Path(path).chmod(0o777)\n",
        ],
    );
    check(
        "py/unbounded-read",
        &[
            "def f(stream, limit):\n    data = stream.read(limit + 1)\n    if len(data) > limit:\n        raise ValueError\n    return data\n",
        ],
        &["def f(stream):\n    return stream.readline().strip()\n"],
    );
}
