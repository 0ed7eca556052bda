//! Sockets between its own processes, descriptors handed around, and what they could carry out or leave behind.

use codeward_sandbox::{End, Program};

use crate::{attack, attack_report, program, signs, text};

#[test]
fn a_pair_of_sockets_is_local_or_nothing() {
    let source = "
import socket
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 30, 38, 40):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try:
            socket.socketpair(family, kind)
            print(int(family), int(kind))
        except OSError as error:
            assert error.errno == 1, error
";
    assert_eq!(attack_report(source), "1 1\n1 2\n1 5");
}

#[test]
fn one_end_of_a_pair_cannot_be_turned_to_anybody_else() {
    let source = r"
import socket
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
for name, try_it in (
    ('connect', lambda: one.connect('/run/docker.sock')), ('abstract', lambda: one.connect(b'\0hidden')),
    ('bind', lambda: one.bind('/tmp/socket')), ('listen', lambda: one.listen(1)), ('accept', one.accept),
    ('sendto', lambda: one.sendto(b'x', '/run/systemd/journal/dev-log')),
):
    try:
        try_it()
        print('done', name)
    except OSError as error:
        print(name, error.errno)
";
    let outcome = attack(&program(source));
    // The first three never get to the kernel, to which this kind of socket is no listener; the journal has no name in here.
    assert_eq!(text(&outcome), "connect 1\nabstract 1\nbind 1\nlisten 95\naccept 95\nsendto 2");
    let seen: Vec<_> =
        outcome.observed.sockets.iter().map(|one| (one.call.as_str(), one.address.as_deref(), one.allowed)).collect();
    assert_eq!(
        seen,
        [
            ("connect", Some("/run/docker.sock"), false),
            ("connect", Some("hidden"), false),
            ("bind", Some("/tmp/socket"), false)
        ]
    );
    assert!(outcome.observed.sockets.iter().all(|one| one.family == "unix"));
}

#[test]
fn descriptors_sent_to_oneself_are_the_same_four() {
    let source = "
import os, socket
one, other = socket.socketpair()
socket.send_fds(one, [b'x'], [0, 1, 2, 3])
_, received, _, _ = socket.recv_fds(other, 10, 10)
print(len(received), [os.fstat(new).st_ino == os.fstat(old).st_ino for old, new in enumerate(received)])
os.write(received[3], b'by another number')
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "4 [True, True, True, True]");
    assert_eq!(outcome.channel, b"by another number");
}

#[test]
fn descriptors_in_flight_are_gone_with_the_program() {
    // A pair that holds each other's ends: only the kernel's own collector ever closes them.
    let source = "
import os, socket
sent = 0
try:
    while True:
        one, other = socket.socketpair()
        for _ in range(20):
            socket.send_fds(one, [b'x'], [one.fileno(), other.fileno(), 3])
            socket.send_fds(other, [b'x'], [one.fileno(), other.fileno(), 3])
            sent += 6
        one.close()
        other.close()
except OSError as error:
    print(error.errno in (24, 109), sent < 3000)
";
    for _ in 0..3 {
        assert_eq!(attack_report(source), "True True");
    }
}

#[test]
fn descriptors_of_a_program_do_not_reach_the_next() {
    // Whoever keeps descriptors in a daemon keeps nothing: the daemon is gone.
    let source = "
import os, socket, time
one, other = socket.socketpair()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        socket.send_fds(one, [b'x'], [1, 2, 3])
        time.sleep(600)
    os._exit(0)
os.wait()
socket.recv_fds(other, 10, 10)
print('kept')
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(text(&outcome), "kept");
    let source = "
import os, stat
print([stat.S_ISSOCK(os.fstat(number).st_mode) for number in range(4)], len(os.listdir('/dev')))
";
    assert_eq!(attack_report(source), "[False, False, False, False] 5");
}

#[test]
fn duplicating_and_replacing_the_four_hurts_only_its_own_output() {
    let source = "
import os
copies = [os.dup(number) for number in range(4)]
os.write(1, b'before ')
file = os.open('mine', os.O_RDWR | os.O_CREAT)
for number in range(4):
    os.dup2(file, number)
os.write(1, b'into the file')
os.write(copies[1], b'after')
os.write(copies[3], b'channel')
os.dup2(copies[1], 1)
";
    let outcome = attack(&Program { stdin: b"input".to_vec(), ..program(source) });
    assert_eq!((outcome.stdout.as_slice(), outcome.channel.as_slice()), (&b"before after"[..], &b"channel"[..]));
    assert_eq!(outcome.files["mine"].content, b"into the file");
    assert_eq!((outcome.end.clone(), signs(&outcome)), (End::Exited { code: 0 }, vec![]));
}

#[test]
fn outputs_that_are_swapped_arrive_as_they_were_written() {
    let source = "
import os
out, err, channel = os.dup(1), os.dup(2), os.dup(3)
os.dup2(channel, 1)
os.dup2(out, 2)
os.dup2(err, 3)
for number, content in ((1, b'one'), (2, b'two'), (3, b'three')):
    os.write(number, content)
";
    let outcome = attack(&program(source));
    assert_eq!(
        (outcome.stdout.as_slice(), outcome.stderr.as_slice(), outcome.channel.as_slice()),
        (&b"two"[..], &b"three"[..], &b"one"[..])
    );
}

