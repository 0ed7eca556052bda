//! Ways to look harmless without being it, and ways to be harmless that must be believed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use codeward_analysis::{Language, analyse};
use codeward_records::Level;

/// The rules of medium or high severity that find something, each once.
fn rules(source: &str) -> Vec<String> {
    let analysis = analyse(Language::Python, source).unwrap();
    assert_eq!(analysis.syntax_error, None, "{source}");
    let found = analysis.findings.into_iter().filter(|finding| finding.severity >= Level::Medium);
    let mut rules: Vec<String> = found.map(|finding| finding.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

#[track_caller]
fn flagged(rule: &str, sources: &[&str]) {
    let missed: Vec<_> = sources.iter().filter(|source| !rules(source).iter().any(|found| found == rule)).collect();
    let shown: Vec<_> = missed.iter().map(|source| format!("{source}{:?}\n", rules(source))).collect();
    assert!(missed.is_empty(), "{rule} is not found in\n{}", shown.concat());
}

#[track_caller]
fn clean(sources: &[&str]) {
    for source in sources {
        assert_eq!(rules(source), Vec::<String>::new(), "in\n{source}");
    }
}

#[test]
fn a_dangerous_function_is_known_under_any_name() {
    flagged(
        "py/shell-command",
        &[
            "import os\ndef f(x):\n    os.system('ls ' + x)\n",
            "import os as o\ndef f(x):\n    o.system('ls ' + x)\n",
            "from os import system as s\ndef f(x):\n    s('ls ' + x)\n",
            "import os\nrun = os.system\ndef f(x):\n    run('ls ' + x)\n",
            "import os\ndef f(x):\n    run = os.system\n    run('ls ' + x)\n",
            "import os\ndef f(x):\n    getattr(os, 'system')('ls ' + x)\n",
            "import os\ndef f(x):\n    getattr(os, 'sys' + 'tem')('ls ' + x)\n",
            "def f(x):\n    __import__('os').system('ls ' + x)\n",
            "import importlib\ndef f(x):\n    importlib.import_module('os').system('ls ' + x)\n",
            "import os\ndef f(x):\n    vars(os)['system']('ls ' + x)\n",
            "import os\ndef f(x):\n    os.__dict__['system']('ls ' + x)\n",
            "import os\ndef f(x):\n    globals()['os'].system('ls ' + x)\n",
            "import os\nfrom functools import partial\ndef f(x):\n    partial(os.system)('ls ' + x)\n",
            "import os\ndef f(x):\n    list(map(os.system, ['ls ' + x]))\n",
            "import os\nfrom threading import Thread\ndef f(x):\n    Thread(target=os.system, args=('ls ' + x,)).start()\n",
            "import os\ndef f(x):\n    (lambda command: os.system(command))('ls ' + x)\n",
            "import os\ndef f(x):\n    for run in (os.system,):\n        run('ls ' + x)\n",
            "import os\ndef f(x):\n    tools = {'run': os.system}\n    tools['run']('ls ' + x)\n",
            "import os\nclass Tool:\n    def run(self, x):\n        os.system('ls ' + x)\n",
            "import os\ndef _run(command):\n    os.system(command)\ndef f(x):\n    _run('ls ' + x)\n",
            "import os\ndef f(x):\n    def inner():\n        os.system('ls ' + x)\n    inner()\n",
            "import os\ndef f(x):\n    if (run := os.system) is not None:\n        run('ls ' + x)\n",
        ],
    );
    flagged(
        "py/eval",
        &[
            "def f(x):\n    return eval(x)\n",
            "import builtins\ndef f(x):\n    return builtins.eval(x)\n",
            "e = eval\ndef f(x):\n    return e(x)\n",
            "def f(x):\n    return __builtins__['eval'](x)\n",
            "def f(x):\n    return globals()['__builtins__'].eval(x)\n",
            "def f(x):\n    return getattr(__builtins__, 'eval')(x)\n",
            "def f(x):\n    return eval(compile(x, 'x', 'eval'))\n",
            "def f(x):\n    return [eval(part) for part in x]\n",
            "def f(x):\n    return eval(f'({x})', {'__builtins__': {}})\n",
            "def f(x):\n    return eval(x.strip().lower()[0:50])\n",
            "def f(x):\n    return eval.__call__(x)\n",
            "def f(x):\n    return (eval)(*[x])\n",
            "def f(x):\n    return [eval][0](x)\n",
            "def f(x):\n    return (eval if x else None)(x)\n",
            "def f(x):\n    return (lambda: eval)()(x)\n",
            "def f(x):\n    def give():\n        return eval\n    return give()(x)\n",
            "class A:\n    def __init__(self):\n        self.run = eval\n    def f(self, x):\n        return self.run(x)\n",
            "class A:\n    run = eval\n    def f(self, x):\n        return self.run(x)\n",
            "import sys\ndef f(x):\n    return sys.modules['builtins'].eval(x)\n",
            "import operator, builtins\ndef f(x):\n    return operator.attrgetter('eval')(builtins)(x)\n",
            "from builtins import *\ndef f(x):\n    return eval(x)\n",
            "def f(x):\n    while True:\n        return eval(x)\n",
            "def f(x):\n    try:\n        pass\n    finally:\n        return eval(x)\n",
            "async def f(x):\n    return eval(await x.text())\n",
            "def f(x, run=eval):\n    return run(x)\n",
            "def f(x):\n    def inner(y, run=eval):\n        return run(y)\n    return inner(x)\n",
            "def f(x):\n    return [y for y in [x] if eval(y)]\n",
            "def f(x):\n    return {eval(x): 1}\n",
            "def f(x):\n    match x:\n        case y:\n            return eval(y)\n",
            "def f(x):\n    return f'{eval(x)}'\n",
            "def f(x):\n    return x and eval(x) or None\n",
            "@staticmethod\ndef f(x):\n    yield eval(x)\n",
        ],
    );
}

#[test]
fn a_command_is_followed_however_it_is_put_together() {
    flagged(
        "py/shell-command",
        &[
            "import os\ndef f(x):\n    os.system('ls %s' % x)\n",
            "import os\ndef f(x):\n    os.system('ls {}'.format(x))\n",
            "import os\ndef f(x):\n    os.system('ls {name}'.format(name=x))\n",
            "import os\ndef f(x):\n    os.system(' '.join(['ls', x]))\n",
            "import os\ndef f(x):\n    command = 'ls '\n    command += x\n    os.system(command)\n",
            "import os\ndef f(x):\n    parts = ['ls']\n    parts.append(x)\n    os.system(' '.join(parts))\n",
            "import subprocess\ndef f(x):\n    subprocess.run(['sh', '-c', 'ls ' + x])\n",
            "import subprocess\ndef f(x):\n    subprocess.run('ls ' + x, **{'shell': True})\n",
            "import subprocess\ndef f(x):\n    subprocess.run('ls ' + x, shell=1)\n",
            "import subprocess\ndef f(x):\n    options = dict(shell=True)\n    subprocess.run('ls ' + x, **options)\n",
            "import subprocess\ndef f(x):\n    yes = True\n    subprocess.run(args='ls ' + x, shell=yes)\n",
            "import os\ndef f(x):\n    os.popen(f'ls {x!s}')\n",
            "import os\ndef f(x):\n    os.system('ls $name'.replace('$name', x))\n",
            "import os\ndef f(**options):\n    os.system('ls ' + options['x'])\n",
        ],
    );
}

#[test]
fn input_is_not_lost_on_the_way() {
    flagged(
        "py/eval",
        &[
            "def f(x):\n    d = {}\n    d['a'] = x\n    return eval(d['a'])\n",
            "def f(x):\n    d = [None]\n    d[0] = x\n    return eval(d[0])\n",
            "def f(x):\n    d = dict(a=x)\n    return eval(d['a'])\n",
            "def f(x):\n    a, b = 1, x\n    return eval(b)\n",
            "def f(x):\n    a, *b = [1, x]\n    return eval(b[0])\n",
            "def f(x):\n    return eval(''.join(chr(ord(c)) for c in x))\n",
            "def f(x):\n    return eval(bytes.fromhex(x.encode().hex()).decode())\n",
            "import base64\ndef f(x):\n    return eval(base64.b64decode(base64.b64encode(x.encode())).decode())\n",
            "import json\ndef f(x):\n    return eval(json.loads(json.dumps(x)))\n",
            "import io\ndef f(x):\n    s = io.StringIO()\n    s.write(x)\n    return eval(s.getvalue())\n",
            "import io\ndef f(x):\n    s = io.StringIO()\n    print(x, file=s)\n    return eval(s.getvalue())\n",
            "def f(x):\n    y = ''\n    for c in x:\n        y += c\n    return eval(y)\n",
            "def f(x):\n    return eval(locals()['x'])\n",
            "def f(x):\n    y = x if x else ''\n    return eval(y)\n",
            "def f(x):\n    try:\n        y = x\n    except Exception:\n        y = ''\n    return eval(y)\n",
            "def f(x):\n    return eval((lambda y: y)(x))\n",
            "def _same(y):\n    return y\ndef f(x):\n    return eval(_same(y=x))\n",
            "def _same(*ys):\n    return ys[0]\ndef f(x):\n    return eval(_same(x))\n",
            "def f(x):\n    def inner():\n        return x\n    return eval(inner())\n",
            "def f(*x):\n    return eval(x[0])\n",
            "def f(x):\n    y = [z for z in [x]]\n    return eval(y.pop())\n",
            "def f(x):\n    import copy\n    return eval(copy.deepcopy(x))\n",
            "class A:\n    def __init__(self, x):\n        self.x = x\n    def f(self):\n        return eval(self.x)\n",
        ],
    );
}

#[test]
fn a_sanitiser_counts_only_where_its_result_is_used() {
    flagged(
        "py/shell-command",
        &[
            "import os, shlex\ndef f(x):\n    shlex.quote(x)\n    os.system('ls ' + x)\n",
            "import os, shlex\ndef f(x):\n    safe = shlex.quote(x)\n    os.system('ls ' + x)\n",
            "import os, shlex\ndef f(x, y):\n    x = shlex.quote(x)\n    os.system('ls ' + x + y)\n",
            "import os, shlex\ndef f(x):\n    if len(x) > 3:\n        x = shlex.quote(x)\n    os.system('ls ' + x)\n",
            "import os, shlex\ndef f(x):\n    if False:\n        x = shlex.quote(x)\n    os.system('ls ' + x)\n",
            "import os, html\ndef f(x):\n    os.system('ls ' + html.escape(x))\n",
            "import os, shlex\ndef f(x):\n    try:\n        x = shlex.quote(x)\n    except Exception:\n        pass\n    os.system('ls ' + x + shlex.split(x)[0])\n",
            "import os\nclass shlex:\n    @staticmethod\n    def quote(x):\n        return x\ndef f(x):\n    os.system('ls ' + shlex.quote(x))\n",
            "import os\ndef quote(x):\n    return x\ndef f(x):\n    os.system('ls ' + quote(x))\n",
        ],
    );
    flagged(
        "py/html-unescaped",
        &[
            "import html\ndef f(x):\n    html.escape(x)\n    return f'<p>{x}</p>'\n",
            "import html\ndef f(x):\n    return f'<p>{html.unescape(html.escape(x))}</p>'\n",
            "import html\ndef f(x, y):\n    return f'<p>{html.escape(x)} {y}</p>'\n",
            "def f(x):\n    return f'<p>{x.replace(\"<script>\", \"\")}</p>'\n",
            "def f(x):\n    return '<p>' + x.replace('>', '&gt;') + '</p>'\n",
            "import html\ndef f(x):\n    return f\"<a href='{html.escape(x, quote=False)}'>x</a>\"\n",
        ],
    );
    clean(&[
        "import os, shlex\ndef f(x):\n    os.system('ls ' + shlex.quote(x))\n",
        "import os\nfrom shlex import quote\ndef f(x):\n    safe = quote(x)\n    os.system(f'ls {safe}')\n",
        "import os, shlex\ndef f(xs):\n    os.system('ls ' + ' '.join(shlex.quote(x) for x in xs))\n",
        "import os, shlex\ndef f(xs):\n    os.system('ls ' + ' '.join(map(shlex.quote, xs)))\n",
        "import os\ndef f(x):\n    if not x.isalnum():\n        raise ValueError(x)\n    os.system('ls ' + x)\n",
        "import os\ndef f(x):\n    os.system('kill %d' % int(x))\n",
        "import html\ndef f(x):\n    x = html.escape(x)\n    return f'<p title=\"{x}\">{x}</p>'\n",
        "from html import escape as e\ndef f(x):\n    return '<p>' + e(x) + '</p>'\n",
        "def f(x):\n    safe = x.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')\n    return f'<p>{safe}</p>'\n",
    ]);
}

#[test]
fn a_check_counts_only_where_it_is_acted_on() {
    let open = "    return open(path).read()\n";
    let with = |middle: &str| {
        format!("import os\ndef f(folder, name):\n    path = os.path.join(folder, name)\n{middle}{open}")
    };
    for evasion in [
        "",
        "    if '..' in name:\n        pass\n",
        "    '..' in name\n",
        "    if False and '..' in name:\n        raise ValueError\n",
        "    if '..' in name or '/' in name:\n        print('careful')\n",
        "    if '..' in name:\n        raise ValueError\n",
        "    if name.startswith('/'):\n        raise ValueError\n",
        "    os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)\n",
        "    if not os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep):\n        print('outside')\n",
        "    if not path.startswith(folder + os.sep):\n        raise ValueError\n",
        "    if not os.path.realpath(path).startswith(os.path.realpath(folder)):\n        raise ValueError\n",
        "    try:\n        if '/' in name:\n            raise ValueError\n    except ValueError:\n        pass\n",
        "    os.path.basename(name)\n",
        "    name = os.path.basename(name)\n",
        "    if not name:\n        raise ValueError\n",
        "    if os.path.exists(path):\n        path = os.path.realpath(path)\n",
        "    while '/' in name:\n        break\n",
        "    path = path.replace('../', '')\n",
        "    path = os.path.normpath(path)\n",
        "    assert folder\n",
        "    path = os.path.realpath(path)\n    if not path.startswith('/'):\n        raise ValueError\n",
        "    path = os.path.realpath(path)\n    if not path.startswith(os.sep):\n        raise ValueError\n",
        "    if name not in [name]:\n        raise ValueError\n",
        "    if name != name:\n        raise ValueError\n",
        "    if not all(letter.isalnum() for letter in name[:1]):\n        raise ValueError\n",
        "    for letter in name:\n        if not letter.isalnum():\n            raise ValueError\n        break\n",
        "    for letter in name:\n        if not letter.isalnum():\n            continue\n",
        "    if not name.isalnum:\n        raise ValueError\n",
        "    def check():\n        if '/' in name:\n            raise ValueError\n",
        "    if 0 and '/' in name:\n        raise ValueError\n",
        "    if '/' in name and len(name) > 1000:\n        raise ValueError\n",
        "    if not (name.isalnum() or folder):\n        raise ValueError\n",
        "    if not any(letter.isalnum() for letter in name):\n        raise ValueError\n",
    ] {
        flagged("py/path-traversal", &[&with(evasion)]);
    }
    for check in [
        "    if '..' in name or name.startswith('/'):\n        raise ValueError\n",
        "    if '/' in name:\n        raise ValueError\n",
        "    if os.sep in name:\n        return None\n",
        "    if os.path.basename(name) != name:\n        raise ValueError\n",
        "    if not os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep):\n        raise ValueError\n",
        "    path = os.path.realpath(path)\n    if not path.startswith(os.path.join(os.path.realpath(folder), '')):\n        raise ValueError\n",
        "    base = os.path.realpath(folder)\n    path = os.path.realpath(path)\n    if os.path.commonpath([base, path]) != base:\n        raise ValueError\n",
        "    path = os.path.abspath(path)\n    if os.path.dirname(path) != os.path.abspath(folder):\n        raise ValueError\n",
        "    if name not in os.listdir(folder):\n        raise ValueError\n",
        "    path = os.path.join(folder, os.path.basename(name))\n",
        "    import re\n    if not re.fullmatch(r'\\w+', name):\n        raise ValueError\n",
        "    if not name.isalnum():\n        raise ValueError\n",
        "    for letter in name:\n        if not letter.isalnum():\n            raise ValueError\n",
        "    if not all(letter.isalnum() for letter in name):\n        raise ValueError\n",
        "    if any(letter in '/\\\\' for letter in name):\n        raise ValueError\n",
        "    if any(part == '..' for part in name.split('/')) or os.path.isabs(name):\n        raise ValueError\n",
        "    inside = os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)\n    if not inside:\n        raise ValueError\n",
        "    if len(name) > 100 or '/' in name:\n        raise ValueError\n",
    ] {
        clean(&[&with(check)]);
    }
    clean(&[
        "from pathlib import Path\ndef f(folder, name):\n    base = Path(folder).resolve()\n    path = (base / name).resolve()\n    if not path.is_relative_to(base):\n        raise ValueError\n    return path.read_text()\n",
        "from pathlib import Path\ndef f(folder, name):\n    base = Path(folder).resolve()\n    path = (base / name).resolve()\n    if base not in path.parents:\n        raise ValueError\n    return path.read_text()\n",
        "from pathlib import Path\ndef f(folder, name):\n    base = Path(folder).resolve()\n    path = (base / name).resolve()\n    path.relative_to(base)\n    return path.read_text()\n",
        "from pathlib import Path\ndef f(folder, name):\n    return (Path(folder) / Path(name).name).read_text()\n",
        "import os\ndef inside(base, path):\n    return os.path.realpath(path).startswith(os.path.realpath(base) + os.sep)\ndef f(folder, name):\n    path = os.path.join(folder, name)\n    if not inside(folder, path):\n        raise ValueError\n    return open(path).read()\n",
        "import os\ndef _check(base, path):\n    if not os.path.realpath(path).startswith(os.path.realpath(base) + os.sep):\n        raise ValueError\ndef f(folder, name):\n    path = os.path.join(folder, name)\n    _check(folder, path)\n    return open(path).read()\n",
        "import os\ndef _safe(name):\n    if '/' in name or name == '..':\n        return False\n    return True\ndef f(folder, name):\n    if not _safe(name):\n        return None\n    return open(os.path.join(folder, name)).read()\n",
        "def f(folder, name):\n    if '/' in name:\n        raise ValueError\n    return open(f'{folder}/{name}').read()\n",
        "def f(path):\n    return open(path).read()\n",
    ]);
    flagged(
        "py/path-traversal",
        &[
            "def f(folder, name):\n    return open(f'{folder}/{name}').read()\n",
            "def f(folder, name):\n    return open(folder + '/' + name).read()\n",
            "import os\ndef _safe(name):\n    return True\ndef f(folder, name):\n    if not _safe(name):\n        return None\n    return open(os.path.join(folder, name)).read()\n",
            "from pathlib import Path\ndef f(folder, name):\n    return Path(folder).joinpath(name).read_text()\n",
            "from contextlib import suppress\nfrom pathlib import Path\ndef f(folder, name):\n    path = (Path(folder) / name).resolve()\n    with suppress(ValueError):\n        path.relative_to(folder)\n    return path.read_text()\n",
        ],
    );
}

#[test]
fn a_statement_is_followed_into_its_query() {
    flagged(
        "py/sql-string-built",
        &[
            "def f(db, x):\n    db.execute(f\"SELECT * FROM t WHERE a = '{x}'\")\n",
            "def f(db, x):\n    db.execute('SELECT * FROM t WHERE a = %s' % x)\n",
            "def f(db, x):\n    db.execute('SELECT * FROM t WHERE a = \"%s\"' % (x,))\n",
            "def f(db, x):\n    db.execute('SELECT * FROM t WHERE a = {}'.format(x))\n",
            "def f(db, x):\n    q = 'SELECT * FROM t WHERE a = '\n    q = q + x\n    run = db.execute\n    run(q)\n",
            "def f(db, x):\n    x = x.replace(\"'\", \"''\")\n    db.execute(\"SELECT * FROM t WHERE a = '\" + x + \"'\")\n",
            "def f(db, x):\n    x = str(x)\n    db.execute('SELECT * FROM t WHERE a = ' + x)\n",
            "def f(db, x):\n    db.execute('SELECT * FROM t WHERE a = ' + repr(x))\n",
            "def f(db, x):\n    db.execute(''.join(['SELECT * FROM t WHERE a = ', x]))\n",
            "def f(db, names):\n    db.execute('SELECT * FROM t WHERE a IN (' + ','.join(names) + ')')\n",
            "def f(db, c):\n    if c in ('a', 'b'):\n        pass\n    db.execute('SELECT * FROM t ORDER BY ' + c)\n",
            "def f(db, x):\n    getattr(db, 'execute')('SELECT * FROM t WHERE a = ' + x)\n",
            "def f(db, where):\n    db.executescript('DELETE FROM t WHERE ' + where)\n",
        ],
    );
    clean(&[
        "def f(db, x):\n    return db.execute('SELECT * FROM t WHERE a = ?', (x,)).fetchall()\n",
        "def f(db, names):\n    marks = ', '.join('?' for _ in names)\n    return db.execute(f'SELECT * FROM t WHERE a IN ({marks})', names).fetchall()\n",
        "def f(db, names):\n    marks = ','.join(['?'] * len(names))\n    return db.execute('SELECT * FROM t WHERE a IN (' + marks + ')', names).fetchall()\n",
        "def f(db, c):\n    column = {'a': 'a', 'b': 'b'}.get(c, 'a')\n    return db.execute('SELECT * FROM t ORDER BY ' + column).fetchall()\n",
        "COLUMNS = {'a', 'b'}\ndef f(db, c):\n    if c not in COLUMNS:\n        raise ValueError(c)\n    return db.execute(f'SELECT * FROM t ORDER BY {c}').fetchall()\n",
        "def f(db, n):\n    return db.execute('SELECT * FROM t LIMIT %d' % int(n)).fetchall()\n",
        "def f(db, n):\n    n = int(n)\n    return db.execute(f'SELECT * FROM t LIMIT {n}').fetchall()\n",
        "def f(db, d):\n    order = 'DESC' if d else 'ASC'\n    return db.execute('SELECT * FROM t ORDER BY a ' + order).fetchall()\n",
        "def f(db, c):\n    match c:\n        case 'a' | 'b':\n            return db.execute('SELECT * FROM t ORDER BY ' + c).fetchall()\n    return []\n",
    ]);
}

#[test]
fn an_address_is_not_its_own_proof() {
    flagged(
        "py/server-side-request",
        &[
            "import requests\ndef f(url):\n    if url != url:\n        raise ValueError\n    return requests.get(url)\n",
            "import requests\ndef f(url):\n    if 'example.org' not in url:\n        raise ValueError\n    return requests.get(url)\n",
            "import requests\ndef f(url):\n    if not url.startswith('https://'):\n        raise ValueError\n    return requests.get(url)\n",
            "import requests\nfrom urllib.parse import urlsplit\ndef f(url):\n    host = urlsplit(url).hostname\n    return requests.get(url)\n",
            "import requests\nfrom urllib.parse import urlsplit\ndef f(url):\n    if urlsplit(url).scheme not in ('http', 'https'):\n        raise ValueError\n    return requests.get(url)\n",
        ],
    );
}

#[test]
fn comments_that_silence_other_tools_do_not_silence_this_one() {
    flagged("py/eval", &["def f(x):\n    return eval(x)  # nosec # noqa: S307\n"]);
}

#[test]
fn random_values_and_digests_under_other_names() {
    flagged(
        "py/weak-random",
        &[
            "import random as r, string\ndef make_token(n):\n    return ''.join(r.choice(string.hexdigits) for _ in range(n))\n",
            "from random import choices\ndef f(n):\n    return ''.join(choices('abcdefghijklmnop', k=n))\n",
            "import random\ndef f():\n    rng = random.Random()\n    return '%x' % rng.getrandbits(128)\n",
            "import random\ndef reset_code():\n    code = random.randint(0, 999999)\n    return str(code)\n",
        ],
    );
    clean(&[
        "import random\ndef roll():\n    return random.randint(1, 6)\n",
        "import random\ndef pick(names):\n    return random.choice(names)\n",
        "import random\ndef token(n):\n    rng = random.SystemRandom()\n    return ''.join(rng.choice('0123456789abcdef') for _ in range(n))\n",
    ]);
    flagged(
        "py/weak-hash",
        &[
            "import hashlib\ndef f(x):\n    return hashlib.new('md5', x).hexdigest()\n",
            "import hashlib\ndef f(x):\n    return getattr(hashlib, 'md5')(x).hexdigest()\n",
            "from hashlib import md5 as digest\ndef f(x):\n    return digest(x).hexdigest()\n",
            "import hashlib\ndef f(x):\n    name = 'sha1'\n    return getattr(hashlib, name)(x).hexdigest()\n",
            "import hashlib, hmac\ndef f(k, x):\n    return hmac.new(k, x, hashlib.md5).hexdigest()\n",
        ],
    );
    clean(&["import hashlib\ndef f(x):\n    return hashlib.md5(x, usedforsecurity=False).hexdigest()\n"]);
}
