//! Each rule by a weak example and a sound one. In the weak one, `«` and `»` stand around the spans that must be found.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::BTreeSet;

use codeward_analysis::{analyse_python, rules};

/// Rule, weak example, sound example.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "py/archive-extract",
        "import tarfile\ndef f(path, folder):\n    with tarfile.open(path) as archive:\n        «archive».extractall(folder)\n",
        "import tarfile\ndef f(path, folder):\n    with tarfile.open(path) as archive:\n        archive.extractall(folder, filter='data')\n",
    ),
    (
        "py/archive-extract",
        "import tarfile\ndef f(path, folder):\n    archive = tarfile.open(path)\n    for member in archive.getmembers():\n        print(member.name)\n    «archive».extractall(folder)\n",
        "import os, tarfile\ndef f(path, folder):\n    archive = tarfile.open(path)\n    base = os.path.realpath(folder)\n    for member in archive.getmembers():\n        target = os.path.realpath(os.path.join(base, member.name))\n        if not target.startswith(base + os.sep):\n            raise ValueError(member.name)\n    archive.extractall(folder)\n",
    ),
    (
        "py/autoescape-off",
        "import jinja2\nenv = «jinja2.Environment»(loader=jinja2.FileSystemLoader('.'))\n",
        "import jinja2\nenv = jinja2.Environment(loader=jinja2.FileSystemLoader('.'), autoescape=True)\n",
    ),
    (
        "py/bind-all-interfaces",
        "def f(sock):\n    sock.bind(«('0.0.0.0', 80)»)\n",
        "def f(sock):\n    sock.bind(('127.0.0.1', 80))\n",
    ),
    (
        "py/certificate-unverified",
        "import requests\ndef f():\n    return requests.get('https://example.org/', verify=«False»)\n",
        "import requests\ndef f():\n    return requests.get('https://example.org/', verify=True)\n",
    ),
    (
        "py/certificate-unverified",
        "import ssl\ndef f():\n    context = ssl.create_default_context()\n    setattr(context, 'check_hostname', «False»)\n    context.verify_mode = «ssl.CERT_NONE»\n    return context\n",
        "import ssl\ndef f():\n    context = ssl.create_default_context()\n    context.verify_mode = ssl.CERT_REQUIRED\n    return context\n",
    ),
    (
        "py/checksum-as-digest",
        "import zlib\ndef f(data):\n    return «zlib.crc32»(data)\n",
        "import hashlib\ndef f(data):\n    return hashlib.sha256(data).digest()\n",
    ),
    (
        "py/cleartext-protocol",
        "import ftplib\ndef f(host):\n    return «ftplib.FTP»(host)\n",
        "import ftplib\ndef f(host):\n    return ftplib.FTP_TLS(host)\n",
    ),
    (
        "py/cookie-flags",
        "def f(response, value):\n    response.set_cookie('id', value, secure=«False»)\n",
        "def f(response, value):\n    response.set_cookie('id', value, secure=True, httponly=True)\n",
    ),
    (
        "py/csv-formula",
        "import csv\ndef f(handle, rows):\n    writer = csv.writer(handle)\n    for row in rows:\n        writer.writerow(«row»)\n",
        "import csv\ndef f(handle, rows):\n    writer = csv.writer(handle)\n    for row in rows:\n        writer.writerow([\"'\" + cell if cell[:1] in '=+-@' else cell for cell in row])\n",
    ),
    (
        "py/debug-mode",
        "from flask import Flask\napp = Flask('x')\napp.run(debug=«True»)\n",
        "from flask import Flask\napp = Flask('x')\napp.run()\n",
    ),
    (
        "py/decompression-bomb",
        "import zlib\ndef f(data):\n    return zlib.decompress(«data»)\n",
        "import zlib\ndef f(data):\n    return zlib.decompressobj().decompress(data, 1000)\n",
    ),
    (
        "py/digest-compared-with-equals",
        "import hmac\ndef f(key, message, given):\n    return «hmac.new(key, message, 'sha256').hexdigest()» == given\n",
        "import hmac\ndef f(key, message, given):\n    return hmac.compare_digest(hmac.new(key, message, 'sha256').hexdigest(), given)\n",
    ),
    (
        "py/error-detail-returned",
        "def f(run):\n    try:\n        return run()\n    except Exception as error:\n        return «'failed: ' + str(error)»\n",
        "def f(run):\n    try:\n        return run()\n    except Exception as error:\n        print(error)\n        return 'failed'\n",
    ),
    (
        "py/eval",
        "def f(text):\n    return eval(«text», {})\n",
        "import ast\ndef f(text):\n    return ast.literal_eval(text)\n",
    ),
    (
        "py/fixed-iv",
        "from Crypto.Cipher import AES\ndef f(key, data):\n    return AES.new(key, AES.MODE_CBC, «b'0123456789abcdef'»).encrypt(data)\n",
        "import os\nfrom Crypto.Cipher import AES\ndef f(key, data):\n    return AES.new(key, AES.MODE_CBC, os.urandom(16)).encrypt(data)\n",
    ),
    (
        "py/fixed-salt",
        "import hashlib\ndef f(password):\n    return hashlib.scrypt(password, salt=«b'salt'», n=16384, r=8, p=1)\n",
        "import hashlib, os\ndef f(password):\n    return hashlib.scrypt(password, salt=os.urandom(16), n=16384, r=8, p=1)\n",
    ),
    ("py/fixed-seed", "import random\nrandom.seed(«42»)\n", "import random\nrandom.seed()\n"),
    (
        "py/format-string",
        "def f(template, user):\n    return «template».format(user=user)\n",
        "def f(template, user):\n    return template.replace('{name}', user.name)\n",
    ),
    (
        "py/hard-coded-credential",
        "import os\ndef f(host):\n    password = «'hunter2'»\n    key = os.environ.get('API_KEY', «'sk-1234'»)\n    return host.login(password, token=«'abc123'»), key\n",
        "import os\ndef f(host):\n    password = os.environ['PASSWORD']\n    key = os.environ.get('API_KEY', '')\n    return host.login(password, token=key)\n",
    ),
    (
        "py/hard-coded-credential",
        "def f(password):\n    return password == «'letmein1'»\n",
        "def f(password, expected):\n    return password == expected\n",
    ),
    (
        "py/header-newline",
        "def f(place):\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {«place»}\\r\\n\\r\\n'\n",
        "def f(place):\n    place = place.replace('\\r', '').replace('\\n', '')\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {place}\\r\\n\\r\\n'\n",
    ),
    (
        "py/html-unescaped",
        "import html\ndef f(name, age):\n    return f'<p>{html.escape(name)}, {«age»}</p>'\n",
        "import html\ndef f(name, age):\n    return f'<p>{html.escape(name)}, {int(age)}</p>'\n",
    ),
    (
        "py/insecure-temp-file",
        "import tempfile\ndef f(text):\n    path = «tempfile.mktemp»()\n    open(«'/tmp/out.txt'», 'w').write(text)\n    return path\n",
        "import tempfile\ndef f(text):\n    with tempfile.NamedTemporaryFile('w', delete=False) as handle:\n        handle.write(text)\n",
    ),
    (
        "py/jwt-unverified",
        "import jwt\ndef f(token, key):\n    return jwt.decode(token, key, options=«{'verify_signature': False}»)\n",
        "import jwt\ndef f(token, key):\n    return jwt.decode(token, key, algorithms=['HS256'])\n",
    ),
    (
        "py/jwt-unverified",
        "import jwt\ndef f(token, key):\n    header = jwt.get_unverified_header(token)\n    return jwt.decode(token, key, algorithms=«[header['alg']]»)\n",
        "import jwt\ndef f(token, key):\n    header = jwt.get_unverified_header(token)\n    if header['alg'] not in ('HS256', 'HS512'):\n        raise ValueError\n    return jwt.decode(token, key, algorithms=[header['alg']])\n",
    ),
    (
        "py/ldap-filter-built",
        "def f(name):\n    return f'(&(objectClass=person)(uid={«name»}))'\n",
        "from ldap.filter import escape_filter_chars\ndef f(name):\n    return f'(&(objectClass=person)(uid={escape_filter_chars(name)}))'\n",
    ),
    (
        "py/log-newline",
        "import logging\ndef f(name):\n    logging.info('login %s', «name»)\n",
        "import logging\ndef f(name):\n    logging.info('login %r', name)\n",
    ),
    (
        "py/loose-permissions",
        "import os\ndef f(path):\n    os.chmod(path, «0o777»)\n    os.open(path, «os.O_WRONLY | os.O_CREAT»)\n    os.umask(«0»)\n",
        "import os\ndef f(path):\n    os.chmod(path, 0o600)\n    os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)\n    os.umask(0o077)\n",
    ),
    (
        "py/mass-assignment",
        "def f(user, data):\n    for key, value in data.items():\n        setattr(user, «key», value)\n",
        "def f(user, data):\n    for key, value in data.items():\n        if key in ('name', 'city'):\n            setattr(user, key, value)\n",
    ),
    (
        "py/nosql-query-object",
        "def f(users, name, request):\n    return users.find_one(«{'name': name, 'key': {'$eq': request}}»)\n",
        "def f(users, name, request):\n    return users.find_one({'name': str(name), 'key': {'$eq': request}})\n",
    ),
    (
        "py/old-tls",
        "import ssl\ndef f():\n    return ssl.SSLContext(«ssl.PROTOCOL_TLSv1»)\n",
        "import ssl\ndef f():\n    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n",
    ),
    (
        "py/open-redirect",
        "from flask import redirect, request\ndef f():\n    return redirect(«request.args['next']»)\n",
        "from flask import redirect, request\ndef f():\n    target = request.args['next']\n    if not target.startswith('/') or target.startswith('//'):\n        target = '/'\n    return redirect(target)\n",
    ),
    (
        "py/option-injection",
        "import subprocess\ndef f(url):\n    subprocess.run(«['git', 'clone', url]»)\n",
        "import subprocess\ndef f(url):\n    subprocess.run(['git', 'clone', '--', url])\n",
    ),
    (
        "py/password-hash-effort",
        "import hashlib\ndef f(password, salt):\n    a = hashlib.sha256(«password.encode()»)\n    b = hashlib.pbkdf2_hmac('sha256', password, salt, «1000»)\n    return a, b\n",
        "import hashlib\ndef f(password, salt):\n    return hashlib.pbkdf2_hmac('sha256', password, salt, 600000)\n",
    ),
    (
        "py/path-traversal",
        "import os\ndef f(folder, name):\n    return open(«os.path.join(folder, name)», encoding='utf-8')\n",
        "import os\ndef f(folder, name):\n    return open(os.path.join(folder, os.path.basename(name)), encoding='utf-8')\n",
    ),
    (
        "py/reflection",
        "import importlib\ndef f(device, name):\n    importlib.import_module(«name»)\n    return getattr(device, «name»)(), globals()[«name»]\n",
        "def f(device, name):\n    return {'start': device.start, 'stop': device.stop}[name]()\n",
    ),
    (
        "py/regex-backtracking",
        "import re\nPATTERN = re.compile(r'(\\w+\\s?)*$')\ndef f(text):\n    return «PATTERN».match(text)\n",
        "import re\nPATTERN = re.compile(r'\\w+(\\s\\w+)*$')\ndef f(text):\n    return PATTERN.match(text)\n",
    ),
    (
        "py/regex-backtracking",
        "import re\ndef f(text):\n    return re.match(«r'(a+)+$'», text)\n",
        "import re\ndef f(text):\n    if len(text) > 20:\n        raise ValueError\n    return re.match(r'(a+)+$', text)\n",
    ),
    (
        "py/regex-injection",
        "import re\ndef f(word, text):\n    return re.search(«word», text)\n",
        "import re\ndef f(word, text):\n    return re.search(re.escape(word), text)\n",
    ),
    (
        "py/server-side-request",
        "import requests\ndef f(url):\n    return requests.get(«url»)\n",
        "import requests\nfrom urllib.parse import urlsplit\ndef f(url):\n    if urlsplit(url).hostname not in ('example.org', 'example.com'):\n        raise ValueError\n    return requests.get(url)\n",
    ),
    (
        "py/server-side-request",
        "import requests\ndef f(url):\n    if not url.startswith('https://example.org'):\n        raise ValueError\n    return requests.get(«url»)\n",
        "import requests\ndef f(name):\n    return requests.get(f'https://example.org/{name}')\n",
    ),
    (
        "py/shell-command",
        "import subprocess\ndef f(path):\n    subprocess.run(«f'wc {path}'», shell=True)\n",
        "import subprocess\ndef f(path):\n    subprocess.run(['wc', '--', path])\n",
    ),
    (
        "py/shell-command-assembled",
        "class A:\n    def f(self, name):\n        self._run_ssh(«'rm %s' % name»)\n",
        "class A:\n    def f(self, name):\n        self._run_ssh(['rm', name])\n",
    ),
    (
        "py/short-key",
        "import secrets\ndef f():\n    return secrets.token_hex(«4»)\n",
        "import secrets\ndef f():\n    return secrets.token_hex(16)\n",
    ),
    (
        "py/signature-check",
        "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return code.startswith(«given») or «given» in code or «code[:8]» == given[:8] or «given» and code != given\n",
        "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return hmac.compare_digest(code, given)\n",
    ),
    (
        "py/sql-string-built",
        "def f(db, name):\n    query = 'SELECT * FROM users WHERE name = ' + name\n    return db.execute(«query»).fetchall()\n",
        "def f(db, name):\n    query = 'SELECT * FROM users WHERE name = ?'\n    return db.execute(query, (name,)).fetchall()\n",
    ),
    (
        "py/sql-text-assembled",
        "class A:\n    def f(self):\n        return self.db.execute(«'SELECT * FROM t WHERE a = %s' % self.name»)\n",
        "class A:\n    def f(self):\n        return self.db.execute('SELECT * FROM t WHERE a = ?', (self.name,))\n",
    ),
    (
        "py/ssh-host-key",
        "import paramiko\ndef f(client):\n    client.set_missing_host_key_policy(«paramiko.AutoAddPolicy()»)\n",
        "import paramiko\ndef f(client):\n    client.set_missing_host_key_policy(paramiko.RejectPolicy())\n",
    ),
    (
        "py/swallowed-error",
        "def f(run):\n    try:\n        run()\n    «except Exception:\n        pass»\n",
        "def f(run):\n    try:\n        run()\n    except ValueError:\n        pass\n",
    ),
    (
        "py/template-injection",
        "from flask import render_template_string\ndef f(text):\n    return render_template_string(«text»)\n",
        "from flask import render_template_string\ndef f(text):\n    return render_template_string('{{ text }}', text=text)\n",
    ),
    (
        "py/unbounded-read",
        "def f(stream):\n    return «stream».read()\n",
        "def f(stream):\n    return stream.read(1000)\n",
    ),
    (
        "py/unsafe-deserialisation",
        "import pickle, yaml\ndef f(data, text):\n    return pickle.loads(«data»), yaml.load(«text», Loader=yaml.Loader)\n",
        "import json, yaml\ndef f(data, text):\n    return json.loads(data), yaml.load(text, Loader=yaml.SafeLoader)\n",
    ),
    (
        "py/upload-any-kind",
        "import os\ndef save_upload(folder, name, data):\n    with open(«os.path.join(folder, os.path.basename(name))», 'wb') as handle:\n        handle.write(data)\n",
        "import os\ndef save_upload(folder, name, data):\n    if not name.endswith(('.png', '.jpg')):\n        raise ValueError\n    with open(os.path.join(folder, os.path.basename(name)), 'wb') as handle:\n        handle.write(data)\n",
    ),
    (
        "py/weak-cipher",
        "from Crypto.Cipher import AES, DES\ndef f(key):\n    return «DES.new»(key), AES.new(key, «AES.MODE_ECB»)\n",
        "from Crypto.Cipher import AES\ndef f(key):\n    return AES.new(key, AES.MODE_GCM)\n",
    ),
    (
        "py/weak-hash",
        "import hashlib\ndef f(data):\n    return «hashlib.md5»(data), hashlib.new(«'sha1'», data)\n",
        "import hashlib\ndef f(data):\n    return hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False)\n",
    ),
    (
        "py/weak-random",
        "import random, hashlib, time\ndef f(user):\n    a = hashlib.sha256(«(user + str(time.time())).encode()»).hexdigest()\n    token = «random.randint»(0, 9)\n    return a, token, «random.getrandbits»(128)\n",
        "import random, secrets\ndef f(user):\n    return random.randint(1, 6), secrets.token_hex(16)\n",
    ),
    (
        "py/xml-entity-expansion",
        "import xml.etree.ElementTree as ET\ndef f(text):\n    return ET.fromstring(«text»)\n",
        "import xml.etree.ElementTree as ET\ndef f(text):\n    if '<!ENTITY' in text:\n        raise ValueError\n    return ET.fromstring(text)\n",
    ),
    (
        "py/xml-external-entities",
        "import xml.sax\nfrom xml.sax.handler import feature_external_ges\ndef f():\n    parser = xml.sax.make_parser()\n    parser.setFeature(feature_external_ges, «True»)\n    return parser\n",
        "import xml.sax\nfrom xml.sax.handler import feature_external_ges\ndef f():\n    parser = xml.sax.make_parser()\n    parser.setFeature(feature_external_ges, False)\n    return parser\n",
    ),
    (
        "py/xpath-built",
        "def f(root, name):\n    return root.find(«f\"user[name='{name}']\"»)\n",
        "def f(root, name):\n    if \"'\" in name:\n        raise ValueError\n    return root.find(f\"user[name='{name}']\")\n",
    ),
];