#[test]
fn each_of_the_four_can_be_missing() {
    for number in 0..4 {
        let source = format!("import os\nos.close({number})\nos.write(1 if {number} != 1 else 2, b'still here')");
        let outcome = attack(&Program { stdin: b"input".to_vec(), ..program(&source) });
        let text = if number == 1 { &outcome.stderr } else { &outcome.stdout };
        assert!(text.starts_with(b"still here"), "{number}: {outcome:?}");
        assert!(matches!(outcome.end, End::Exited { .. }), "{number}: {:?}", outcome.end);
    }
}

#[test]
fn output_that_was_sealed_is_read_all_the_same() {
    let source = "
import fcntl, os
os.write(3, b'first')
for seals in (2 | 4 | 8, 1):
    try:
        fcntl.fcntl(3, 1033, seals)
        print('sealed')
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "1\n1");
    assert_eq!(outcome.channel, b"first");
}

#[test]
fn output_may_have_holes() {
    let outcome = attack(&program("import os\nos.lseek(3, 5000, 0)\nos.write(3, b'end')"));
    assert_eq!(outcome.channel, [&[0; 5000][..], b"end"].concat());
    let outcome = attack(&program("import os\nos.ftruncate(3, 8 << 20)\nos.lseek(3, 0, 2)"));
    assert_eq!((outcome.end, outcome.truncated), (End::OutputLimit, true));
    assert_eq!(outcome.channel, vec![0; 1 << 20]);
}

#[test]
fn output_cut_to_nothing_is_nothing_and_a_sign() {
    let outcome = attack(&program("import os\nos.write(3, b'forged verdict')\nos.ftruncate(3, 0)"));
    assert_eq!(outcome.channel, b"");
    assert_eq!(signs(&outcome), [(codeward_sandbox::TamperKind::OutputRewritten, "channel was rewound or cut")]);
}

#[test]
fn seeking_beyond_the_input_reads_nothing() {
    let source = "
import os
print(os.lseek(0, 1 << 40, 0), os.read(0, 10), os.pread(0, 10, 5), os.pread(0, 10, 3))
try:
    os.lseek(0, -1, 0)
except OSError as error:
    print(error.errno)
";
    let outcome = attack(&Program { stdin: b"12345".to_vec(), ..program(source) });
    assert_eq!(text(&outcome), "1099511627776 b'' b'' b'45'\n22");
}

#[test]
fn text_that_is_no_text_is_kept_as_it_is() {
    let source = "
import sys
sys.stdout.buffer.write(b'\\x00\\xff\\xc3\\x28\\xed\\xa0\\x80\\x1b[2J\\r\\n')
sys.stdout.flush()
try:
    print('\\ud800')
except UnicodeEncodeError:
    sys.stderr.write('refused')
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.stdout, b"\x00\xff\xc3\x28\xed\xa0\x80\x1b[2J\r\n");
    assert_eq!(outcome.stderr, b"refused");
}

#[test]
fn a_source_that_is_no_text_is_the_programs_own_failure() {
    for source in
        [&b"\xff\xfe"[..], b"print(1)\x00print(2)", b"# coding: rot13\ncevag(1)", b"\xef\xbb\xbfprint(7)", b""]
    {
        let outcome = attack(&Program { source: source.to_vec(), ..Program::default() });
        match source {
            b"" => assert_eq!(outcome.end, End::Exited { code: 0 }),
            b"\xef\xbb\xbfprint(7)" => assert_eq!(outcome.stdout, b"7\n"),
            _ => assert_eq!(outcome.end, End::Exited { code: 1 }, "{source:?}"),
        }
    }
}

#[test]
fn one_byte_at_a_time_on_three_outputs_is_whole() {
    let source = "
import os, threading
def write(number):
    for index in range(1500):
        os.write(number, b'%d' % (index % 10))
threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2, 3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
";
    let outcome = attack(&program(source));
    let expected: Vec<u8> = (0..1500).map(|index| b'0' + (index % 10) as u8).collect();
    assert_eq!((outcome.stdout, outcome.stderr, outcome.channel), (expected.clone(), expected.clone(), expected));
}

#[test]
fn pipes_full_of_bytes_take_no_more_than_the_descriptors_allow() {
    let source = "
import fcntl, os
pipes, held = [], 0
try:
    while True:
        read, write = os.pipe()
        pipes.append(read)
        os.set_blocking(write, False)
        try:
            fcntl.fcntl(write, 1031, 1 << 20)
        except OSError:
            pass
        try:
            while True:
                held += os.write(write, b'x' * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    print(error.errno, len(pipes) < 64, held <= 64 << 20)
";
    for _ in 0..2 {
        assert_eq!(attack_report(source), "24 True True");
    }
}

#[test]
fn a_full_device_is_the_programs_own_failure() {
    let source = "
try:
    with open('/dev/full', 'w') as file:
        file.write('x')
except OSError as error:
    print(error.errno)
print(open('/dev/zero', 'rb').read(3), len(open('/dev/urandom', 'rb').read(3)), open('/dev/null').read())
";
    // It may be read and not written.
    assert_eq!(attack_report(source), "13\nb'\\x00\\x00\\x00' 3");
}
