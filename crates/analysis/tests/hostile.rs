//! Hostile text of every language neither crashes nor stalls the analyser, and hides nothing from it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use codeward_analysis::{Analysis, AnalysisError, Language, MAX_BYTES, State, analyse};

#[path = "../examples/fuzz_analysis/checks.rs"]
mod checks;
#[path = "../examples/fuzz_analysis/hostile.rs"]
mod hostile;

use hostile::hostile;

/// What a thread has that nobody asked for more.
const STACK: usize = 2 << 20;

/// Far more than any of these needs without optimisation on a busy machine: what takes longer grows without end.
const LIMIT: Duration = Duration::from_secs(20);

/// Analyses on a thread with an ordinary stack.
fn analyse_on_thread(language: Language, text: String) -> Result<Analysis, AnalysisError> {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let answer = analyse(language, &text);
        if let Ok(analysis) = &answer {
            checks::spans(&text, analysis).unwrap_or_else(|reason| panic!("{language}: {reason}"));
        }
        answer
    });
    thread.expect("a thread can be started").join().expect("the analysis came back")
}

fn check_all(language: Language, count: usize) {
    for case in hostile(language, count) {
        let started = Instant::now();
        let answer = analyse_on_thread(language, case.text);
        let spent = started.elapsed();
        assert!(spent < LIMIT, "{language}, {}: {spent:?}", case.name);
        if let Err(error) = answer {
            let is_limit = matches!(
                error,
                AnalysisError::TooLarge { .. } | AnalysisError::TooComplex { .. } | AnalysisError::ParseDeadline { .. }
            );
            assert!(is_limit, "{language}, {}: {error}", case.name);
        }
    }
}

#[test]
fn five_thousand_of_anything_come_back_on_an_ordinary_stack() {
    for language in Language::ALL {
        check_all(language, 5_000);
    }
}

#[test]
fn ordinary_depths_come_back_too() {
    for language in Language::ALL {
        check_all(language, 40);
        check_all(language, 600);
    }
}

#[test]
fn a_literal_of_a_megabyte_is_too_large_and_not_clean() {
    for language in Language::ALL {
        let text = format!("x = \"{}\";\n", "a".repeat(1 << 20));
        let expected = AnalysisError::TooLarge { bytes: text.len(), limit: MAX_BYTES };
        assert_eq!(analyse(language, &text), Err(expected), "{language}");
        let numbers = format!("x = [{}];\n", "0, ".repeat(1 << 19));
        assert!(matches!(analyse(language, &numbers), Err(AnalysisError::TooLarge { .. })), "{language}");
    }
}

/// A text that runs a command from outside, cut where a statement may be put before it.
fn weak(language: Language) -> [&'static str; 2] {
    match language {
        Language::Python => ["import os\ndef f(name):\n    ", "os.system('ls ' + name)\n"],
        Language::JavaScript | Language::TypeScript => [
            "const cp = require('child_process');\nfunction f(req, res) {\n  ",
            "cp.exec('ls ' + req.query.name);\n}\n",
        ],
        Language::Java => [
            "import javax.servlet.http.*;\nclass A extends HttpServlet {\n  public void doGet(HttpServletRequest q, HttpServletResponse r) throws java.io.IOException {\n    ",
            "Runtime.getRuntime().exec(\"ls \" + q.getParameter(\"name\"));\n  }\n}\n",
        ],
        Language::Go => [
            "package a\nimport (\n\t\"net/http\"\n\t\"os/exec\"\n)\nfunc f(w http.ResponseWriter, r *http.Request) {\n\t",
            "exec.Command(\"sh\", \"-c\", \"ls \" + r.FormValue(\"name\")).Run()\n}\n",
        ],
        Language::C | Language::Cpp => [
            "#include <stdio.h>\n#include <stdlib.h>\nint main(int argc, char **argv) {\n    char command[300];\n    ",
            "snprintf(command, sizeof command, \"ls %s\", argv[1]);\n    return system(command);\n}\n",
        ],
    }
}

/// A statement that does nothing and holds some text in a string, and a comment that holds it.
fn carriers(language: Language, text: &str) -> [String; 2] {
    match language {
        Language::Python => [format!("x = '{text}'\n    "), format!("# {text}\n    ")],
        Language::JavaScript | Language::TypeScript => [format!("let x = '{text}';\n  "), format!("/* {text} */\n  ")],
        Language::Java => [format!("String x = \"{text}\";\n    "), format!("/* {text} */\n    ")],
        Language::Go => [format!("_ = \"{text}\"\n\t"), format!("// {text}\n\t")],
        Language::C | Language::Cpp => [format!("const char *x = \"{text}\";\n    "), format!("/* {text} */\n    ")],
    }
}

