//! `codeward scan` and `codeward explain` as scripts and people meet them.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const WEAK: &str = "import os\n\n\ndef ping(host):\n\tline = \"漢字 \" + host\n\tos.system(line)\n";
const CLEAN: &str = "def double(x):\n    return 2 * x\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn codeward(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_codeward"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Exit code, standard output and standard error of a scan in a folder.
fn scan(folder: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let output = codeward(folder.path(), &[&["scan"], arguments].concat(), "");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Path, state and rule code of each row.
fn rows(folder: &TempDir, arguments: &[&str]) -> Vec<(String, String, Option<String>)> {
    let (_, stdout, stderr) = scan(folder, &[arguments, &["--format", "json"]].concat());
    let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rows.iter().map(|row| (text(&row["path"]).unwrap(), text(&row["state"]).unwrap(), text(&row["code"]))).collect()
}

fn paths(folder: &TempDir, arguments: &[&str]) -> Vec<String> {
    rows(folder, arguments).into_iter().map(|(path, ..)| path).collect()
}

/// One file in each state that does not need a defect.
fn states() -> TempDir {
    let large = "x = 1\n".repeat(20_000);
    let folder = folder(&[
        ("a.py", WEAK),
        ("b.py", CLEAN),
        ("c.py", "def f(:\n    pass\n"),
        ("d.py", "# nothing\n"),
        ("e.py", &large),
        ("f.py", ""),
    ]);
    fs::write(folder.path().join("f.py"), b"x = '\xff'\n").unwrap();
    folder
}

#[test]
fn findings_are_shown_with_the_code_and_on_request_with_their_way() {
    let folder = folder(&[("a.py", WEAK), ("b.py", CLEAN)]);
    let (status, stdout, stderr) = scan(&folder, &["."]);
    assert_eq!((status, stderr.as_str()), (1, ""));
    insta::assert_snapshot!("text", stdout);
    let (status, stdout, _) = scan(&folder, &["a.py", "--trace"]);
    assert_eq!(status, 1);
    insta::assert_snapshot!("trace", stdout);
}

#[test]
fn states_differ_in_text() {
    let (status, stdout, stderr) = scan(&states(), &["."]);
    assert_eq!(status, 2);
    insta::assert_snapshot!("states", stdout);
    assert_eq!(
        stderr,
        "error: 3 of 6 files could not be judged\nhint: leave them out with `exclude` in codeward.toml, or let them pass with --allow-unreadable\n"
    );
}

#[test]
fn states_differ_in_json() {
    let row =
        |path: &str, state: &str, code: Option<&str>| (path.to_owned(), state.to_owned(), code.map(str::to_owned));
    assert_eq!(
        rows(&states(), &["."]),
        [
            row("a.py", "findings", Some("CW-PY-078-1")),
            row("c.py", "not_parseable", None),
            row("d.py", "nothing", None),
            row("e.py", "too_large", None),
            row("f.py", "unreadable", None),
        ]
    );
}

#[test]
fn states_differ_in_sarif() {
    let (status, stdout, _) = scan(&states(), &[".", "--format", "sarif"]);
    assert_eq!(status, 2);
    let log: Value = serde_json::from_str(&stdout).unwrap();
    let run = &log["runs"][0];
    let of = |artifact: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!("{} {}", text(&artifact["location"]["uri"]), text(&artifact["properties"]["state"]))
    };
    let artifacts: Vec<_> = run["artifacts"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(
        artifacts,
        ["a.py findings", "b.py clean", "c.py not_parseable", "d.py nothing", "e.py too_large", "f.py unreadable"]
    );
    assert_eq!(run["results"][0]["ruleId"], "CW-PY-078-1");
    assert_eq!(run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap().len(), 3);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len(), 3);
}

#[test]
fn one_file_that_cannot_be_judged_decides_the_exit_code_unless_it_may_pass() {
    let folder = states();
    for (arguments, status) in [
        (vec!["b.py"], 0),
        (vec!["b.py", "d.py"], 0),
        (vec!["a.py", "b.py"], 1),
        (vec!["c.py"], 2),
        (vec!["b.py", "nowhere.py"], 2),
        (vec!["a.py", "e.py"], 2),
        (vec!["a.py", "e.py", "--allow-unreadable"], 1),
        (vec!["b.py", "c.py", "e.py", "f.py", "--allow-unreadable"], 0),
        (vec![".", "--ignore", "CW-PY", "--allow-unreadable"], 0),
    ] {
        assert_eq!(scan(&folder, &arguments).0, status, "{arguments:?}");
    }
    let (_, stdout, _) = scan(&folder, &["nowhere.py", "a.py"]);
    assert!(
        stdout.starts_with("nowhere.py: not readable: No such file") && stdout.contains("\na.py:6:12: "),
        "{stdout}"
    );
}

