//! The wire format of SandboxFusion: what its client sends and expects, and round trips through a real sandbox.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use codeward_sandbox::fusion::{
    CommandRunStatus, FusionError, Reply, RunCodeRequest, RunCodeResponse, RunStatus, Terms,
};
use codeward_sandbox::{
    End, FileKind, FileSeen, Isolation, Language, Layer, Limits, Observed, Outcome, Program, Sandbox, SandboxError,
};
use serde_json::{Value, json};

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(2).unwrap_or_else(|error| panic!("{error} (hint: {:?})", error.hint())))
}

fn request(value: Value) -> RunCodeRequest {
    serde_json::from_value(value).expect("it has the shape of a request")
}

fn accept(value: Value) -> Result<(Program, Reply), FusionError> {
    request(value).accept(&Terms::default())
}

/// The whole way, as a server would go it; nothing where the toolchain is missing.
fn answer(value: Value) -> Option<Value> {
    let (program, reply) = accept(value).expect("it can be met");
    let result = sandbox().run(&program);
    if matches!(result, Err(SandboxError::NoToolchain { .. })) {
        return None;
    }
    Some(serde_json::to_value(reply.response(&result)).expect("it always serialises"))
}

fn python(code: &str) -> Value {
    answer(json!({"code": code, "language": "python"})).expect("python is always there")
}

fn ended(end: End) -> Outcome {
    Outcome {
        end,
        stdout: b"out".to_vec(),
        stderr: b"err".to_vec(),
        channel: vec![],
        truncated: false,
        files: BTreeMap::new(),
        wall: Duration::from_millis(1250),
        cpu: Duration::from_millis(250),
        max_rss_kib: 0,
        isolation: Isolation::Full,
        observed: Observed::default(),
        tamper: vec![],
    }
}

// As `sandbox-fusion` 0.3.7 sends them.
const FULL_REQUEST: &str = r#"{"compile_timeout": 10, "run_timeout": 10, "code": "print(input())", "stdin": "hi", "language": "python",
    "files": {"data/a.txt": "aGk=", "gone": null}, "fetch_files": ["out.txt"]}"#;
const PLAIN_REQUEST: &str = r#"{"compile_timeout": 10, "run_timeout": 10, "code": "console.log(6 * 7)", "stdin": null,
    "language": "nodejs", "files": {}, "fetch_files": []}"#;

#[test]
fn what_the_client_sends_is_understood() {
    let request: RunCodeRequest = serde_json::from_str(FULL_REQUEST).unwrap();
    let (program, _) = request.accept(&Terms::default()).unwrap();
    let limits = Limits {
        wall: Duration::from_secs(10),
        cpu: Duration::from_secs(10),
        memory_bytes: 1 << 30,
        ..Limits::default()
    };
    let expected = Program {
        source: b"print(input())".to_vec(),
        stdin: b"hi".to_vec(),
        files: BTreeMap::from([("data/a.txt".to_owned(), b"hi".to_vec())]),
        limits,
        ..Program::default()
    };
    assert_eq!(program, expected);
    let request: RunCodeRequest = serde_json::from_str(PLAIN_REQUEST).unwrap();
    let (program, _) = request.accept(&Terms::default()).unwrap();
    assert_eq!((program.language, program.stdin.as_slice()), (Language::JavaScript, &b""[..]));
}

#[test]
fn what_is_left_out_has_the_servers_defaults() {
    let request = request(json!({"code": "", "language": "go", "args": ["-q"], "something_newer": 1}));
    assert_eq!((request.compile_timeout, request.run_timeout, request.memory_limit_mb), (10.0, 10.0, -1));
    assert_eq!((&request.stdin, request.files.len(), request.fetch_files.len()), (&None, 0, 0));
    let sent = serde_json::to_value(&request).unwrap();
    assert_eq!(sent["memory_limit_MB"], -1);
    assert_eq!(serde_json::from_value::<RunCodeRequest>(sent).unwrap(), request);
    assert!(serde_json::from_value::<RunCodeRequest>(json!({"code": ""})).is_err());
}

#[test]
fn limits_are_granted_within_the_servers_terms() {
    let terms = Terms { max_run_timeout: Duration::from_secs(20), max_memory_bytes: 2 << 30, ..Terms::default() };
    for (seconds, megabytes, wall, memory) in [
        (0.5, 512, Duration::from_millis(500), 512 << 20),
        (20.0, 0, Duration::from_secs(20), 1 << 30),
        (600.0, 1 << 40, Duration::from_secs(20), 2 << 30),
        (3.0, i64::MAX, Duration::from_secs(3), 2 << 30),
        (3.0, i64::MIN, Duration::from_secs(3), 1 << 30),
    ] {
        let request =
            request(json!({"code": "", "language": "python", "run_timeout": seconds, "memory_limit_MB": megabytes}));
        let (program, _) = request.accept(&terms).unwrap();
        assert_eq!((program.limits.wall, program.limits.cpu, program.limits.memory_bytes), (wall, wall, memory));
        assert!(!program.processes);
    }
    let request = request(json!({"code": "", "language": "python"}));
    assert!(request.accept(&Terms { processes: true, ..terms }).unwrap().0.processes);
}

