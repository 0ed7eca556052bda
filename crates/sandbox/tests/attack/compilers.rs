//! Escape through the compiler: what a source can make its own compilation do. Nothing to test where a toolchain is absent.

use std::time::Duration;

use codeward_sandbox::{End, Language, Limits, Program};

use crate::{attack, attack_in, program_in, rejection, sandbox, signs, text};

/// What must not be there, and how the compiler says so.
fn assert_absent(message: &str) {
    assert!(
        ["No such file", "no such file", "ermission denied", "cannot open", "file not found", "not found"]
            .iter()
            .any(|part| message.contains(part)),
        "{message}"
    );
}

#[test]
fn including_a_file_of_the_host_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret_of_the_host").unwrap();
    let own = secret.display().to_string();
    for path in ["/etc/shadow", "/root/.bashrc", "/proc/self/environ", "/proc/1/cmdline", "/etc/hostname", own.as_str()]
    {
        for language in [Language::C, Language::Cpp] {
            let Some(message) = rejection(language, &format!("#include \"{path}\"\nint main(){{}}")) else { return };
            assert_absent(&message);
            assert!(!message.contains("secret_of_the_host"), "{message}");
        }
    }
}

#[test]
fn including_the_account_file_shows_the_made_up_one() {
    let Some(message) = rejection(Language::C, "#include \"/etc/passwd\"\nint main(){}") else { return };
    assert!(message.contains("nonexistent"), "{message}");
    let own = std::fs::read_to_string("/etc/passwd").unwrap();
    // Of the host's own accounts only the first has a name in common.
    let others = own.lines().skip(1).filter_map(|line| line.split(':').next()).filter(|name| name.len() > 3);
    assert!(others.filter(|name| *name != "nobody").all(|name| !message.contains(&format!("{name}:"))));
}

#[test]
fn an_assembler_can_include_nothing_of_the_host_either() {
    for directive in
        [".incbin \\\"/etc/shadow\\\"", ".include \\\"/etc/shadow\\\"", ".incbin \\\"/proc/self/environ\\\""]
    {
        let source = format!("__asm__(\"{directive}\");\nint main(){{}}");
        let Some(message) = rejection(Language::C, &source) else { return };
        assert_absent(&message);
    }
    let source = "extern const char start[], end[];\n__asm__(\".data\\nstart: .incbin \\\"/etc/passwd\\\"\\nend:\");\n\
                  #include <stdio.h>\nint main(){fwrite(start, 1, end - start, stdout);}";
    let Some(outcome) = attack_in(&program_in(Language::C, source)) else { return };
    assert!(text(&outcome).starts_with("root:x:0:0::/nonexistent:/bin/sh\nsandbox"));
}

#[test]
fn embedding_a_file_of_the_host_does_not_compile() {
    let source = "const char x[] = {\n#embed \"/etc/shadow\"\n};\nint main(){}";
    let Some(message) = rejection(Language::C, source) else { return };
    assert!(!message.contains("root:"), "{message}");
}

#[test]
fn pragmas_start_nothing_and_load_nothing() {
    let source = "#pragma GCC pch_preprocess \"/etc/shadow\"\nint main(){}";
    let Some(message) = rejection(Language::C, source) else { return };
    assert!(!message.contains("root:"), "{message}");
    for pragma in [
        "GCC plugin(\"/tmp/x.so\")",
        "comment(linker, \"-T/etc/shadow\")",
        "comment(lib, \"/etc/shadow\")",
        "GCC optimize(\"-x\", \"-wrapper\", \"sh,-c,id\")",
    ] {
        let source = format!("#pragma {pragma}\n#include <stdio.h>\nint main(){{puts(\"ran\");}}");
        let outcome = attack_in(&program_in(Language::C, &source)).unwrap();
        match outcome.end {
            End::CompilerRejected { .. } => {}
            _ => assert_eq!(text(&outcome), "ran", "{pragma}"),
        }
    }
}

