//! Escape through the runtimes of JavaScript, Java and Go. Nothing to test where one is absent.

use std::time::Duration;

use codeward_sandbox::{End, Language, Limits, Network, Program, TamperKind};

use crate::{attack_in, program_in, signs, text};

#[test]
fn node_reads_and_writes_nothing_outside() {
    let source = r"
const fs = require('fs');
for (const path of ['/etc/shadow', '/root/.bashrc', '/proc/self/environ', '/proc/1/cmdline', '/home'])
  try { fs.readFileSync(path); console.log('read', path) } catch (error) { console.log(error.code) }
for (const path of ['/etc/passwd', '/usr/x', '/x', '/dev/shm/x', process.execPath])
  try { fs.writeFileSync(path, 'x'); console.log('wrote', path) } catch (error) { }
console.log(fs.readdirSync('/tmp'), process.getuid(), fs.readFileSync('/etc/passwd', 'utf8').length)
";
    let Some(outcome) = attack_in(&program_in(Language::JavaScript, source)) else { return };
    let written = text(&outcome);
    assert!(written.starts_with("ENOENT\nENOENT\nENOENT\nENOENT\nENOENT\n[ 'main.js' ] 1000 "), "{written}");
    let expected = ["/etc/shadow", "/root/.bashrc", "/proc/self/environ", "/proc/1/cmdline", "/home", "/x"];
    assert_eq!(outcome.observed.outside_files, expected);
}

#[test]
fn node_starts_no_process_and_reaches_nobody() {
    let source = r"
const { spawnSync, execSync, fork } = require('child_process');
console.log(spawnSync('sh', ['-c', 'echo started > marker']).error.code);
try { execSync('echo started > marker'); console.log('started') } catch (error) { console.log(error.code) }
require('net').connect(80, '1.1.1.1').on('error', error => console.log(error.code));
";
    let Some(outcome) = attack_in(&program_in(Language::JavaScript, source)) else { return };
    assert_eq!(text(&outcome), "EPERM\nEPERM\nEPERM");
    assert!(!outcome.files.contains_key("marker"));
    let kinds: Vec<_> = signs(&outcome).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&TamperKind::Process) && kinds.contains(&TamperKind::Network), "{:?}", signs(&outcome));
}

#[test]
fn nodes_inner_doors_lead_nowhere_else() {
    let source = r"
const vm = require('vm');
const inner = vm.runInNewContext(`this.constructor.constructor('return process')()`);
console.log(inner === process);
try { inner.binding('spawn_sync').spawn({ file: '/bin/sh', args: ['sh'], envPairs: [], stdio: [{ type: 'ignore' }] }).error < 0 && console.log('refused') }
catch (error) { console.log('refused') }
try { inner.dlopen({ exports: {} }, '/tmp/x.node'); console.log('loaded') } catch (error) { console.log('not loaded') }
try { inner.kill(1, 'SIGKILL'); console.log('alive') } catch (error) { console.log(error.code) }
try { inner.setuid(0); console.log('root') } catch (error) { console.log(error.code) }
";
    let Some(outcome) = attack_in(&program_in(Language::JavaScript, source)) else { return };
    assert_eq!(text(&outcome), "true\nrefused\nnot loaded\nalive\nEPERM");
}

#[test]
fn workers_of_node_share_its_limits() {
    let source = r"
const { Worker } = require('worker_threads');
for (let n = 0; n < 4; n++) new Worker('for (;;) ;', { eval: true });
";
    let limits = Limits { cpu: Duration::from_millis(800), ..Limits::default() };
    let Some(outcome) = attack_in(&Program { limits, ..program_in(Language::JavaScript, source) }) else { return };
    assert_eq!(outcome.end, End::CpuLimit);
}

