//! What one program leaves for the next, what chance is there, and modules of the caller's.

use std::time::Duration;

use codeward_sandbox::{End, Language, Prelude, Program, Sandbox};

use crate::{attack, attack_report, program, sandbox};

#[test]
fn files_of_an_earlier_program_are_gone() {
    let leave = program("open('/tmp/left', 'w').write('x')\nimport os\nos.mkdir('/tmp/folder')");
    for _ in 0..4 {
        assert_eq!(sandbox().run(&leave).unwrap().end, End::Exited { code: 0 });
        assert_eq!(attack_report("import os\nprint(os.listdir('/tmp'))"), "[]");
    }
}

#[test]
fn modules_and_settings_of_an_earlier_program_are_gone() {
    let spoil = "
import builtins, json, os, sys
json.loads = lambda text: 'spoilt'
builtins.len = lambda value: 666
sys.modules['evil'] = json
os.environ['LEFT'] = 'x'
sys.path.insert(0, '/tmp/evil')
";
    let look = "
import json, os, sys
print(json.loads('1'), len('abc'), 'evil' in sys.modules, 'LEFT' in os.environ, '/tmp/evil' in sys.path)
";
    for _ in 0..4 {
        assert_eq!(sandbox().run(&program(spoil)).unwrap().end, End::Exited { code: 0 });
        assert_eq!(attack_report(look), "1 3 False False False");
    }
}

#[test]
fn the_machinery_leaves_no_names_and_no_input_of_others() {
    let secret = Program { stdin: b"token-of-the-neighbour".to_vec(), ..program("import sys\nsys.stdin.read()") };
    sandbox().run_batch(&[secret.clone(), secret]);
    let source = "
import gc, sys
print(sorted(name for name in globals() if not name.startswith('__')))
print(sys.argv, __name__, sys.modules['__main__'].__dict__ is globals())
needle = 'token-of-the-' + 'neighbour'
print(any(isinstance(item, (str, bytes)) and needle in str(item) for item in gc.get_objects()))
frame = sys._getframe()
while frame:
    for value in list(frame.f_globals.values()) + list(frame.f_locals.values()):
        if isinstance(value, (str, bytes)) and needle in str(value) and value is not needle:
            print('found')
    frame = frame.f_back
";
    let text = attack_report(source);
    assert_eq!(text, "['gc', 'sys']\n['main.py'] __main__ True\nFalse");
}

#[test]
fn chance_does_not_repeat() {
    let source = "
import os, random, secrets, tempfile, uuid
print(random.random(), os.urandom(8).hex(), secrets.token_hex(8), uuid.uuid4(), tempfile.mkstemp()[1])
";
    let programs = vec![program(source); 8];
    let mut seen = std::collections::BTreeSet::new();
    let mut num_words = 0;
    for result in sandbox().run_batch(&programs) {
        let text = String::from_utf8(result.unwrap().stdout).unwrap();
        for word in text.split_whitespace() {
            seen.insert(word.to_owned());
            num_words += 1;
        }
    }
    assert_eq!((num_words, seen.len()), (40, 40));
}

#[test]
fn hashes_are_the_same_every_time() {
    let source = "print(hash('codeward'), list({'alpha', 'beta', 'gamma', 'delta', 'epsilon'}))";
    let outputs: Vec<_> =
        sandbox().run_batch(&vec![program(source); 6]).into_iter().map(|result| result.unwrap().stdout).collect();
    assert!(outputs.iter().all(|output| *output == outputs[0] && !output.is_empty()));
}

