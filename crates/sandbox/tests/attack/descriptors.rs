//! Inherited descriptors, forged and broken output, and the input.

use codeward_sandbox::{End, Program};

use crate::{attack, attack_report, program};

#[test]
fn only_four_descriptors_are_open() {
    let source = "
import os
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
print([number for number in range(2000) if is_open(number)])
";
    assert_eq!(attack_report(source), "[0, 1, 2, 3]");
}

#[test]
fn output_may_be_any_bytes() {
    let source = "import os\nos.write(1, bytes(range(256)))\nos.write(2, b'\\xff\\x00')\nos.write(3, b'\\x00\\xfe')";
    let outcome = attack(&program(source));
    assert_eq!(outcome.stdout, (0..=255).collect::<Vec<u8>>());
    assert_eq!((outcome.stderr.as_slice(), outcome.channel.as_slice()), (&b"\xff\x00"[..], &b"\x00\xfe"[..]));
    assert_eq!((outcome.end, outcome.tamper), (End::Exited { code: 0 }, vec![]));
}

#[test]
fn output_byte_by_byte_is_whole() {
    let source = "import os\nfor index in range(3000):\n    os.write(3, b'%d' % (index % 10))";
    let outcome = attack(&program(source));
    assert_eq!(outcome.channel, (0..3000).map(|index| b'0' + (index % 10) as u8).collect::<Vec<_>>());
}

#[test]
fn input_is_read_to_its_end_and_not_beyond() {
    let source = "import sys\ndata = sys.stdin.buffer.read()\nprint(len(data), data[-1:], sys.stdin.buffer.read(10))";
    let outcome = attack(&Program { stdin: vec![b'x'; 300_000], ..program(source) });
    assert_eq!(outcome.stdout, b"300000 b'x' b''\n");
    assert_eq!(attack_report("import sys\nprint(repr(sys.stdin.read()))"), "''");
}

#[test]
fn text_input_is_utf8() {
    let stdin = "naïve\nzweite Zeile\n".as_bytes().to_vec();
    let outcome = attack(&Program { stdin, ..program("print(input()[2])\nprint(input())") });
    assert_eq!(String::from_utf8(outcome.stdout).unwrap(), "ï\nzweite Zeile\n");
}

#[test]
fn the_input_cannot_be_changed() {
    let source = "
import os
for change in (lambda: os.write(0, b'x'), lambda: os.ftruncate(0, 0), lambda: os.pwrite(0, b'x', 0)):
    try:
        change()
        print('changed')
    except OSError:
        pass
";
    let outcome = attack(&Program { stdin: b"input".to_vec(), ..program(source) });
    assert_eq!(outcome.stdout, b"");
}

#[test]
fn rewriting_the_channel_leaves_a_sign() {
    let source = "import os\nos.write(3, b'first line')\nos.lseek(3, 0, 0)\nos.write(3, b'FIRST')";
    let outcome = attack(&program(source));
    assert_eq!(outcome.channel, b"FIRST line");
    assert_eq!(
        outcome.tamper.iter().map(|one| one.detail.as_str()).collect::<Vec<_>>(),
        ["channel was rewound or cut"]
    );
}

#[test]
fn closing_everything_hurts_only_the_program() {
    let outcome = attack(&program("import os\nos.closerange(0, 100)"));
    assert!(matches!(outcome.end, End::Exited { .. }), "{:?}", outcome.end);
}

#[test]
fn descriptors_run_out_inside_only() {
    let source = "
import os
count = 0
try:
    while True:
        os.dup(1)
        count += 1
except OSError:
    print(count)
";
    assert_eq!(attack_report(source), "124");
}