#[test]
fn what_cannot_be_met_is_refused_and_never_the_programs_failure() {
    let base = json!({"code": "", "language": "python"});
    let with = |key: &str, value: Value| {
        let mut request = base.clone();
        request[key] = value;
        let error = accept(request).unwrap_err();
        assert_eq!(RunCodeResponse::from(&error).status, RunStatus::SandboxError);
        assert_eq!(RunCodeResponse::from(&error).message, error.to_string());
        error
    };
    for language in ["python2", "Python", "", "rust", "pytest"] {
        assert!(
            matches!(with("language", json!(language)), FusionError::UnknownLanguage { language: named } if named == language)
        );
    }
    for seconds in [0.0, -1.0, 1e300] {
        assert!(matches!(with("run_timeout", json!(seconds)), FusionError::BadTimeout { field: "run_timeout", .. }));
        assert!(matches!(
            with("compile_timeout", json!(seconds)),
            FusionError::BadTimeout { field: "compile_timeout", .. }
        ));
    }
    for path in ["/etc/passwd", "../x", "a/../../x", "", "a/"] {
        let error = with("files", json!({path: "aGk="}));
        assert!(matches!(&error, FusionError::Program(SandboxError::BadProgram { .. })), "{path:?}: {error}");
        assert!(matches!(with("fetch_files", json!([path])), FusionError::OutsideFile { .. }), "{path:?}");
    }
    for content in ["aGk", "a", "!!!!", "aGl=x"] {
        assert!(matches!(with("files", json!({"a": content})), FusionError::BadContent { path, .. } if path == "a"));
    }
    assert!(matches!(with("memory_limit_MB", json!(1)), FusionError::Program(_)));
}

#[test]
fn every_end_has_its_status_and_return_code() {
    let (_, reply) = accept(json!({"code": "", "language": "python"})).unwrap();
    let cases = [
        (End::Exited { code: 0 }, "Success", "Finished", json!(0), ""),
        (End::Exited { code: 3 }, "Failed", "Finished", json!(3), ""),
        (End::Signalled { signal: 11 }, "Failed", "Finished", json!(-11), ""),
        (End::WallLimit, "Failed", "TimeLimitExceeded", Value::Null, ""),
        (End::CpuLimit, "Failed", "TimeLimitExceeded", Value::Null, ""),
        (End::MemoryLimit, "Failed", "Finished", json!(-9), "it used more memory than it was allowed"),
        (End::OutputLimit, "Failed", "Finished", json!(-9), "it wrote more output than is kept"),
        (End::FileLimit, "Failed", "Finished", json!(1), "it filled its scratch folder"),
    ];
    for (end, status, run_status, return_code, message) in cases {
        let response = reply.response(&Ok(ended(end.clone())));
        let run_result = json!({"status": run_status, "execution_time": 1.25, "cpu_time": 0.25, "return_code": return_code,
            "stdout": "out", "stderr": "err"});
        let expected = json!({"status": status, "message": message, "compile_result": null, "run_result": run_result,
            "executor_pod_name": null, "files": {}});
        assert_eq!(serde_json::to_value(&response).unwrap(), expected, "{end:?}");
        assert_eq!(serde_json::from_value::<RunCodeResponse>(expected).unwrap(), response);
    }
}