#[test]
fn options_cannot_be_smuggled_in_by_an_object() {
    // What the link-time optimiser reads its own options from.
    let source = "__asm__(\".section .gnu.lto_.opts,\\\"e\\\",@progbits\\n.string \\\"'-fplugin=/tmp/x.so' '-wrapper' 'sh,-c,id'\\\"\\n.text\");\n\
                  #include <stdio.h>\nint main(){puts(\"ran\");}";
    let Some(outcome) = attack_in(&program_in(Language::C, source)) else { return };
    match outcome.end {
        End::CompilerRejected { message } => assert!(!message.contains("uid="), "{message}"),
        _ => assert_eq!(text(&outcome), "ran"),
    }
}

#[test]
fn sources_that_never_end_are_given_up() {
    let tower = "template<int n> struct A { static const long v = A<n-1>::v + A<n-2>::v; };\n\
                 template<int n> struct B { static const long v = B<n-1>::v + B<n-1>::v; };\nint main(){return A<1000000>::v + B<1000000>::v;}";
    let cases = [
        (Language::C, "#include __FILE__\nint main(){}".to_owned()),
        (Language::C, "#include \"/dev/zero\"\nint main(){}".to_owned()),
        (Language::Cpp, tower.to_owned()),
        (Language::Cpp, "constexpr int f(){ for (;;) ; return 0; }\nstatic_assert(f() == 1);\nint main(){}".to_owned()),
        (Language::Cpp, "template<class T> struct X : X<T*> {};\nX<int> x;\nint main(){}".to_owned()),
        (Language::C, format!("int main(){{return {}1{};}}", "(".repeat(20_000), ")".repeat(19_000))),
        (Language::C, "#define A B B B B\n#define B C C C C\n#define C D D D D\n#define D E E E E\n#define E F F F F\n#define F G G G G\n\
          #define G H H H H\n#define H I I I I\n#define I J J J J\n#define J K K K K\n#define K L L L L\n#define L x x x x\nint main(){ A }".to_owned()),
    ];
    for (language, source) in cases {
        let Some(message) = rejection(language, &source) else { return };
        assert!(!message.is_empty() && message.len() <= (16 << 10) + 100, "{} bytes", message.len());
    }
}

#[test]
fn a_program_larger_than_its_source_meets_the_limit() {
    for source in
        ["int x[1 << 30] = {1};\nint main(){return x[5];}", "char x[3l << 30] = {1};\nint main(){return x[5];}"]
    {
        let Some(message) = rejection(Language::C, source) else { return };
        assert!(!message.is_empty());
    }
    let source = "__asm__(\".data\\n.fill 0x7fffffff, 8, 1\\n.fill 0x7fffffff, 8, 1\");\nint main(){}";
    assert!(rejection(Language::C, source).is_some());
}

#[test]
fn a_flood_of_messages_is_cut() {
    let source = format!("int main(){{{}}}", "x;".repeat(200_000));
    let Some(message) = rejection(Language::C, &source) else { return };
    // A few bytes more say that there was more.
    assert!(message.len() <= (16 << 10) + 100, "{} bytes", message.len());
}

#[test]
fn what_runs_before_main_runs_in_the_sandbox() {
    let source = "#include <stdio.h>\n#include <unistd.h>\n\
        __attribute__((constructor)) void early(void){printf(\"%d %d %d\\n\", access(\"/etc/shadow\", 0), access(\"/root\", 0), (int)getuid());}\n\
        __attribute__((destructor)) void late(void){puts(\"late\");}\nint main(void){puts(\"main\");}";
    let Some(outcome) = attack_in(&program_in(Language::C, source)) else { return };
    assert_eq!(text(&outcome), "-1 -1 1000\nmain\nlate");
    let source = "#include <cstdio>\nstruct A { A(){ puts(fopen(\"/root/x\", \"r\") ? \"opened\" : \"no\"); } } a;\nint main(){}";
    let outcome = attack_in(&program_in(Language::Cpp, source)).unwrap();
    assert_eq!(text(&outcome), "no");
    assert_eq!(outcome.observed.outside_files, ["/root/x"]);
}