#[test]
fn memory_of_node_comes_to_an_end() {
    for source in [
        "const held = []; for (;;) held.push(new Array(1e6).fill({}));",
        "const held = []; for (;;) held.push(Buffer.alloc(1 << 24, 1));",
        "const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); const held = [memory];\n\
         for (;;) { const bytes = new Uint8Array(memory.buffer, memory.buffer.byteLength - 65536); bytes.fill(1); memory.grow(100) }",
    ] {
        let limits = Limits {
            memory_bytes: 256 << 20,
            cpu: Duration::from_secs(20),
            wall: Duration::from_secs(20),
            ..Limits::default()
        };
        let Some(outcome) = attack_in(&Program { limits, ..program_in(Language::JavaScript, source) }) else { return };
        let is_own = matches!(
            outcome.end,
            End::MemoryLimit | End::Exited { code: 1 | 134 } | End::Signalled { signal: 5 | 6 | 11 }
        );
        assert!(is_own, "{:?}: {source}", outcome.end);
        assert!(outcome.max_rss_kib < 600 << 10, "{} KiB", outcome.max_rss_kib);
    }
}

#[test]
fn an_innocent_program_of_any_runtime_leaves_no_sign() {
    let cases = [
        (
            Language::JavaScript,
            "const fs = require('fs'), os = require('os'), path = require('path'), crypto = require('crypto');\n\
          fs.writeFileSync('a', crypto.randomBytes(4).toString('hex')); console.log(os.cpus().length >= 0, path.resolve('.'));\n\
          setTimeout(() => console.log('later'), 10); Promise.resolve().then(() => console.log('soon'));",
        ),
        (
            Language::Java,
            "import java.io.*; import java.util.*; import java.util.concurrent.*;\nclass Main { public static void main(String[] x) throws Exception { \
          try (FileWriter file = new FileWriter(\"a\")) { file.write(\"text\"); } ExecutorService pool = Executors.newFixedThreadPool(3); \
          System.out.println(pool.submit(() -> 42).get() + \" \" + new java.security.SecureRandom().nextInt(1) + System.getProperty(\"user.home\")); pool.shutdown(); } }",
        ),
        (
            Language::Go,
            "package main\nimport (\"fmt\"; \"os\"; \"sync\"; \"time\"; \"math/rand\")\nfunc main() { os.WriteFile(\"a\", []byte(\"text\"), 0644); var group sync.WaitGroup; \
          for n := 0; n < 50; n++ { group.Add(1); go func() { defer group.Done(); time.Sleep(time.Millisecond) }() }; group.Wait(); fmt.Println(rand.Intn(1), time.Now().Location()) }",
        ),
    ];
    for (language, source) in cases {
        let Some(outcome) = attack_in(&program_in(language, source)) else { continue };
        assert!(!text(&outcome).is_empty(), "{language}");
        assert_eq!(signs(&outcome), [], "{language}");
        assert_eq!(
            (&outcome.observed.outside_files[..], &outcome.observed.processes[..]),
            (&[][..], &[][..]),
            "{language}"
        );
        assert!(outcome.files["a"].size > 0, "{language}");
    }
}

