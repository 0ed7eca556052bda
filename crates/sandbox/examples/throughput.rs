//! Programs per second and processor time per program: the sandbox against a plain interpreter process per program.
//!
//! `cargo run --release -p codeward-sandbox --example throughput [programs] [workers]`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that compares with plain processes"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use codeward_sandbox::{End, Program, Sandbox};

/// The size of a small harness with a small candidate: reads JSON, defines and calls functions, writes lines.
const SOURCE: &str = r#"
import json, os, sys, types
payload = json.loads(sys.stdin.buffer.read())
module = types.ModuleType("candidate")
exec(compile(payload["candidate"], "candidate.py", "exec"), module.__dict__)
for index in range(5):
    os.write(CHANNEL, (json.dumps({"observe": index, "returned": module.solve(index)}) + "\n").encode())
"#;
const INPUT: &[u8] =
    br#"{"candidate": "import hashlib\ndef solve(n):\n    return hashlib.sha256(str(n).encode()).hexdigest()\n"}"#;

struct Rate {
    per_second: f64,
    cpu_ms: f64,
}

/// Seconds of user and system time of this process and of children waited for, by the kernel's own accounting.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("proc is mounted");
    let (_, numbers) = text.rsplit_once(')').expect("the name ends with a parenthesis");
    let fields: Vec<f64> = numbers.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    fields[11..15].iter().sum::<f64>() / 100.0
}

fn measure(num_programs: usize, num_clients: usize, run: impl Fn() + Sync) -> Duration {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..num_clients {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < num_programs {
                    run();
                }
            });
        }
    });
    started.elapsed()
}

fn sandboxed(num_programs: usize, workers: usize) -> Rate {
    let before = cpu_seconds();
    let sandbox = Sandbox::start(workers).expect("this host can isolate");
    println!("{} {}", sandbox.python().0, sandbox.python().1);
    let program =
        Program { source: SOURCE.replace("CHANNEL", "3").into_bytes(), stdin: INPUT.to_vec(), ..Program::default() };
    let run = || {
        let outcome = sandbox.run(&program).expect("the sandbox works");
        assert_eq!(outcome.end, End::Exited { code: 0 });
        assert_eq!(outcome.channel.split(|byte| *byte == b'\n').count(), 6);
    };
    let elapsed = measure(num_programs, workers, run);
    // Ends the hosts, so that their time is counted.
    drop(sandbox);
    rate(num_programs, elapsed, cpu_seconds() - before)
}

fn plain(num_programs: usize, workers: usize) -> Rate {
    let before = cpu_seconds();
    let source = SOURCE.replace("CHANNEL", "1");
    let run = || {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-I", "-S", "-c", &source])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the system has an interpreter");
        child.stdin.take().expect("asked for").write_all(INPUT).expect("the program reads");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 6);
    };
    let elapsed = measure(num_programs, workers, run);
    rate(num_programs, elapsed, cpu_seconds() - before)
}

fn rate(num_programs: usize, elapsed: Duration, cpu_seconds: f64) -> Rate {
    let count = num_programs as f64;
    Rate { per_second: count / elapsed.as_secs_f64(), cpu_ms: cpu_seconds * 1000.0 / count }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let num_programs = arguments.next().unwrap_or(1000);
    let workers = arguments.next().unwrap_or(2);
    println!("{:<28} {:>12} {:>16}", "", "programs/s", "CPU ms/program");
    let inside = sandboxed(num_programs, workers);
    println!("{:<28} {:>12.0} {:>16.2}", "sandbox, full isolation", inside.per_second, inside.cpu_ms);
    let outside = plain(num_programs / 4, workers);
    println!("{:<28} {:>12.0} {:>16.2}", "plain python3 -I -S process", outside.per_second, outside.cpu_ms);
    println!(
        "{}",
        serde_json::json!({
            "area": "sandbox",
            "ratios": {"rate": inside.per_second / outside.per_second, "cpu": outside.cpu_ms / inside.cpu_ms},
            "figures": {"programs_per_second": inside.per_second, "cpu_ms": inside.cpu_ms,
                        "plain_per_second": outside.per_second, "plain_cpu_ms": outside.cpu_ms},
        })
    );
}