/// A C program that may only be itself.
const AGAIN: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **arguments) {
    char *again[] = {"again", 0};
    int self = open("/bin/true", O_RDONLY), copy = open("copy", O_RDWR | O_CREAT, 0755);
    (void)count; (void)arguments;
    printf("%d ", execv("/bin/true", again)); printf("%d\n", errno);
    printf("%d ", fexecve(self, again, again)); printf("%d\n", errno);
    printf("%ld ", syscall(SYS_execveat, copy, "", again, again, AT_EMPTY_PATH)); printf("%d\n", errno);
    printf("%d ", (int)fork()); printf("%d\n", errno);
    printf("%d ", (int)vfork()); printf("%d\n", errno);
    printf("%ld ", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); printf("%d\n", errno);
    printf("%d ", socket(AF_INET, SOCK_STREAM, 0)); printf("%d\n", errno);
    printf("%ld ", syscall(SYS_memfd_create, "x", 0)); printf("%d\n", errno);
    printf("%d ", kill(1, SIGKILL)); printf("%d\n", getpid());
    printf("%d\n", kill(-1, SIGKILL));
    return 0;
}
"#;

#[test]
fn a_compiled_program_becomes_itself_and_nothing_else() {
    let Some(outcome) = attack_in(&program_in(Language::C, AGAIN)) else { return };
    let lines = "-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n";
    let written = text(&outcome);
    assert!(written.starts_with(lines), "{written}");
    let seen: Vec<_> = outcome.observed.processes.iter().map(|one| (one.arguments.join(" "), one.allowed)).collect();
    let refused = |text: &str| (text.to_owned(), false);
    assert_eq!(seen, [refused("again"), refused("again"), refused("again"), refused(""), refused(""), refused("")]);
}

#[test]
fn a_compiled_program_with_leave_shows_only_what_it_starts() {
    let source = "#include <stdlib.h>\nint main(void){return system(\"uname -s\");}";
    let program = Program { processes: true, ..program_in(Language::C, source) };
    let Some(outcome) = attack_in(&program) else { return };
    assert_eq!(outcome.end, End::Exited { code: 0 });
    let seen: Vec<_> = outcome.observed.processes.iter().map(|one| one.arguments.join(" ")).collect();
    assert_eq!(seen, ["sh -c uname -s", "uname -s"]);
}

#[test]
fn a_compiled_program_has_four_descriptors_and_no_neighbours() {
    let source = r#"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
extern char **environ;
int main(void) {
    for (int number = 0; number < 1000; number++) if (fcntl(number, F_GETFD) >= 0) printf("%d ", number);
    printf("%d %d %d\n", getpid(), getppid(), access("/proc/self", 0));
    for (char **one = environ; *one; one++) puts(*one);
}
"#;
    let Some(outcome) = attack_in(&program_in(Language::C, source)) else { return };
    let written = text(&outcome);
    assert!(written.starts_with("0 1 2 3 2 1 -1\n"), "{written}");
    let mut names: Vec<_> = written.lines().skip(1).filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LC_ALL", "PATH", "TMPDIR", "TZ"]);
}