/// What is found of injection into commands: class 78 or its parent.
fn finds_command(analysis: &Analysis) -> bool {
    analysis.findings.iter().any(|finding| finding.cwe.iter().any(|cwe| matches!(cwe.0, 77 | 78)))
}

#[test]
fn strange_characters_hide_nothing() {
    // The end of text for a careless reader, marks that turn the direction of what is shown, blanks that are none, a mark of
    // byte order, a form feed, letters beyond the first plane, and what stands for bytes that were no text.
    let strange =
        ["\0", "\u{202e}", "\u{2066}\u{2069}", "\u{200b}", "\u{feff}", "\u{c}", "\u{1f980}", "\u{fffd}", "\u{1}"];
    for language in Language::ALL {
        let [before, after] = weak(language);
        let plain = analyse(language, &format!("{before}{after}")).expect("a small text");
        assert!(finds_command(&plain) && plain.state() == State::Findings, "{language}: {plain:?}");
        for text in strange {
            for carrier in carriers(language, text) {
                let whole = format!("{before}{carrier}{after}");
                let analysis = analyse(language, &whole).expect("a small text");
                checks::spans(&whole, &analysis).unwrap_or_else(|reason| panic!("{language}: {reason}"));
                let is_noticed = finds_command(&analysis) || analysis.state() == State::NotParseable;
                assert!(is_noticed, "{language}: {text:?} hides what follows it: {analysis:?}");
            }
            // Where it may not stand at all the text may be refused, but not called clean.
            let analysis = analyse(language, &format!("{text}{before}{text}{after}")).expect("a small text");
            assert!(!matches!(analysis.state(), State::Clean | State::Nothing), "{language}: {text:?}: {analysis:?}");
        }
    }
}

#[test]
fn text_after_a_nul_is_read_or_refused() {
    for language in Language::ALL {
        let [before, after] = weak(language);
        let analysis = analyse(language, &format!("\0{before}{after}")).expect("a small text");
        assert!(finds_command(&analysis) || analysis.state() == State::NotParseable, "{language}: {analysis:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced_by_the_caller_and_then_read() {
    for language in Language::ALL {
        let [before, after] = weak(language);
        for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"] {
            let carrier = carriers(language, "@");
            let (head, tail) = carrier[1].split_once('@').expect("it is there");
            let whole = [before.as_bytes(), head.as_bytes(), bytes, tail.as_bytes(), after.as_bytes()].concat();
            assert!(std::str::from_utf8(&whole).is_err());
            let text = String::from_utf8_lossy(&whole).into_owned();
            let analysis = analyse(language, &text).expect("a small text");
            checks::spans(&text, &analysis).unwrap_or_else(|reason| panic!("{language}: {reason}"));
            assert!(finds_command(&analysis), "{language}: {bytes:?}: {analysis:?}");
        }
    }
}

#[test]
fn the_same_text_has_the_same_findings() {
    for language in Language::ALL {
        for case in hostile(language, 200) {
            assert_eq!(analyse(language, &case.text), analyse(language, &case.text), "{language}, {}", case.name);
        }
    }
}

/// What the fuzzers found: a value that is known from elsewhere is not as long where it is used as its text is.
#[test]
fn spans_end_where_characters_end() {
    let texts = [(
        Language::Python,
        "import subprocess\nPROGRAM = 'convert'\ndef f():\n    subprocess.run([PROGRAM, 'éééééééé'])\n    subprocess.run([PROGRAM, 'xéééééé'])\n",
    )];
    for (language, text) in texts {
        let analysis = analyse(language, text).expect("a small text");
        checks::spans(text, &analysis).unwrap_or_else(|reason| panic!("{language}: {reason}"));
        assert!(analysis.findings.iter().any(|finding| finding.rule == "py/relative-program"), "{analysis:?}");
    }
}

/// Texts that the fuzzers kept because each reaches something that no smaller one does.
#[test]
fn what_the_fuzzers_kept_is_read_within_its_limits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for language in Language::ALL {
        let files = fs::read_dir(folder.join(language.name())).expect("every language has a corpus");
        let mut num_files = 0;
        for file in files {
            let bytes = fs::read(file.expect("it can be listed").path()).expect("it can be read");
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(analysis) = analyse(language, &text) {
                checks::spans(&text, &analysis).unwrap_or_else(|reason| panic!("{language}: {reason}: {text:?}"));
            }
            num_files += 1;
        }
        assert!(num_files >= 20, "{language}: {num_files}");
    }
}