#[test]
fn an_answer_of_the_original_server_is_read() {
    let text = r#"{"status": "Success", "message": "", "compile_result": null, "run_result": {"status": "Finished",
        "execution_time": 0.016, "return_code": 0, "stdout": "42\n", "stderr": ""}, "executor_pod_name": null, "files": {}}"#;
    let response: RunCodeResponse = serde_json::from_str(text).unwrap();
    let run_result = response.run_result.clone().unwrap();
    assert_eq!((response.status, run_result.status), (RunStatus::Success, CommandRunStatus::Finished));
    assert_eq!((run_result.return_code, run_result.cpu_time), (Some(0), None));
    assert_eq!(serde_json::to_value(&response).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn our_own_failures_are_never_the_programs() {
    let (_, reply) = accept(json!({"code": "", "language": "cpp"})).unwrap();
    let reason = || "why".to_owned();
    let errors = [
        SandboxError::Unavailable { layer: Layer::Landlock, reason: reason(), hint: "do this".to_owned() },
        SandboxError::CouldNotStart { reason: reason() },
        SandboxError::BadProgram { reason: reason() },
        SandboxError::NoToolchain { language: Language::Cpp, reason: reason() },
        SandboxError::Unconfinable { what: "why", isolation: Isolation::Hardened },
        SandboxError::Cancelled,
        SandboxError::DeadlinePassed,
        SandboxError::Engine { reason: reason() },
    ];
    for error in errors {
        let (text, hint) = (error.to_string(), error.hint().map(str::to_owned));
        let response = reply.response(&Err(error));
        assert_eq!(
            (response.status, &response.compile_result, &response.run_result),
            (RunStatus::SandboxError, &None, &None)
        );
        assert!(response.message.starts_with(&text) && hint.is_none_or(|hint| response.message.contains(&hint)));
    }
}

#[test]
fn a_compiler_out_of_time_is_out_of_time() {
    let (_, reply) = accept(json!({"code": "", "language": "java"})).unwrap();
    for (message, status, return_code) in [
        (format!("compiler: {}\nsome text", End::WallLimit), CommandRunStatus::TimeLimitExceeded, None),
        (format!("compiler: {}", End::CpuLimit), CommandRunStatus::TimeLimitExceeded, None),
        (format!("compiler: {}", End::MemoryLimit), CommandRunStatus::Finished, Some(1)),
        ("Main.java:1: error".to_owned(), CommandRunStatus::Finished, Some(1)),
    ] {
        let response = reply.response(&Ok(ended(End::CompilerRejected { message: message.clone() })));
        let compiled = response.compile_result.unwrap();
        assert_eq!((response.status, response.run_result), (RunStatus::Failed, None));
        assert_eq!((compiled.status, compiled.return_code, compiled.stderr), (status, return_code, Some(message)));
    }
}

#[test]
fn half_a_file_is_not_sent_back() {
    let (_, reply) = accept(json!({"code": "", "language": "python", "fetch_files": ["./a", "b", "c", "d"]})).unwrap();
    let file = |kind, size, content: &[u8]| FileSeen { kind, mode: 0o644, size, content: content.to_vec() };
    let mut outcome = ended(End::Exited { code: 0 });
    outcome.files = BTreeMap::from([
        ("a".to_owned(), file(FileKind::File, 3, &[0, 255, 7])),
        ("b".to_owned(), file(FileKind::File, 100_000, &vec![1; 65_536])),
        ("c".to_owned(), file(FileKind::Link, 1, b"")),
        ("e".to_owned(), file(FileKind::File, 0, b"")),
    ]);
    let response = reply.response(&Ok(outcome));
    assert_eq!(response.files, BTreeMap::from([("./a".to_owned(), "AP8H".to_owned())]));
    assert_eq!(response.message, "file \"b\" of 100000 bytes is longer than what is kept");
    assert_eq!(response.status, RunStatus::Success);
}

/// In each language: doubles the number it reads.
const DOUBLES: [(&str, &str); 7] = [
    ("python", "print(int(input()) * 2)"),
    ("nodejs", "console.log(Number(require('fs').readFileSync(0, 'utf8')) * 2)"),
    ("js", "console.log(Number(require('fs').readFileSync(0, 'utf8')) * 2)"),
    ("cpp", "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << n * 2 << std::endl; }"),
    ("c", "#include <stdio.h>\nint main(void) { long n; scanf(\"%ld\", &n); printf(\"%ld\\n\", n * 2); return 0; }"),
    (
        "java",
        "public class Main { public static void main(String[] x) { \
         System.out.println(new java.util.Scanner(System.in).nextLong() * 2); } }",
    ),
    ("go", "package main\nimport \"fmt\"\nfunc main() { var n int64; fmt.Scan(&n); fmt.Println(n * 2) }"),
];

#[test]
fn every_language_goes_there_and_back() {
    for (language, code) in DOUBLES {
        let Some(response) = answer(json!({"code": code, "language": language, "stdin": "21\n"})) else { continue };
        assert_eq!(response["status"], "Success", "{language}: {response}");
        assert_eq!(response["run_result"]["stdout"], "42\n", "{language}");
        assert_eq!(response["run_result"]["return_code"], 0, "{language}");
        assert!(response["run_result"]["execution_time"].as_f64().unwrap() > 0.0);
        let is_compiled = ["cpp", "c", "java", "go"].contains(&language);
        assert_eq!(response["compile_result"]["return_code"] == 0, is_compiled, "{language}");
    }
}

#[test]
fn a_compilers_message_is_its_standard_error() {
    for (language, code, part) in [
        ("cpp", "int main() { return x; }", "not declared"),
        ("c", "int main(void) { return x; }", "undeclared"),
        ("java", "class Main { int f() { return x; } }", "cannot find symbol"),
        ("go", "package main\nfunc main() { x }", "x"),
    ] {
        let Some(response) = answer(json!({"code": code, "language": language})) else { continue };
        assert_eq!((&response["status"], &response["run_result"]), (&json!("Failed"), &Value::Null), "{language}");
        assert_eq!(response["compile_result"]["return_code"], 1);
        assert!(response["compile_result"]["stderr"].as_str().unwrap().contains(part), "{language}: {response}");
    }
}

#[test]
fn failures_are_told_as_there() {
    assert_eq!(python("raise SystemExit(5)")["run_result"]["return_code"], 5);
    let raised = python("print('before')\nraise ValueError('x')");
    assert_eq!((&raised["status"], &raised["run_result"]["return_code"]), (&json!("Failed"), &json!(1)));
    assert_eq!(raised["run_result"]["stdout"], "before\n");
    assert!(raised["run_result"]["stderr"].as_str().unwrap().contains("ValueError: x"));
    let crashed = python("import ctypes\nctypes.string_at(0)");
    assert_eq!((&crashed["status"], &crashed["run_result"]["return_code"]), (&json!("Failed"), &json!(-11)));
    for code in
        ["import time\nprint('before', flush=True)\ntime.sleep(8)", "print('before', flush=True)\nwhile True: pass"]
    {
        let late = answer(json!({"code": code, "language": "python", "run_timeout": 0.5})).unwrap();
        assert_eq!((&late["status"], &late["run_result"]["status"]), (&json!("Failed"), &json!("TimeLimitExceeded")));
        assert_eq!(
            (&late["run_result"]["return_code"], &late["run_result"]["stdout"]),
            (&Value::Null, &json!("before\n"))
        );
    }
}

#[test]
fn files_go_there_and_back() {
    let code = "data = open('in/a.bin', 'rb').read()\nopen('out.bin', 'wb').write(data[::-1])\nprint(len(data))";
    let response = answer(json!({
        "code": code, "language": "python",
        "files": {"./in/a.bin": "AP8H\nAQ==\n", "gone": null},
        "fetch_files": ["out.bin", "./in/a.bin", "missing"],
    }))
    .unwrap();
    assert_eq!(response["run_result"]["stdout"], "4\n", "{response}");
    assert_eq!(response["files"], json!({"out.bin": "AQf/AA==", "./in/a.bin": "AP8HAQ=="}));
}

/// Reads what we answer with the client's own models, and has it write a request for us.
const CLIENT: &str = r"
import json, sys
from sandbox_fusion import RunCodeRequest, RunCodeResponse, summary_run_code_result
from sandbox_fusion.models import SummaryMapping
names = SummaryMapping(CompileFailed='compile', CompileTimeout='compile time', RunFailed='run', RunTimeout='run time')
seen = []
for answer in json.load(sys.stdin):
    response = RunCodeResponse(**answer)
    if response.run_result is not None:
        assert response.run_result.stdout == answer['run_result']['stdout']
        assert response.run_result.execution_time == answer['run_result']['execution_time']
    assert response.files == answer['files']
    seen.append('error' if response.status == 'SandboxError' else summary_run_code_result(response, names))
print(json.dumps({'seen': seen, 'request': json.loads(RunCodeRequest(code='x', language='cpp', files={'a': 'aGk='}).json())}))
";

#[test]
#[ignore = "needs the client, which is not downloaded by default: pip install sandbox-fusion==0.3.7"]
fn the_real_client_understands_us() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let (_, reply) = accept(json!({"code": "", "language": "cpp"})).unwrap();
    let rejected = |message: String| reply.response(&Ok(ended(End::CompilerRejected { message })));
    let answers = [
        python("print(1)"),
        python("raise SystemExit(1)"),
        python("import ctypes\nctypes.string_at(0)"),
        answer(json!({"code": "while True: pass", "language": "python", "run_timeout": 0.2})).unwrap(),
        serde_json::to_value(rejected("error".to_owned())).unwrap(),
        serde_json::to_value(rejected(format!("compiler: {}", End::WallLimit))).unwrap(),
        serde_json::to_value(reply.response(&Ok(ended(End::MemoryLimit)))).unwrap(),
        serde_json::to_value(reply.response(&Err(SandboxError::Cancelled))).unwrap(),
    ];
    #[expect(clippy::disallowed_methods, reason = "the client is Python, and it is ours to run")]
    let mut child = Command::new("python3")
        .args(["-c", CLIENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is on the search path");
    child.stdin.take().unwrap().write_all(serde_json::to_string(&answers).unwrap().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = ["Success", "run", "run", "run time", "compile", "compile time", "run", "error"];
    assert_eq!(told["seen"], json!(expected));
    let (program, _) = accept(told["request"].clone()).unwrap();
    assert_eq!((program.language, program.files["a"].as_slice()), (Language::Cpp, &b"hi"[..]));
}
