//! Ordinary programs: each has one right answer, which depends on the numbers drawn for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use codeward_sandbox::{End, Language, Network, Program};

use crate::case::{Case, Draws, Expected, python};

type Make = fn(&mut Draws) -> Case;

pub(crate) const ORDINARY: &[Make] = &[
    sum_of_input,
    channel_lines,
    exit_code,
    exit_text,
    uncaught,
    caught_recursion,
    written_files,
    laid_files,
    empty_folder,
    environment,
    database,
    reported_queries,
    unicode,
    hash,
    words,
    fibonacci,
    data_class,
    long_output,
    raw_bytes,
    both_streams,
    handlers_and_threads,
    shell,
    own_module,
    loopback,
    nothing_left_behind,
    temporary_file,
];

fn case(kind: &'static str, program: Program, expected: Expected) -> Case {
    Case { kind, program, expected }
}

fn sum_of_input(draws: &mut Draws) -> Case {
    let numbers: Vec<u64> = (0..20).map(|_| draws.below(1_000_000)).collect();
    let stdin = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("\n").into_bytes();
    let program = python("import sys\nprint(sum(int(line) for line in sys.stdin))");
    case("sum of input", Program { stdin, ..program }, Expected::printed(format!("{}\n", numbers.iter().sum::<u64>())))
}

fn channel_lines(draws: &mut Draws) -> Case {
    let (base, count) = (draws.below(1000), 1 + draws.below(30));
    let source = format!(
        "import json, os\nfor n in range({count}):\n    os.write(3, (json.dumps({{'n': n, 'v': {base} * n}}) + '\\n').encode())"
    );
    let lines = (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\": {n}, \"v\": {}}}", base * n);
        text
    });
    let expected = Expected { channel: Some(lines.into_bytes()), ..Expected::printed("") };
    case("channel", python(source), expected)
}

fn exit_code(draws: &mut Draws) -> Case {
    let code = draws.below(256) as i32;
    case("exit code", python(format!("import sys\nsys.exit({code})")), Expected::end(End::Exited { code }))
}

fn exit_text(draws: &mut Draws) -> Case {
    let text = format!("reason {}", draws.next());
    let expected = Expected { stderr: Some(format!("{text}\n")), ..Expected::end(End::Exited { code: 1 }) };
    case("exit text", python(format!("import sys\nsys.exit({text:?})")), expected)
}

fn uncaught(draws: &mut Draws) -> Case {
    let number = draws.next();
    let source = format!("print('before')\ndef fail():\n    raise ValueError({number})\nfail()");
    let mut expected = Expected::printed("before\n");
    expected.ends = vec![End::Exited { code: 1 }];
    expected.stderr = Some(format!("line 3, in fail\nValueError: {number}\n"));
    case("uncaught", python(source), expected)
}

fn caught_recursion(draws: &mut Draws) -> Case {
    let number = draws.below(1000);
    let source = format!(
        "def down(n):\n    return down(n + 1)\ntry:\n    down(0)\nexcept RecursionError:\n    print('caught', {number})"
    );
    case("caught recursion", python(source), Expected::printed(format!("caught {number}\n")))
}

fn written_files(draws: &mut Draws) -> Case {
    let (first, second) = (draws.next().to_string(), draws.below(5000));
    let source = format!(
        "import os\nos.mkdir('inner')\nopen('one', 'w').write({first:?})\nopen('inner/two', 'wb').write(b'x' * {second})\n\
         print(sorted(os.listdir('.')))"
    );
    let files = BTreeMap::from([
        ("one".to_owned(), first.into_bytes()),
        ("inner".to_owned(), vec![]),
        ("inner/two".to_owned(), vec![b'x'; second as usize]),
    ]);
    case("written files", python(source), Expected { files: Some(files), ..Expected::printed("['inner', 'one']\n") })
}

fn laid_files(draws: &mut Draws) -> Case {
    let values: Vec<u64> = (0..4).map(|_| draws.below(10_000)).collect();
    let files: BTreeMap<_, _> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("data/{index}.txt"), value.to_string().into_bytes()))
        .collect();
    let source = "import glob\nprint(sum(int(open(path).read()) for path in glob.glob('data/*.txt')))";
    let program = Program { files, ..python(source) };
    case("laid files", program, Expected::printed(format!("{}\n", values.iter().sum::<u64>())))
}

fn empty_folder(draws: &mut Draws) -> Case {
    let number = draws.below(100);
    let source =
        format!("import os\nprint(os.listdir('/tmp'), os.getcwd(), {number})\nopen('left-{number}', 'w').close()");
    case("empty folder", python(source), Expected::printed(format!("[] /tmp {number}\n")))
}

fn environment(draws: &mut Draws) -> Case {
    let value = format!("välue {}", draws.next());
    let env = BTreeMap::from([("GIVEN".to_owned(), value.clone())]);
    let source = "import os\nprint(os.environ['GIVEN'], os.environ.get('LEFT'), os.getpid())\nos.environ['LEFT'] = 'x'";
    case("environment", Program { env, ..python(source) }, Expected::printed(format!("{value} None 1\n")))
}