#[test]
fn common_modules_are_there() {
    let source = "
import argparse, array, ast, asyncio, base64, bisect, calendar, collections, concurrent.futures, configparser, csv, ctypes
import dataclasses, datetime, decimal, difflib, email, enum, fractions, gzip, hashlib, hmac, html, http.client, ipaddress
import itertools, json, logging, lzma, pickle, queue, random, re, secrets, shelve, shlex, sqlite3, ssl, statistics, string
import struct, subprocess, tarfile, tempfile, threading, typing, unittest, urllib.parse, urllib.request, uuid, xml.sax
import xml.etree.ElementTree, xml.dom.minidom, zipfile, zlib
db = sqlite3.connect('test.db')
db.execute('create table t (a)')
db.execute('insert into t values (?)', (42,))
print(db.execute('select a from t').fetchone(), hashlib.sha256(b'').hexdigest()[:8], hashlib.scrypt(b'a', salt=b'b', n=2, r=1, p=1).hex()[:2] != '')
async def main():
    await asyncio.sleep(0.01)
    return 'async'
print(asyncio.run(main()))
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(abs, range(-3, 4))))
";
    assert_eq!(attack_report(source), "(42,) e3b0c442 True\nasync\n12");
}

#[test]
fn extra_environment_is_seen() {
    let env = [("NAME".to_owned(), "välue".to_owned())].into();
    let source = "import os\nprint(os.environ['NAME'], os.environ['TZ'], os.uname().nodename)";
    let outcome = attack(&Program { env, ..program(source) });
    assert_eq!(String::from_utf8(outcome.stdout).unwrap(), "välue UTC sandbox\n");
}

#[test]
fn a_module_of_the_callers_is_as_it_was_for_every_program() {
    static SHARED: Prelude = Prelude { name: "shared", source: "state = ['fresh']\ndef read(): return state[0]\n" };
    static OTHER: Prelude = Prelude { name: "other", source: "import shared\nword = 'other ' + shared.read()\n" };
    let sandbox = Sandbox::start(1).unwrap();
    let printed = |prelude, source: &str| {
        let outcome = sandbox.run(&Program { prelude: Some(prelude), ..program(source) }).unwrap();
        assert_eq!(outcome.end, End::Exited { code: 0 }, "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(outcome.tamper, []);
        String::from_utf8(outcome.stdout).unwrap()
    };
    let changes = "
import shared, sys
print(shared.read(), shared.__file__)
shared.state[0] = 'changed'
shared.read = lambda: 'replaced'
sys.modules['shared'] = None
";
    for _ in 0..3 {
        assert_eq!(printed(&SHARED, changes), "fresh shared.py\n");
    }
    assert_eq!(printed(&OTHER, "import other\nprint(other.word)"), "other fresh\n");
}

#[test]
fn a_module_of_the_callers_that_is_broken_is_named_and_ends_nothing_else() {
    static BROKEN: Prelude = Prelude { name: "broken", source: "1 / 0\n" };
    let sandbox = Sandbox::start(1).unwrap();
    let error = sandbox.run(&Program { prelude: Some(&BROKEN), ..program("pass") }).unwrap_err().to_string();
    assert!(error.contains("module broken: division by zero"), "{error}");
    assert_eq!(sandbox.run(&program("print(1)")).unwrap().stdout, b"1\n");
    let other = Program { language: Language::C, prelude: Some(&BROKEN), ..program("int main(void) { return 0; }") };
    let error = sandbox.run(&other).unwrap_err().to_string();
    assert!(error.contains("only programs in Python"), "{error}");
}

#[test]
fn descriptors_on_their_way_do_not_keep_a_neighbour_from_starting() {
    // The kernel counts descriptors in flight for a user as a whole, and refuses more than a sender's own limit.
    let holder = "
import array, os, socket, time
held, sent = [], 0
while True:
    one, other = socket.socketpair()
    held += [one, other]
    try:
        while True:
            one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 60))])
            sent += 60
    except OSError as error:
        if error.errno == 109 or len(held) > 40:
            break
print(sent > 120, flush=True)
time.sleep(1.5)
";
    let sandbox = Sandbox::start(2).unwrap();
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| sandbox.run(&program(holder)).unwrap());
        std::thread::sleep(Duration::from_millis(400));
        for _ in 0..20 {
            let outcome = sandbox.run(&program("print(6 * 7)")).unwrap();
            assert_eq!(outcome.stdout, b"42\n");
        }
        assert!(!holding.is_finished());
        let held = holding.join().unwrap();
        assert_eq!((held.end, held.stdout.as_slice()), (End::Exited { code: 0 }, &b"True\n"[..]));
    });
}