/// Takes the marks out of an example: the text, and the marked texts with their places.
fn unmarked(example: &str) -> (String, BTreeSet<(usize, usize)>) {
    let (mut text, mut spans, mut open) = (String::new(), BTreeSet::new(), Vec::new());
    for letter in example.chars() {
        match letter {
            '«' => open.push(text.len()),
            '»' => {
                spans.insert((open.pop().unwrap(), text.len()));
            }
            _ => text.push(letter),
        }
    }
    (text, spans)
}

#[test]
fn each_rule_finds_the_marked_spans_of_the_weak_example_and_nothing_in_the_sound_one() {
    for (rule, weak, sound) in EXAMPLES {
        let spans_of = |source: &str| {
            let analysis = analyse_python(source).unwrap();
            assert_eq!(analysis.syntax_error, None, "{rule}\n{source}");
            let found = analysis.findings.into_iter().filter(|finding| finding.rule == *rule);
            found.map(|finding| (finding.start_byte, finding.end_byte)).collect::<BTreeSet<_>>()
        };
        let (text, marked) = unmarked(weak);
        let found = spans_of(&text);
        let shown: Vec<_> = found.iter().map(|(start, end)| &text[*start..*end]).collect();
        assert_eq!(found, marked, "{rule} found {shown:?} in\n{text}");
        assert_eq!(spans_of(sound), BTreeSet::new(), "{rule} in\n{sound}");
    }
}

#[test]
fn each_rule_has_an_example_and_each_example_a_rule() {
    let in_table: BTreeSet<&str> = rules().iter().map(|rule| rule.name).collect();
    let in_examples: BTreeSet<&str> = EXAMPLES.iter().map(|(rule, _, _)| *rule).collect();
    assert_eq!(in_table, in_examples);
    assert_eq!(in_table.len(), rules().len(), "two rules share a name");
    assert!(rules().len() >= 35);
}

#[test]
fn each_message_is_one_sentence_and_each_finding_repeats_its_rule() {
    for (name, weak, _) in EXAMPLES {
        let rule = rules().iter().find(|rule| rule.name == *name).unwrap();
        assert!(!rule.cwe.is_empty() && !rule.summary.ends_with('.'), "{name}");
        let (text, _) = unmarked(weak);
        for finding in analyse_python(&text).unwrap().findings.iter().filter(|finding| finding.rule == *name) {
            assert!(!finding.message.ends_with('.') && finding.message.len() > 20, "{name}: {}", finding.message);
            assert_eq!(
                (finding.severity, finding.confidence, finding.cwe.as_slice()),
                (rule.severity, rule.confidence, rule.cwe)
            );
        }
    }
}