#[test]
fn crashes_and_bombs_of_compiled_programs_are_their_own() {
    let cases = [
        (
            "int f(int n){volatile char x[1000]; x[0]=n; return f(n+1)+x[0];}\nint main(){return f(0);}",
            vec![End::Signalled { signal: 11 }],
        ),
        (
            "#include <stdlib.h>\n#include <string.h>\nint main(){for(;;){char*p=malloc(1<<20); if(!p) return 9; memset(p,1,1<<20);}}",
            vec![End::Exited { code: 9 }, End::MemoryLimit],
        ),
        ("#include <unistd.h>\nint main(){static char x[65536]; for(;;) write(1,x,sizeof x);}", vec![End::OutputLimit]),
        ("#include <signal.h>\nint main(){for(int n=1;n<65;n++)signal(n,SIG_IGN); for(;;);}", vec![End::CpuLimit]),
        ("#include <stdlib.h>\nint main(){abort();}", vec![End::Signalled { signal: 6 }]),
        ("int main(){__asm__(\"ud2\");}", vec![End::Signalled { signal: 4 }]),
        ("#include <signal.h>\nint main(){raise(SIGKILL);}", vec![End::Signalled { signal: 9 }, End::MemoryLimit]),
        ("#include <unistd.h>\nint main(){int p[2]; for(;;) if(pipe(p)) return 5;}", vec![End::Exited { code: 5 }]),
        (
            "#include <pthread.h>\n#include <unistd.h>\nvoid*f(void*x){pause();return x;}\nint main(){pthread_t t; for(int n=0;;n++) if(pthread_create(&t,0,f,0)) return n < 64 ? 6 : 7;}",
            vec![End::Exited { code: 6 }],
        ),
    ];
    for (source, ends) in cases {
        let limits = Limits { memory_bytes: 128 << 20, cpu: Duration::from_millis(400), ..Limits::default() };
        let Some(outcome) = attack_in(&Program { limits, ..program_in(Language::C, source) }) else { return };
        assert!(ends.contains(&outcome.end), "{:?}: {source}", outcome.end);
        assert_eq!(outcome.files.len(), 0, "{source}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_its_own_failure() {
    // Were it an error of the engine, a program could choose not to be judged.
    let sources = [
        "const char interpreter[] __attribute__((section(\".interp\"))) = \"/nonexistent/loader\";\nint main(void){}",
        "const char interpreter[] __attribute__((section(\".interp\"))) = \"/tmp/loader\";\nint main(void){}",
        "const char interpreter[] __attribute__((section(\".interp\"))) = \"/etc/passwd\";\nint main(void){}",
        "static char x[1l << 45];\nint main(void){x[5]=1; return x[1l<<40];}",
        "static char x[1l << 30];\nint main(void){x[5]=1; return x[1<<29] + 3;}",
    ];
    for source in sources {
        let Some(outcome) = attack_in(&program_in(Language::C, source)) else { return };
        assert!(!matches!(outcome.end, End::WallLimit | End::CpuLimit), "{:?}: {source}", outcome.end);
        assert!(!source.contains("static") || outcome.end != (End::Exited { code: 0 }), "{source}");
    }
}

#[test]
fn a_build_is_kept_for_its_own_source_only() {
    let source = |number| format!("#include <stdio.h>\nint main(void){{puts(\"{number}\");}}");
    for number in [1, 2, 1, 2] {
        let Some(outcome) = attack_in(&program_in(Language::C, &source(number))) else { return };
        assert_eq!(text(&outcome), number.to_string());
    }
}

#[test]
fn headers_compiled_beforehand_cannot_be_replaced() {
    let source = "#include <bits/stdc++.h>\nint main(){\
        std::ofstream(\"/opt/codeward/bits/stdc++.h.gch\") << \"poison\";\
        std::cout << rename(\"/opt/codeward/bits/stdc++.h.gch\", \"/tmp/x\") << mkdir(\"/opt/codeward/new\", 0777) << unlink(\"/opt/codeward/bits/stdc++.h.gch\");}";
    let source = format!("{source}\n").replacen(
        "#include <bits/stdc++.h>",
        "#include <bits/stdc++.h>\n#include <sys/stat.h>\n#include <unistd.h>",
        1,
    );
    let Some(outcome) = attack_in(&program_in(Language::Cpp, &source)) else { return };
    assert_eq!(text(&outcome), "-1-1-1");
    let poison = crate::program(
        "
import os
for path in ('/opt/codeward', '/opt/codeward/bits', '/opt/codeward/bits/stdc++.h.gch'):
    for change in (lambda: open(path, 'wb'), lambda: os.chmod(path, 0o777), lambda: os.mkdir(path + '/x'), lambda: os.rename(path, path + 'x'),
                   lambda: os.symlink('/tmp', path + '2')):
        try:
            change()
            print('changed', path)
        except OSError:
            pass
",
    );
    assert_eq!(text(&attack(&poison)), "");
    let after = "#include <bits/stdc++.h>\nint main(){std::cout << std::accumulate(std::begin({1,2}), std::end({1,2}), 0) << \" whole\";}";
    let outcome = attack_in(&program_in(
        Language::Cpp,
        &after.replace("std::accumulate(std::begin({1,2}), std::end({1,2}), 0)", "3"),
    ))
    .unwrap();
    assert_eq!(text(&outcome), "3 whole");
}

#[test]
fn a_go_source_embeds_and_includes_nothing_of_the_host() {
    let embedding = "package main\nimport _ \"embed\"\n//go:embed PATH\nvar text string\nfunc main() { print(text) }";
    for path in ["/etc/shadow", "../etc/passwd", "../../root/x", "."] {
        let Some(message) = rejection(Language::Go, &embedding.replace("PATH", path)) else { return };
        assert!(!message.contains("root:"), "{message}");
    }
    let cases = [
        "package main\n/*\n#include <stdio.h>\n*/\nimport \"C\"\nfunc main() { C.puts(nil) }",
        "package main\n// #cgo LDFLAGS: -Wl,-T,/etc/shadow\nimport \"C\"\nfunc main() {}",
        "package main\nimport \"example.com/nowhere/module\"\nfunc main() { module.F() }",
        "package main\nimport \"../../etc\"\nfunc main() { etc.F() }",
        "package other\nfunc main() {}",
        "package main\nvar x [1 << 40]byte\nfunc main() { x[1] = 1 }",
    ];
    for source in cases {
        assert!(rejection(Language::Go, source).is_some_and(|message| !message.is_empty()), "{source}");
    }
    let generate =
        "package main\n//go:generate sh -c \"touch generated\"\n//go:build ignore\n\nfunc main() { println(1) }";
    let outcome = attack_in(&program_in(Language::Go, generate)).unwrap();
    assert!(!outcome.files.contains_key("generated"));
}

#[test]
fn a_java_source_runs_nothing_while_it_is_compiled() {
    let source = "
import javax.annotation.processing.*;
import java.util.*;
import javax.lang.model.element.TypeElement;
@SupportedAnnotationTypes(\"*\")
public class Processor extends AbstractProcessor {
    static { System.err.println(\"ran while compiling\"); }
    public boolean process(Set<? extends TypeElement> types, RoundEnvironment round) { throw new RuntimeException(\"ran while compiling\"); }
    public static void main(String[] arguments) { System.out.println(\"ran\"); }
}";
    let Some(outcome) = attack_in(&program_in(Language::Java, source)) else { return };
    assert_eq!(text(&outcome).lines().last(), Some("ran"));
    let annotations = format!(
        "class Main {{ public static void main(String[] x) {{ System.out.println({}1{}); }} }}",
        "(".repeat(20_000),
        ")".repeat(20_000)
    );
    let outcome = attack_in(&program_in(Language::Java, &annotations)).unwrap();
    assert!(matches!(outcome.end, End::CompilerRejected { .. } | End::Exited { .. }), "{:?}", outcome.end);
}

#[test]
fn names_of_java_classes_are_only_names() {
    let long = "A".repeat(300);
    for name in [long.as_str(), "$"] {
        let source =
            format!("public class {name} {{ public static void main(String[] x) {{ System.out.println(\"ran\"); }} }}");
        match sandbox().can_run(Language::Java) {
            Ok(()) => {}
            Err(_) => return,
        }
        // Whatever a program calls itself, there is an outcome: an error would mean that it chose not to be judged.
        let outcome = attack_in(&program_in(Language::Java, &source)).unwrap();
        match outcome.end {
            End::CompilerRejected { .. } if name == long => {}
            _ => assert_eq!(text(&outcome), "ran", "{name}"),
        }
    }
}

#[test]
fn toolchains_get_no_options_from_the_programs_environment() {
    for (language, source) in [
        (Language::C, "#include <stdio.h>\nint main(void){puts(\"ran\");}"),
        (Language::Go, "package main\nimport \"fmt\"\nfunc main() { fmt.Println(\"ran\") }"),
    ] {
        let env = [
            ("GCC_EXEC_PREFIX", "/tmp/"),
            ("CPATH", "/tmp"),
            ("GOFLAGS", "-toolexec=/tmp/x"),
            ("LD_PRELOAD", "/tmp/x.so"),
            ("COMPILER_PATH", "/tmp"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let Some(outcome) = attack_in(&Program { env, ..program_in(language, source) }) else { continue };
        assert_eq!(text(&outcome), "ran");
        assert_eq!(signs(&outcome), []);
    }
}