#[test]
fn a_library_of_java_may_look_for_a_network() {
    let source = "import java.nio.file.*;\nclass Main { public static void main(String[] x) throws Exception { Files.writeString(Path.of(\"a\"), \"text\"); } }";
    let Some(outcome) = attack_in(&program_in(Language::Java, source)) else { return };
    assert_eq!((text(&outcome).as_str(), outcome.files["a"].content.as_slice()), ("", &b"text"[..]));
    assert_eq!(signs(&outcome), []);
    assert!(outcome.observed.sockets.iter().all(|one| one.family == "unix"), "{:?}", outcome.observed.sockets);
    assert_eq!(outcome.files.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn java_starts_no_process_and_reaches_nobody() {
    let source = r#"
import java.io.*;
import java.net.*;
class Main {
    interface Try { void it() throws Throwable; }
    static void tried(String name, Try one) { try { one.it(); System.out.println(name + " done"); } catch (Throwable error) { System.out.println(name); } }
    public static void main(String[] x) {
        tried("exec", () -> Runtime.getRuntime().exec(new String[] {"sh", "-c", "touch marker"}).waitFor());
        tried("builder", () -> new ProcessBuilder("sh", "-c", "touch marker").start().waitFor());
        tried("socket", () -> new Socket("1.1.1.1", 53));
        tried("server", () -> new ServerSocket(8080));
        tried("library", () -> System.load("/tmp/x.so"));
        tried("read", () -> new FileReader("/etc/shadow").read());
        tried("write", () -> new FileWriter("/etc/passwd").write("x"));
        tried("kill", () -> ProcessHandle.of(1).get().destroyForcibly());
        System.out.println(System.getProperty("user.dir") + " " + new File("/root").exists());
    }
}
"#;
    let Some(outcome) = attack_in(&program_in(Language::Java, source)) else { return };
    assert_eq!(text(&outcome), "exec\nbuilder\nsocket\nserver\nlibrary\nread\nwrite\nkill\n/tmp false");
    assert!(!outcome.files.contains_key("marker"));
    let kinds: Vec<_> = signs(&outcome).into_iter().map(|(kind, _)| kind).collect();
    for kind in [TamperKind::Process, TamperKind::Network, TamperKind::OutsideFile] {
        assert!(kinds.contains(&kind), "{kind:?} is not in {:?}", signs(&outcome));
    }
}

#[test]
fn an_agent_for_the_java_machine_is_as_confined_as_the_program() {
    let source = "class Main { public static void main(String[] x) { System.out.println(\"ran\"); } }";
    let env = [("JAVA_TOOL_OPTIONS".to_owned(), "-javaagent:/tmp/agent.jar".to_owned())].into();
    let Some(outcome) = attack_in(&Program { env, ..program_in(Language::Java, source) }) else { return };
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains("ran"));
}

#[test]
fn memory_that_java_pokes_at_is_its_own() {
    let source = r#"
class Main { public static void main(String[] x) throws Exception {
    java.lang.reflect.Field field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe"); field.setAccessible(true);
    ((sun.misc.Unsafe) field.get(null)).putAddress(0, 0);
} }
"#;
    let Some(outcome) = attack_in(&program_in(Language::Java, source)) else { return };
    let is_own = matches!(outcome.end, End::Signalled { signal: 6 | 11 } | End::Exited { code: 1 | 134 });
    assert!(is_own, "{:?}", outcome.end);
}

#[test]
fn memory_and_threads_of_java_come_to_an_end() {
    let cases = [
        "java.util.List<byte[]> held = new java.util.ArrayList<>(); while (true) held.add(new byte[1 << 20]);",
        "java.util.List<Object> held = new java.util.ArrayList<>(); while (true) held.add(java.nio.ByteBuffer.allocateDirect(1 << 24));",
        "for (int n = 0; ; n++) { Thread one = new Thread(() -> { while (true) try { Thread.sleep(10000); } catch (Exception error) { } }); one.setDaemon(true); one.start(); }",
        "System.out.println(deep(0)); } static int deep(int n) { return deep(n + 1) + 1;",
        "String x = \"x\"; while (true) x += x;",
    ];
    for body in cases {
        let source = format!("class Main {{ public static void main(String[] x0) throws Exception {{ {body} }} }}")
            .replace("x0", "arguments");
        let limits = Limits {
            memory_bytes: 256 << 20,
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(20),
            ..Limits::default()
        };
        let Some(outcome) = attack_in(&Program { limits, ..program_in(Language::Java, &source) }) else { return };
        let is_own = matches!(outcome.end, End::MemoryLimit | End::Exited { code: 1 } | End::Signalled { signal: 6 });
        assert!(is_own, "{:?}: {body}", outcome.end);
    }
}

#[test]
fn go_starts_no_process_and_reaches_nobody() {
    let source = r#"
package main
import ("fmt"; "net"; "os"; "os/exec"; "syscall"; "time")
func main() {
    fmt.Println(exec.Command("/bin/sh", "-c", "touch marker").Run() != nil)
    _, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
    fmt.Println(err != nil)
    fmt.Println(syscall.Exec("/bin/true", []string{"true"}, nil))
    _, err = net.DialTimeout("tcp", "1.1.1.1:53", time.Second)
    fmt.Println(err != nil)
    _, err = os.ReadFile("/etc/shadow")
    fmt.Println(err)
    fmt.Println(os.WriteFile("/etc/passwd", nil, 0) != nil, syscall.Unshare(syscall.CLONE_NEWUSER), syscall.Setuid(0) != nil)
    _, _, number := syscall.Syscall(syscall.SYS_PTRACE, 16, 1, 0)
    fmt.Println(number == syscall.EPERM)
}
"#;
    let Some(outcome) = attack_in(&program_in(Language::Go, source)) else { return };
    assert_eq!(
        text(&outcome),
        "true\ntrue\noperation not permitted\ntrue\nopen /etc/shadow: no such file or directory\ntrue operation not permitted true\ntrue"
    );
    let kinds: Vec<_> = signs(&outcome).into_iter().map(|(kind, _)| kind).collect();
    for kind in
        [TamperKind::Process, TamperKind::Network, TamperKind::OutsideFile, TamperKind::Escape, TamperKind::Tracing]
    {
        assert!(kinds.contains(&kind), "{kind:?} is not in {:?}", signs(&outcome));
    }
}

#[test]
fn routines_and_memory_of_go_come_to_an_end() {
    for body in [
        "for { go func() { select {} }() }",
        "var held [][]byte\nfor { held = append(held, append(make([]byte, 1 << 20), 1)) }",
        "var f func(int) int\nf = func(n int) int { return f(n + 1) + 1 }\nprintln(f(0))",
    ] {
        let source = format!("package main\nfunc main() {{\n{body}\n}}");
        let limits = Limits { memory_bytes: 256 << 20, cpu: Duration::from_secs(5), ..Limits::default() };
        let Some(outcome) = attack_in(&Program { limits, ..program_in(Language::Go, &source) }) else { return };
        let is_own = matches!(
            outcome.end,
            End::MemoryLimit | End::CpuLimit | End::WallLimit | End::OutputLimit | End::Exited { code: 2 }
        );
        assert!(is_own, "{:?}: {body}", outcome.end);
        assert!(outcome.max_rss_kib < 400 << 10, "{} KiB", outcome.max_rss_kib);
    }
}

#[test]
fn every_runtime_reaches_the_loopback_listener_where_it_may() {
    let cases = [
        (Language::JavaScript, "const one = require('net').connect(8080, '127.0.0.1', () => one.end('from node'));"),
        (
            Language::Java,
            "class Main { public static void main(String[] x) throws Exception { try (var one = new java.net.Socket(\"127.0.0.1\", 8080)) { one.getOutputStream().write(\"from java\".getBytes()); } } }",
        ),
        (
            Language::Go,
            "package main\nimport \"net\"\nfunc main() { one, _ := net.Dial(\"tcp\", \"127.0.0.1:8080\"); one.Write([]byte(\"from go\")); one.Close() }",
        ),
        (
            Language::C,
            "#include <arpa/inet.h>\n#include <unistd.h>\nint main(void){int s=socket(AF_INET,SOCK_STREAM,0); struct sockaddr_in a={AF_INET,htons(8080),{htonl(0x7f000001)}}; \
          if(connect(s,(void*)&a,sizeof a)) return 1; write(s,\"from c\",6); return 0;}",
        ),
    ];
    for (language, source) in cases {
        let Some(outcome) = attack_in(&Program { network: Network::Loopback, ..program_in(language, source) }) else {
            continue;
        };
        assert_eq!(text(&outcome), "", "{language}");
        let name =
            if language == Language::JavaScript { "node".to_owned() } else { language.to_string().to_lowercase() };
        assert_eq!(outcome.observed.received, [format!("from {name}").into_bytes()], "{language}");
        assert!(
            outcome.observed.sockets.iter().any(|one| one.call == "connect" && one.family.starts_with("inet")),
            "{language}"
        );
    }
}
