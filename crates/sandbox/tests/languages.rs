//! Programs in languages other than Python: compiled and run inside, each where its toolchain is present.
//!
//! A host without a toolchain has nothing to test here; `codeward doctor` says which are there.

use std::sync::OnceLock;

use codeward_sandbox::{End, Language, Outcome, Program, Sandbox, SandboxError};

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(2).unwrap_or_else(|error| panic!("{error} (hint: {:?})", error.hint())))
}

fn run(language: Language, source: &str, stdin: &str) -> Option<Outcome> {
    let program = Program {
        language,
        source: source.as_bytes().to_vec(),
        stdin: stdin.as_bytes().to_vec(),
        ..Program::default()
    };
    match sandbox().run(&program) {
        Ok(outcome) => Some(outcome),
        Err(SandboxError::NoToolchain { .. }) => None,
        Err(error) => panic!("{language}: {error}"),
    }
}

/// Reads two numbers, writes their sum.
const SUMS: [(Language, &str); 5] = [
    (
        Language::C,
        "#include <stdio.h>\nint main(void){long a,b; scanf(\"%ld %ld\",&a,&b); printf(\"%ld\\n\",a+b); return 0;}",
    ),
    (Language::Cpp, "#include <bits/stdc++.h>\nint main(){long a,b; std::cin>>a>>b; std::cout<<a+b<<\"\\n\";}"),
    (
        Language::JavaScript,
        "const [a,b]=require('fs').readFileSync(0,'utf8').split(' ').map(Number); console.log(a+b);",
    ),
    (
        Language::Java,
        "import java.util.Scanner;\npublic class Sum { public static void main(String[] x) { Scanner s = new Scanner(System.in); \
         System.out.println(s.nextLong() + s.nextLong()); } }",
    ),
    (
        Language::Go,
        "package main\nimport \"fmt\"\nfunc main() { var a, b int64; fmt.Scan(&a, &b); fmt.Println(a + b) }",
    ),
];

#[test]
fn a_program_reads_and_writes_in_every_language() {
    for (language, source) in SUMS {
        for (stdin, sum) in [("40 2", "42\n"), ("-5 4", "-1\n")] {
            let Some(outcome) = run(language, source, stdin) else { continue };
            let text = String::from_utf8_lossy(&outcome.stderr);
            assert_eq!(outcome.end, End::Exited { code: 0 }, "{language}: {text}");
            assert_eq!(String::from_utf8_lossy(&outcome.stdout), sum, "{language}");
            assert_eq!(outcome.tamper, [], "{language}");
        }
    }
}

#[test]
fn exit_statuses_and_failures_are_the_programs_own() {
    let cases = [
        (Language::C, "int main(void){return 7;}", End::Exited { code: 7 }),
        (
            Language::C,
            "#include <stdlib.h>\nint main(void){int *p=0; *(volatile int*)p=1; return 0;}",
            End::Signalled { signal: 11 },
        ),
        (Language::Cpp, "int main(){throw 1;}", End::Signalled { signal: 6 }),
        (Language::JavaScript, "process.exit(3)", End::Exited { code: 3 }),
        (
            Language::Java,
            "class A { public static void main(String[] x) { throw new RuntimeException(); } }",
            End::Exited { code: 1 },
        ),
        (Language::Go, "package main\nfunc main() { panic(1) }", End::Exited { code: 2 }),
    ];
    for (language, source, end) in cases {
        let Some(outcome) = run(language, source, "") else { continue };
        assert_eq!(outcome.end, end, "{language}: {}", String::from_utf8_lossy(&outcome.stderr));
    }
}

#[test]
fn what_a_compiler_rejects_comes_with_its_message() {
    let cases = [
        (Language::C, "int main(void){return x;}", "undeclared"),
        (Language::Cpp, "int main(){return x;}", "not declared"),
        (Language::Java, "class A { int f() { return x; } }", "cannot find symbol"),
        (Language::Go, "package main\nfunc main() { x }", "x"),
    ];
    for (language, source, part) in cases {
        let Some(outcome) = run(language, source, "") else { continue };
        let End::CompilerRejected { message } = outcome.end else { panic!("{language}: {:?}", outcome.end) };
        assert!(message.contains(part), "{language}: {message}");
    }
}

#[test]
fn loops_end_at_the_limit_in_every_language() {
    let cases = [
        (Language::C, "int main(void){for(volatile int i=0;;i++);}"),
        (Language::JavaScript, "for(;;);"),
        (Language::Java, "class A { public static void main(String[] x) { for(;;); } }"),
        (Language::Go, "package main\nfunc main() { for {} }"),
    ];
    for (language, source) in cases {
        let mut program = Program { language, source: source.as_bytes().to_vec(), ..Program::default() };
        program.limits.cpu = std::time::Duration::from_millis(500);
        match sandbox().run(&program) {
            Ok(outcome) => assert_eq!(outcome.end, End::CpuLimit, "{language}"),
            Err(SandboxError::NoToolchain { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