#[test]
fn a_folder_without_a_file_to_read_is_an_error_and_not_clean() {
    let folder = folder(&[("README.md", "# nothing\n")]);
    let (status, stdout, stderr) = scan(&folder, &["."]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: .: no file to scan\nhint: "), "{stderr}");
    let (status, stdout, _) = scan(&folder, &["README.md"]);
    assert_eq!(status, 2);
    assert!(stdout.contains("README.md: not readable: its name does not say which language it is in"), "{stdout}");
}

#[test]
fn folders_are_read_in_order_without_what_git_ignores() {
    let folder = folder(&[
        (".gitignore", "build/\n"),
        (".ignore", "z.py\n"),
        ("b/two.py", WEAK),
        ("b/one.py", WEAK),
        ("a.py", WEAK),
        ("z.py", WEAK),
        ("build/x.py", WEAK),
        (".hidden/h.py", WEAK),
        ("notes.txt", "eval(input())\n"),
    ]);
    assert_eq!(paths(&folder, &["."]), ["a.py", "b/one.py", "b/two.py"]);
    // In the order of the arguments, and each file once.
    assert_eq!(paths(&folder, &["b/two.py", ".", "./a.py"]), ["b/two.py", "a.py", "b/one.py"]);
    assert_eq!(
        paths(&folder, &[".", "--all-files"]),
        [".hidden/h.py", "a.py", "b/one.py", "b/two.py", "build/x.py", "z.py"]
    );
    // What is named is read.
    assert_eq!(paths(&folder, &["z.py", "build/x.py"]), ["z.py", "build/x.py"]);
    assert_eq!(scan(&folder, &["notes.txt", "--language", "python"]).0, 1);
}

#[test]
fn many_files_give_the_same_output_every_time() {
    let names: Vec<String> = (0..60).map(|number| format!("f{number:02}.py")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), WEAK)).collect();
    let folder = folder(&files);
    let first = scan(&folder, &["."]);
    assert_eq!(first, scan(&folder, &["."]));
    assert_eq!(paths(&folder, &["."]), names);
}

#[test]
fn rules_are_selected_by_code_name_beginning_class_severity_and_confidence() {
    let folder =
        folder(&[("a.py", "import os, hashlib\ndef f(x):\n    os.system('ls ' + x)\n    return hashlib.md5(x)\n")]);
    let codes = |arguments: &[&str]| -> Vec<String> {
        let rows = rows(&folder, &[&["a.py"], arguments].concat());
        rows.into_iter().filter_map(|(.., code)| code).collect()
    };
    let (both, shell, hash): (&[&str], &[&str], &[&str]) =
        (&["CW-PY-078-1", "CW-PY-328-2"], &["CW-PY-078-1"], &["CW-PY-328-2"]);
    for (arguments, expected) in [
        (vec![], both),
        (vec!["--select", "CW-PY-078-1"], shell),
        (vec!["--select", "py/weak-hash"], hash),
        (vec!["--select", "py/shell"], shell),
        (vec!["--select", "cwe-78,CWE-327"], both),
        (vec!["--select", "py", "--ignore", "CWE-78"], hash),
        (vec!["--ignore", "CW-PY-328"], shell),
        (vec!["--severity", "high"], shell),
        (vec!["--severity", "medium"], both),
        (vec!["--select", "CWE-89"], &[]),
    ] {
        assert_eq!(codes(&arguments), expected, "{arguments:?}");
    }
    let (status, stdout, stderr) = scan(&folder, &["a.py", "--select", "py/weak-hush"]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with("error: --select: no rule is called \"py/weak-hush\"; did you mean py/weak-hash?\nhint: "),
        "{stderr}"
    );
}

#[test]
fn the_nearest_configuration_counts_and_options_replace_its_keys() {
    let configuration = "ignore = [\"CWE-328\"]\nexclude = [\"vendor/\", \"*_gen.py\"]\n\n[per_path_ignore]\n\"tests/\" = [\"py/shell-command\"]\n";
    let weak = "import os, hashlib\ndef f(x):\n    os.system('ls ' + x)\n    return hashlib.md5(x)\n";
    let folder = folder(&[
        ("codeward.toml", configuration),
        ("src/a.py", weak),
        ("src/a_gen.py", weak),
        ("src/vendor/v.py", weak),
        ("tests/t.py", weak),
    ]);
    let found = |arguments: &[&str]| -> Vec<String> {
        rows(&folder, arguments)
            .into_iter()
            .map(|(path, _, code)| format!("{path} {}", code.unwrap_or_default()))
            .collect()
    };
    assert_eq!(found(&["."]), ["src/a.py CW-PY-078-1"]);
    assert_eq!(found(&["src"]), ["src/a.py CW-PY-078-1"], "found above");
    assert_eq!(found(&["src/vendor/v.py", "tests/t.py"]), ["src/vendor/v.py CW-PY-078-1"], "named, so not excluded");
    assert_eq!(found(&[".", "--ignore", "CWE-78"]), ["src/a.py CW-PY-328-2", "tests/t.py CW-PY-328-2"]);
    assert_eq!(found(&[".", "--no-config"]).len(), 8);
    assert!(scan(&folder, &["src"]).2.starts_with("note: configured by codeward.toml\n"));
    fs::write(folder.path().join("mine.toml"), "severity = \"high\"\n").unwrap();
    assert_eq!(found(&["src/a.py", "--config", "mine.toml"]), ["src/a.py CW-PY-078-1"]);
}