fn database(draws: &mut Draws) -> Case {
    let (count, factor) = (1 + draws.below(200), 1 + draws.below(50));
    let source = format!(
        "import sqlite3\nbase = sqlite3.connect('data.db')\nbase.execute('create table t(n integer, v integer)')\n\
         base.executemany('insert into t values (?, ?)', [(n, n * {factor}) for n in range({count})])\nbase.commit()\n\
         print(base.execute('select count(*), sum(v), max(n) from t where n % 2 = 0').fetchone())"
    );
    let evens: Vec<u64> = (0..count).filter(|n| n % 2 == 0).collect();
    let (sum, last) = (evens.iter().sum::<u64>() * factor, evens.last().copied().unwrap_or_default());
    case("database", python(source), Expected::printed(format!("({}, {sum}, {last})\n", evens.len())))
}

fn reported_queries(draws: &mut Draws) -> Case {
    let number = draws.below(100_000);
    let source =
        format!("import sqlite3\nprint(sqlite3.connect(':memory:').execute('select {number} + 1').fetchone()[0])");
    let expected =
        Expected { queries: vec![format!("select {number} + 1")], ..Expected::printed(format!("{}\n", number + 1)) };
    case("reported queries", Program { queries: true, ..python(source) }, expected)
}

fn unicode(draws: &mut Draws) -> Case {
    let letters: Vec<char> = "aäßλжあ漢🙂é\u{301}".chars().collect();
    let text: String = (0..40).map(|_| draws.pick(&letters)).collect();
    let reversed: String = text.chars().rev().collect();
    let program = python("import sys\ntext = sys.stdin.read()\nprint(text[::-1], len(text))");
    case("unicode", Program { stdin: text.into_bytes(), ..program }, Expected::printed(format!("{reversed} 40\n")))
}

fn hash(draws: &mut Draws) -> Case {
    let text: String = (0..200).map(|_| draws.pick(b"abcdefghij") as char).collect();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let source = "hash = 0xcbf29ce484222325\nfor byte in input().encode():\n    hash = (hash ^ byte) * 0x100000001b3 % 2 ** 64\nprint(hash)";
    case("hash", Program { stdin: text.into_bytes(), ..python(source) }, Expected::printed(format!("{hash}\n")))
}

fn words(draws: &mut Draws) -> Case {
    let list: Vec<&str> = (0..60).map(|_| draws.pick(&["red", "green", "blue", "black", "white"])).collect();
    let mut counts = BTreeMap::<&str, u32>::new();
    for word in &list {
        *counts.entry(word).or_default() += 1;
    }
    let lines: Vec<_> = counts.iter().map(|(word, count)| format!("{word}={count}")).collect();
    let source = "import collections, re\nfor word, count in sorted(collections.Counter(re.findall(r'\\w+', input())).items()):\n    print(f'{word}={count}')";
    case(
        "words",
        Program { stdin: list.join(", ").into_bytes(), ..python(source) },
        Expected::printed(lines.join("\n") + "\n"),
    )
}

fn fibonacci(draws: &mut Draws) -> Case {
    let count = draws.below(5000);
    let last = (0..count).fold((0_u64, 1_u64), |(a, b), _| (b, (a + b) % 1_000_000_007)).0;
    let source = format!("a, b = 0, 1\nfor _ in range({count}):\n    a, b = b, a + b\nprint(a % 1000000007)");
    case("fibonacci", python(source), Expected::printed(format!("{last}\n")))
}

fn data_class(draws: &mut Draws) -> Case {
    let (x, y) = (draws.below(1000), draws.below(1000));
    let source = format!(
        "import dataclasses, json\n@dataclasses.dataclass(order=True)\nclass Point:\n    x: int\n    y: int = 0\n\
         points = sorted([Point({x}, {y}), Point({y}, {x}), Point(-1)])\nprint(json.dumps([dataclasses.astuple(p) for p in points]))"
    );
    let (low, high) = ((x, y).min((y, x)), (x, y).max((y, x)));
    let text = format!("[[-1, 0], [{}, {}], [{}, {}]]\n", low.0, low.1, high.0, high.1);
    case("data class", python(source), Expected::printed(text))
}

fn long_output(draws: &mut Draws) -> Case {
    let lines = 500 + draws.below(4000);
    let text = (0..lines).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n") + "\n";
    case("long output", python(format!("for n in range({lines}):\n    print('line', n)")), Expected::printed(text))
}

fn raw_bytes(draws: &mut Draws) -> Case {
    let stdin: Vec<u8> = (0..300).map(|_| draws.below(256) as u8).collect();
    let stdout = stdin.iter().rev().copied().collect();
    let source = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])";
    let expected = Expected { stdout: Some(stdout), ..Expected::printed("") };
    case("raw bytes", Program { stdin, ..python(source) }, expected)
}

