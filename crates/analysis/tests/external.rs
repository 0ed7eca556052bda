//! Analysers of others on texts of ours, each where it is installed; the others are named as skipped.

#![expect(clippy::print_stdout, reason = "whoever reads the test's output sees what was left out")]

use std::path::Path;
use std::sync::OnceLock;

use codeward_analysis::Language;
use codeward_analysis::external::{
    Analyser, AnalyserFindings, External, ExternalError, Installed, RuleFile, SourceFile, agreement,
};
use codeward_records::{Cwe, Finding};
use codeward_sandbox::{Sandbox, Settings};

fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| Installed::find(std::env::var_os("PATH").as_deref()))
}

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let settings = Settings { workers: 2, shown: installed().shown().to_vec(), ..Settings::default() };
        Sandbox::start_with(&settings).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// An analyser that is installed. Installed and not working is a failure of this test.
fn open(analyser: Analyser) -> Option<External> {
    match External::open(analyser, installed(), sandbox()) {
        Ok(external) => Some(external),
        Err(ExternalError::NotInstalled { .. }) => {
            println!("skipped: {analyser} is not installed ({})", analyser.hint());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

type Answer = Result<Vec<Finding>, ExternalError>;

fn ask(external: &External, language: Language, sources: &[&str]) -> Vec<Answer> {
    let files: Vec<SourceFile<'_>> = sources.iter().map(|source| SourceFile { language, source }).collect();
    external.analyse(sandbox(), &files).expect("the sandbox works").files
}

const PYTHON: &str = "import subprocess\ndef f(name):\n    s = 'é'; subprocess.run('ls ' + name, shell=True)\n";
const C: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f(const char *s) {\n    char b[8];\n    /* é */ strcpy(b, s);\n    \
                 char *p = malloc(10);\n    if (!p) return 1;\n    free(p);\n    free(p);\n    int a[3] = {0, 0, 0};\n    a[3] = b[0];\n    printf(s);\n    return a[0];\n}\n";
const JAVASCRIPT: &str = "const { exec } = require('child_process');\nfunction f(x) {\n  const s = 'é𝄞'; eval(x);\n  require('child_process').exec('ls ' + x);\n}\n";
const CPP: &str = "#include <cstdio>\nint main() {\n    int *p = new int[3];\n    delete[] p;\n    return p[0];\n}\n";
const JAVA: &str =
    "class A {\n    void f(String x) throws Exception {\n        Runtime.getRuntime().exec(\"ls \" + x);\n    }\n}\n";
const GO: &str = "package main\n\nimport \"os/exec\"\n\nfunc f(x string) error {\n\treturn exec.Command(\"sh\", \"-c\", \"ls \"+x).Run()\n}\n";

/// Analyser, text, rule, the class that comes first, and what is marked.
const KNOWN: &[(Analyser, Language, &str, &str, u16, &str)] = &[
    (Analyser::Bandit, Language::Python, PYTHON, "bandit/B602", 78, "subprocess.run('ls ' + name, shell=True)"),
    (
        Analyser::Semgrep,
        Language::Python,
        PYTHON,
        "semgrep/python-shell",
        78,
        "subprocess.run('ls ' + name, shell=True)",
    ),
    (
        Analyser::Opengrep,
        Language::Python,
        PYTHON,
        "opengrep/python-shell",
        78,
        "subprocess.run('ls ' + name, shell=True)",
    ),
    (Analyser::Semgrep, Language::JavaScript, JAVASCRIPT, "semgrep/javascript-eval", 95, "eval(x)"),
    (
        Analyser::Semgrep,
        Language::JavaScript,
        JAVASCRIPT,
        "semgrep/javascript-shell",
        78,
        "require('child_process').exec('ls ' + x)",
    ),
    (Analyser::Semgrep, Language::Java, JAVA, "semgrep/java-shell", 78, "Runtime.getRuntime().exec(\"ls \" + x)"),
    (Analyser::Semgrep, Language::Go, GO, "semgrep/go-shell", 78, "exec.Command(\"sh\", \"-c\", \"ls \"+x)"),
    (Analyser::Semgrep, Language::C, C, "semgrep/c-unbounded-copy", 120, "strcpy(b, s)"),
    (Analyser::Semgrep, Language::C, C, "semgrep/c-format", 134, "printf(s)"),
    (Analyser::Cppcheck, Language::C, C, "cppcheck/doubleFree", 415, "free"),
    (Analyser::Cppcheck, Language::C, C, "cppcheck/arrayIndexOutOfBounds", 787, "["),
    (Analyser::Flawfinder, Language::C, C, "flawfinder/FF1001", 120, "strcpy"),
    (Analyser::Flawfinder, Language::C, C, "flawfinder/FF1016", 134, "printf"),
    (Analyser::Flawfinder, Language::Cpp, C, "flawfinder/FF1001", 120, "strcpy"),
    (Analyser::Gcc, Language::C, C, "gcc/-Wanalyzer-double-free", 415, "free(p)"),
    (Analyser::Gcc, Language::C, C, "gcc/-Wformat-security", 134, "printf"),
    (Analyser::ClangTidy, Language::C, C, "clang-tidy/clang-analyzer-unix.Malloc", 416, "free"),
    (Analyser::ClangTidy, Language::Cpp, CPP, "clang-tidy/clang-analyzer-cplusplus.NewDelete", 416, "p"),
    (Analyser::Eslint, Language::JavaScript, JAVASCRIPT, "eslint/detect-eval-with-expression", 95, "eval(x)"),
    (
        Analyser::Eslint,
        Language::JavaScript,
        JAVASCRIPT,
        "eslint/detect-child-process",
        78,
        "require('child_process').exec('ls ' + x)",
    ),
];

#[test]
fn each_finds_what_it_is_known_to_find_where_it_is() {
    for analyser in Analyser::ALL {
        let known = KNOWN.iter().filter(|row| row.0 == analyser);
        let Some(external) = open(analyser) else { continue };
        for (_, language, source, rule, class, marked) in known {
            let findings = ask(&external, *language, &[source]).remove(0).unwrap_or_else(|error| panic!("{error}"));
            let found = findings
                .iter()
                .find(|finding| finding.rule == *rule && &source[finding.start_byte..finding.end_byte] == *marked);
            let found = found.unwrap_or_else(|| panic!("{analyser} {language} {rule}: {findings:#?}"));
            assert_eq!(found.cwe.first(), Some(&Cwe(*class)), "{rule}");
            let before = &source[..found.start_byte];
            assert_eq!(found.line, before.lines().count().max(1) + usize::from(before.ends_with('\n')), "{rule}");
            assert!(!found.message.is_empty());
        }
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let sound = [
        (Language::Python, "def add(a, b):\n    return a + b\n"),
        (Language::JavaScript, "function add(a, b) { return a + b; }\n"),
        (Language::Java, "class A { int add(int a, int b) { return a + b; } }\n"),
        (Language::Go, "package main\n\nfunc add(a, b int) int { return a + b }\n"),
        (Language::C, "int add(int a, int b) { return a + b; }\n"),
        (Language::Cpp, "int add(int a, int b) { return a + b; }\n"),
    ];
    for external in Analyser::ALL.into_iter().filter_map(open) {
        for (language, source) in sound {
            if external.analyser().languages().contains(&language) && external.analyser() != Analyser::Codeql {
                assert_eq!(ask(&external, language, &[source]), [Ok(vec![])], "{} {language}", external.analyser());
            }
        }
    }
}

/// Texts that ask to be let off, and what must be found all the same.
#[test]
fn texts_cannot_ask_analysers_to_look_away() {
    let c = |line: &str| C.replace("    free(p);\n    free(p);", &format!("    free(p);\n    free(p); {line}"));
    let above = |text: &str| format!("{text}\n{C}");
    let cases = [
        (Analyser::Bandit, Language::Python, PYTHON.replace("True)", "True)  # nosec"), "bandit/B602"),
        (Analyser::Bandit, Language::Python, PYTHON.replace("True)", "True)  # nosec B602"), "bandit/B602"),
        (Analyser::Semgrep, Language::Python, PYTHON.replace("True)", "True)  # nosemgrep"), "semgrep/python-shell"),
        (Analyser::Opengrep, Language::Python, PYTHON.replace("True)", "True)  # nosem"), "opengrep/python-shell"),
        (
            Analyser::Flawfinder,
            Language::C,
            C.replace("s);\n    char", "s); // Flawfinder: ignore\n    char"),
            "flawfinder/FF1001",
        ),
        (Analyser::Cppcheck, Language::C, c("// cppcheck-suppress doubleFree"), "cppcheck/doubleFree"),
        (Analyser::Cppcheck, Language::C, above("#line 100 \"/usr/include/x.h\""), "cppcheck/doubleFree"),
        (Analyser::ClangTidy, Language::C, c("// NOLINT"), "clang-tidy/clang-analyzer-unix.Malloc"),
        (Analyser::ClangTidy, Language::C, above("// NOLINTBEGIN"), "clang-tidy/clang-analyzer-unix.Malloc"),
        (
            Analyser::ClangTidy,
            Language::C,
            above("#pragma clang system_header"),
            "clang-tidy/clang-analyzer-unix.Malloc",
        ),
        (Analyser::ClangTidy, Language::C, above("# 1 \"x.h\" 3"), "clang-tidy/clang-analyzer-unix.Malloc"),
        (
            Analyser::ClangTidy,
            Language::C,
            format!("#ifdef __clang_analyzer__\n#error no\n#endif\n{C}"),
            "clang-tidy/clang-analyzer-unix.Malloc",
        ),
        (
            Analyser::Gcc,
            Language::C,
            above("#pragma GCC diagnostic ignored \"-Wanalyzer-double-free\""),
            "gcc/-Wanalyzer-double-free",
        ),
        (Analyser::Gcc, Language::C, above("#pra\\\ngma GCC system_header"), "gcc/-Wanalyzer-double-free"),
        (
            Analyser::Gcc,
            Language::C,
            above("_Pragma(\"GCC diagnostic ignored \\\"-Wanalyzer-double-free\\\"\")"),
            "gcc/-Wanalyzer-double-free",
        ),
        (Analyser::Gcc, Language::C, above("#line 1 \"/usr/include/x.h\""), "gcc/-Wanalyzer-double-free"),
        (
            Analyser::Eslint,
            Language::JavaScript,
            format!("/* eslint-disable */\n{JAVASCRIPT}"),
            "eslint/detect-eval-with-expression",
        ),
        (
            Analyser::Eslint,
            Language::JavaScript,
            JAVASCRIPT.replace("eval(x);", "eval(x); // eslint-disable-line"),
            "eslint/detect-eval-with-expression",
        ),
    ];
    for (analyser, language, source, rule) in cases {
        let Some(external) = open(analyser) else { continue };
        let findings =
            ask(&external, language, &[&source]).remove(0).unwrap_or_else(|error| panic!("{error}\n{source}"));
        assert!(findings.iter().any(|finding| finding.rule == rule), "{analyser}: {source}\n{findings:#?}");
    }
}

#[test]
fn what_cannot_be_read_is_not_clean() {
    let broken = [
        (Analyser::Bandit, Language::Python, "def f(:\n"),
        (Analyser::Semgrep, Language::Python, "class ][ eval(x)\n  % {{{\n"),
        (Analyser::Opengrep, Language::Python, "class ][ eval(x)\n  % {{{\n"),
        (Analyser::Semgrep, Language::Go, "package main\nfunc f( {{{ exec.Command(\"sh\", \"-c\", x)\n"),
        (Analyser::Cppcheck, Language::C, "int f( { ) return }}}\n"),
        (Analyser::Gcc, Language::C, "int f( { ) return }}}\n"),
        (Analyser::Gcc, Language::C, "#include \"missing.h\"\nint f(void) { return 0; }\n"),
        (Analyser::ClangTidy, Language::C, "int f( { ) return }}}\n"),
        (Analyser::Eslint, Language::JavaScript, "function f( {\n"),
    ];
    for (analyser, language, source) in broken {
        let Some(external) = open(analyser) else { continue };
        let sound = ["x = 1\n", "int x;\n", "package main\n", "var x;\n"];
        let sound = match language {
            Language::Python => sound[0],
            Language::Go => sound[2],
            Language::JavaScript => sound[3],
            _ => sound[1],
        };
        let answers = ask(&external, language, &[sound, source, sound]);
        assert!(matches!(answers[1], Err(ExternalError::NotRead { .. })), "{analyser} {language}: {:?}", answers[1]);
        // Its neighbours in the batch are read.
        assert_eq!((&answers[0], &answers[2]), (&Ok(vec![]), &Ok(vec![])), "{analyser}");
    }
}

#[test]
fn a_file_that_stalls_or_crashes_an_analyser_is_that_files_own_error() {
    let tower = "#define A B B B B\n#define B C C C C\n#define C D D D D\n#define D E E E E\n#define E F F F F\n#define F G G G G\n#define G H H H H\n\
                 #define H I I I I\n#define I J J J J\n#define J K K K K\n#define K L L L L\n#define L x x x x\nint main(){ A }\n";
    let nested = format!("x = {}1{}\n", "(".repeat(30_000), ")".repeat(30_000));
    let nested_script = nested.replacen('x', "var x", 1);
    let endless = "#include __FILE__\nint main(){}\n";
    let cases = [
        (Analyser::Gcc, Language::C, tower, C),
        (Analyser::Gcc, Language::C, endless, C),
        (Analyser::ClangTidy, Language::C, endless, C),
        (Analyser::Bandit, Language::Python, nested.as_str(), PYTHON),
        (Analyser::Eslint, Language::JavaScript, nested_script.as_str(), JAVASCRIPT),
    ];
    for (analyser, language, hostile, ordinary) in cases {
        let Some(external) = open(analyser) else { continue };
        let answers = ask(&external, language, &[hostile, ordinary]);
        let error = answers[0].as_ref().expect_err("it cannot have been read");
        assert!(["not_read", "over_limit", "crashed"].contains(&error.kind()), "{analyser}: {error}");
        assert!(answers[1].as_ref().is_ok_and(|findings| !findings.is_empty()), "{analyser}: {:?}", answers[1]);
    }
}

#[test]
fn a_file_reaches_neither_the_host_nor_its_neighbours() {
    for (analyser, path) in [Analyser::Gcc, Analyser::ClangTidy]
        .into_iter()
        .flat_map(|one| ["/etc/shadow", "/root/.bashrc", "/proc/self/environ", "/srv"].map(|path| (one, path)))
    {
        let Some(external) = open(analyser) else { continue };
        let source = format!("#include \"{path}\"\nint x;\n");
        let answer = ask(&external, Language::C, &[&source]).remove(0);
        assert!(matches!(answer, Err(ExternalError::NotRead { .. })), "{answer:?}");
    }
    // A class of the same name in two files is no mistake of either.
    let Some(external) = open(Analyser::Cppcheck) else { return };
    let classes = [
        "struct A { int x; };\nint f(A a) { return a.x; }\n",
        "struct A { char y[4]; long z; };\nlong g(A a) { return a.z; }\n",
    ];
    assert_eq!(ask(&external, Language::Cpp, &classes), [Ok(vec![]), Ok(vec![])]);
}

#[test]
fn what_was_said_of_a_text_is_remembered() {
    let Some(external) = open(Analyser::Flawfinder) else { return };
    let other = format!("{C}\nint y;\n");
    let file = |source| SourceFile { language: Language::C, source };
    let first = external.analyse(sandbox(), &[file(C), file(&other), file(C)]).unwrap();
    assert_eq!((first.num_runs, first.num_remembered), (1, 0));
    assert_eq!(first.files[0], first.files[2]);
    let second = external.analyse(sandbox(), &[file(&other), file(C)]).unwrap();
    assert_eq!((second.num_runs, second.num_remembered, second.wall.as_nanos()), (0, 2, 0));
    assert_eq!(second.files[1], first.files[0]);
    // The same text in another language is another question.
    let third = external.analyse(sandbox(), &[SourceFile { language: Language::Cpp, source: C }]).unwrap();
    assert_eq!((third.num_runs, third.num_remembered), (1, 0));
}

#[test]
fn many_files_are_one_run() {
    let Some(external) = open(Analyser::Bandit) else { return };
    let sources: Vec<String> = (0..130).map(|number| format!("password_{number} = 1\neval(input())\n")).collect();
    let files: Vec<_> = sources.iter().map(|source| SourceFile { language: Language::Python, source }).collect();
    let batch = external.analyse(sandbox(), &files).unwrap();
    assert_eq!(batch.num_runs, 2);
    assert!(batch.files.iter().all(|answer| answer.as_ref().is_ok_and(|findings| findings[0].rule == "bandit/B307")));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let Some(external) = open(Analyser::Cppcheck) else { return };
    let answer = ask(&external, Language::Python, &["x = 1\n"]).remove(0);
    assert!(matches!(answer, Err(ExternalError::OtherLanguage { .. })));
    let large = " ".repeat((256 << 10) + 1);
    assert!(matches!(ask(&external, Language::C, &[&large]).remove(0), Err(ExternalError::TooLarge { .. })));
    let nowhere = External::open(Analyser::Cppcheck, &Installed::default(), sandbox());
    assert!(matches!(nowhere, Err(ExternalError::NotInstalled { .. })));
    assert_eq!(external.analyse(sandbox(), &[]).unwrap().files.len(), 0);
}

#[test]
fn a_program_that_only_bears_the_name_does_not_work() {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy("/bin/true", bin.join("cppcheck")).unwrap();
    std::fs::copy("/bin/false", bin.join("gcc")).unwrap();
    let installed = Installed::find(Some(bin.as_os_str()));
    let settings = Settings { shown: installed.shown().to_vec(), ..Settings::default() };
    let sandbox = Sandbox::start_with(&settings).unwrap();
    let error = External::open(Analyser::Gcc, &installed, &sandbox).unwrap_err();
    assert!(matches!(error, ExternalError::NotWorking { .. }), "{error}");
    assert!(error.hint().is_some());
    // This one says a version, and then nothing of any file.
    let cppcheck = External::open(Analyser::Cppcheck, &installed, &sandbox).unwrap();
    let batch = cppcheck.analyse(&sandbox, &[SourceFile { language: Language::Cpp, source: CPP }]).unwrap();
    assert!(batch.files[0].is_ok());
    // One that is found and not shown is not there inside.
    let unshown = Sandbox::start(1).unwrap();
    assert!(matches!(External::open(Analyser::Cppcheck, &installed, &unshown), Err(ExternalError::NotWorking { .. })));
}

#[test]
fn rules_from_files_are_used_instead() {
    let rules = |text: &str| vec![RuleFile { name: "mine.yaml".to_owned(), text: text.to_owned() }];
    let mine = "rules:\n  - id: mine\n    languages: [python]\n    severity: INFO\n    message: found\n    metadata: {cwe: \"CWE-22: Path\"}\n    pattern: open(...)\n";
    for analyser in [Analyser::Semgrep, Analyser::Opengrep] {
        let Some(external) = open(analyser) else { continue };
        let external = external.with_rules(rules(mine));
        let findings = ask(&external, Language::Python, &["open(x)\neval(x)\n"]).remove(0).unwrap();
        let seen: Vec<_> = findings.iter().map(|one| (one.rule.clone(), one.cwe.clone())).collect();
        assert_eq!(seen, [(format!("{analyser}/mine"), vec![Cwe(22)])]);
        let broken = open(analyser).unwrap().with_rules(rules("rules:\n  - id: mine\n    pattern: (((\n"));
        assert!(ask(&broken, Language::Python, &["open(x)\n"]).remove(0).is_err());
    }
}

#[test]
fn findings_of_several_are_compared() {
    let asked: Vec<_> =
        [Analyser::Cppcheck, Analyser::Flawfinder, Analyser::Gcc].into_iter().filter_map(open).collect();
    if asked.len() < 3 {
        return;
    }
    let answers: Vec<Vec<Answer>> = asked.iter().map(|external| ask(external, Language::C, &[C])).collect();
    let table = agreement(
        &asked
            .iter()
            .zip(&answers)
            .map(|(external, files)| AnalyserFindings {
                analyser: external.analyser().name(),
                files: files.iter().map(|file| file.as_deref().ok()).collect(),
            })
            .collect::<Vec<_>>(),
    );
    let row = |class| table.rows.iter().find(|row| row.cwe == Some(Cwe(class))).map(|row| row.found.clone());
    assert_eq!(row(415), Some(vec![1, 0, 1]), "{table}");
    assert_eq!(row(134), Some(vec![0, 1, 1]), "{table}");
}