#[test]
fn a_wrong_configuration_is_named_with_its_place() {
    for (text, error) in [
        ("\nselected = []\n", "codeward.toml:2: unknown field `selected`, expected one of `select`, "),
        ("severity = \"huge\"\n", "codeward.toml:1: unknown variant `huge`, expected one of `low`, `medium`, `high`"),
        ("select = [\"CWE-9999\"]\n", "codeward.toml: select: no rule is called \"CWE-9999\""),
        ("exclude = [\"a{b\"]\n", "codeward.toml: exclude: \"a{b\": "),
        ("select = 3\n", "codeward.toml:1: "),
        ("select = [\n", "codeward.toml:"),
    ] {
        let folder = folder(&[("codeward.toml", text), ("a.py", WEAK)]);
        let (status, stdout, stderr) = scan(&folder, &["a.py"]);
        assert_eq!((status, stdout.as_str()), (2, ""), "{text}");
        assert!(stderr.starts_with(&format!("error: {error}")) && stderr.contains("\nhint: "), "{stderr}");
    }
}

#[test]
fn comments_that_ask_for_silence_have_no_effect() {
    let asking = WEAK.replace("(line)", "(line)  # nosec # noqa: S605 # codeward: ignore");
    let folder = folder(&[("a.py", WEAK), ("b.py", &asking)]);
    let of = |path: &str| rows(&folder, &[path]).into_iter().map(|(.., code)| code).collect::<Vec<_>>();
    assert_eq!(of("a.py"), of("b.py"));
    assert!(scan(&folder, &["--help"]).1.contains("(nosec, noqa, NOLINT, eslint-disable) have no effect"));
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let folder = folder(&[("a\u{1b}[31m.py", "import os\ndef f(x):\n    os.system('\u{1b}[2J\u{202e}' + x)\n")]);
    let (status, stdout, _) = scan(&folder, &[".", "--trace"]);
    assert_eq!(status, 1);
    assert!(!stdout.contains(['\u{1b}', '\u{202e}']), "{stdout:?}");
    assert!(stdout.contains("<U+001B>[2J<U+202E>"), "{stdout}");
}

#[test]
fn standard_input_takes_a_language() {
    let folder = folder(&[]);
    let output = codeward(folder.path(), &["scan", "-", "--format", "json"], WEAK);
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((rows[0]["path"].as_str(), rows[0]["language"].as_str()), (Some("-"), Some("python")));
    let output = codeward(folder.path(), &["scan", "-", "--language", "cobol"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("one of python, javascript, typescript, java, go, c, cpp")
    );
}

#[test]
fn explain_shows_a_rule_and_lists_a_class() {
    let folder = folder(&[]);
    let explain = |words: &[&str]| codeward(folder.path(), &[&["explain"], words].concat(), "");
    let text = |output: Output| String::from_utf8(output.stdout).unwrap();
    insta::assert_snapshot!("explain", text(explain(&["CW-PY-089-1"])));
    assert_eq!(explain(&["py/sql-string-built"]).stdout, explain(&["CW-PY-089-1"]).stdout);
    let listed = text(explain(&["CWE-89"]));
    assert!(
        listed.starts_with("CWE-89 SQL injection: https://cwe.mitre.org/data/definitions/89.html\n\n")
            && listed.contains("\nCW-PY-089-1     py/sql-string-built "),
        "{listed}"
    );
    let rows: Value = serde_json::from_slice(&explain(&["py/sql", "--json"]).stdout).unwrap();
    let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["py/sql-string-built", "py/sql-text-assembled", "py/sql-text-built"]);
    let span = &rows[0]["examples"][0]["spans"][0];
    let range = span["start_byte"].as_u64().unwrap() as usize..span["end_byte"].as_u64().unwrap() as usize;
    assert_eq!(&rows[0]["examples"][0]["weak"].as_str().unwrap()[range], "query");
    let wrong = explain(&["py/sql-string-build"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("did you mean py/sql-string-built?"));
}

#[test]
fn analysers_that_nobody_knows_or_has_are_errors_that_help() {
    let folder = folder(&[("app.py", "print(1)\n")]);
    let scan = |name: &str| {
        let output = codeward(folder.path(), &["scan", "app.py", "--no-config", "--with", name], "");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = scan("bandid");
    assert!(unknown.contains("\"bandid\" is no external analyser; choose from bandit, "), "{unknown}");
    assert!(unknown.contains("hint: or `all` for those that are here"), "{unknown}");
    let output = codeward(folder.path(), &["scan", "app.py", "--agreement"], "");
    assert_eq!(output.status.code(), Some(2));
}