fn both_streams(draws: &mut Draws) -> Case {
    let number = draws.next();
    let source = format!("import sys\nprint('out {number}')\nprint('err {number}', file=sys.stderr)");
    let expected = Expected { stderr: Some(format!("err {number}\n")), ..Expected::printed(format!("out {number}\n")) };
    case("both streams", python(source), expected)
}

fn handlers_and_threads(draws: &mut Draws) -> Case {
    let count = 1 + draws.below(8);
    let source = format!(
        "import atexit, threading\natexit.register(print, 'handler')\ntotal = []\n\
         threads = [threading.Thread(target=total.append, args=(n,)) for n in range({count})]\n\
         [thread.start() for thread in threads]\n[thread.join() for thread in threads]\nprint(sum(total))"
    );
    case("handlers and threads", python(source), Expected::printed(format!("{}\nhandler\n", count * (count - 1) / 2)))
}

fn shell(draws: &mut Draws) -> Case {
    let (number, code) = (draws.below(1000), draws.below(100));
    let source = format!(
        "import subprocess\ndone = subprocess.run(['sh', '-c', 'echo $(({number} * 3)); exit {code}'], capture_output=True, text=True)\n\
         print(done.stdout.strip(), done.returncode)"
    );
    let program = Program { processes: true, ..python(source) };
    case("shell", program, Expected::printed(format!("{} {code}\n", number * 3)))
}

fn own_module(draws: &mut Draws) -> Case {
    let number = draws.below(100_000);
    let content = format!("VALUE = {number}\ndef double():\n    return VALUE * 2\n");
    let files = BTreeMap::from([("own.py".to_owned(), content.into_bytes())]);
    let source = "import own\nprint(own.double())";
    case("own module", Program { files, ..python(source) }, Expected::printed(format!("{}\n", number * 2)))
}

fn loopback(draws: &mut Draws) -> Case {
    let text = format!("hello {}", draws.next());
    let source = format!(
        "import socket\nwith socket.create_connection(('127.0.0.1', 8080), 5) as link:\n    link.sendall({text:?}.encode())\n\
         \x20   print(link.recv(15).decode())"
    );
    let program = Program { network: Network::Loopback, ..python(source) };
    let expected = Expected { received: vec![text.into_bytes()], ..Expected::printed("HTTP/1.0 200 OK\n") };
    case("loopback", program, expected)
}

/// The other half of the attack that changes its interpreter: nobody after it may notice.
fn nothing_left_behind(draws: &mut Draws) -> Case {
    let number = draws.below(1000);
    let source = format!(
        "import builtins, json, os, sys\nprint(hasattr(builtins, 'poison'), json.dumps([{number}]), 'poison' in sys.modules,\n\
         \x20     os.path.exists('/tmp/poison'), len([1, 2, 3]), os.umask(0o22))"
    );
    case("nothing left behind", python(source), Expected::printed(format!("False [{number}] False False 3 18\n")))
}

fn temporary_file(draws: &mut Draws) -> Case {
    let number = draws.next();
    let source = format!(
        "import os, pickle, tempfile\nwith tempfile.TemporaryDirectory() as folder:\n    path = os.path.join(folder, 'kept')\n\
         \x20   pickle.dump({{'n': {number}}}, open(path, 'wb'))\n    print(pickle.load(open(path, 'rb')), folder.startswith('/tmp/'))"
    );
    let expected = Expected { files: Some(BTreeMap::new()), ..Expected::printed(format!("{{'n': {number}}} True\n")) };
    case("temporary file", python(source), expected)
}

/// How many sources there are for each language other than Python: few, so that most runs find theirs compiled.
pub(crate) const NUM_VARIANTS: u64 = 12;

pub(crate) fn compiled(language: Language, draws: &mut Draws) -> Case {
    let variant = draws.below(NUM_VARIANTS);
    compiled_variant(language, variant, draws)
}

pub(crate) fn compiled_variant(language: Language, variant: u64, draws: &mut Draws) -> Case {
    let (a, b) = (draws.below(1_000_000), draws.below(1_000_000));
    let source = match language {
        Language::C => format!(
            "#include <stdio.h>\nint main(void){{long a,b; if(scanf(\"%ld %ld\",&a,&b)!=2) return 9; printf(\"%ld\\n\",a+b+{variant}); return {variant};}}"
        ),
        _ => format!(
            "const [a,b]=require('fs').readFileSync(0,'utf8').split(' ').map(Number); console.log(a+b+{variant}); process.exitCode={variant};"
        ),
    };
    let stdin = format!("{a} {b}").into_bytes();
    let program = Program { language, stdin, ..python(source) };
    let mut expected = Expected::printed(format!("{}\n", a + b + variant));
    expected.ends = vec![End::Exited { code: variant as i32 }];
    case(language.name(), program, expected)
}
