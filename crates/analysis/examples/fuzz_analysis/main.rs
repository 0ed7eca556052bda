//! Throws mutated and hostile text at the analyser for a while: `fuzz_analysis LANGUAGE SECONDS [--seed NUMBER]`.
//!
//! A process of its own analyses one text after the other on a thread with an ordinary stack of 2 MiB; another one watches it,
//! so that an overflown stack or an endless loop is seen as well, and makes the text that did it smaller. A text fails if the
//! analysis panics or ends the process, takes longer than 250 ms (2.5 s without optimisation) each of three times, once of it
//! on a processor, reports a place that is not in the text, or says another thing the second time. Exit status 1 if a text failed; the smallest form
//! of it is printed and kept in the folder that is named. The same seed gives the same texts.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
#![expect(clippy::print_stderr, reason = "the process that is watched says there why it ends")]
#![expect(clippy::disallowed_methods, reason = "the analyser is watched from outside, as it may take its process down")]

mod checks;
mod corpus;
mod hostile;
mod mutation;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use codeward_analysis::{AnalysisError, Language, MAX_BYTES, State, analyse};
use mutation::Choices;

type Failure = Box<dyn Error>;

/// What a thread has that nobody asked for more.
const STACK: usize = 2 << 20;

/// An analysis may take this long.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2_500 } else { 250 });

/// A process that checks one text is stopped after this long.
const ONE_LIMIT: Duration = Duration::from_secs(20);

/// Making a text smaller stops after this long.
const SHRINK_LIMIT: Duration = Duration::from_mins(2);

/// A generator of choices: SplitMix64.
struct Generator(u64);

impl Choices for Generator {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        ((u128::from(bits) * count as u128) >> 64) as usize
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    texts: u64,
    bytes: u64,
    parsed: u64,
    with_findings: u64,
    over_budget: u64,
    slowest: Duration,
    slowest_bytes: usize,
}

/// Analyses a text and checks what has to hold of it. Says what does not, and how long it took.
fn check(language: Language, text: &str, seen: &mut Seen) -> Result<(), String> {
    let started = Instant::now();
    let first = analyse(language, text);
    let mut spent = started.elapsed();
    let started = Instant::now();
    let second = analyse(language, text);
    spent = spent.min(started.elapsed());
    if spent > LIMIT {
        // Twice slow: it may have waited for a processor, so the time on one counts.
        let (started, before) = (Instant::now(), processor_time());
        let _ = analyse(language, text);
        let on_processor = processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        spent = spent.min(on_processor.unwrap_or_else(|| started.elapsed()));
    }
    seen.texts += 1;
    seen.bytes += text.len() as u64;
    if spent > seen.slowest {
        (seen.slowest, seen.slowest_bytes) = (spent, text.len());
    }
    if spent > LIMIT {
        return Err(format!("{} bytes took {spent:?}", text.len()));
    }
    if first != second {
        return Err("two analyses of the text differ".to_owned());
    }
    match first {
        Ok(analysis) => {
            seen.parsed += u64::from(analysis.state() != State::NotParseable);
            seen.with_findings += u64::from(!analysis.findings.is_empty());
            checks::spans(text, &analysis)
        }
        Err(AnalysisError::TooComplex { .. }) => {
            seen.over_budget += 1;
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// How long this thread has been on a processor, as far as the system says: to a few milliseconds.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The next text: mostly short, now and then as long as may be.
fn next_text(files: &[&str], generator: &mut Generator) -> String {
    let max_bytes = if generator.below(20) == 0 { MAX_BYTES } else { 6_000 };
    if generator.below(10) == 0 {
        mutation::noise(300, generator)
    } else {
        mutation::mutate(files, max_bytes, generator)
    }
}

/// Runs in the process that is watched: every text is written down before it is analysed.
fn work(language: Language, seconds: f64, seed: u64, current: &Path) -> Result<(), String> {
    let mut seen = Seen::default();
    let mut try_text = |text: &str| -> Result<(), String> {
        std::fs::write(current, text).map_err(|error| format!("{}: {error}", current.display()))?;
        check(language, text, &mut seen)
    };
    let files = corpus::corpus(language);
    for file in files {
        try_text(file)?;
    }
    for count in [30, 190, 1_000, 5_000, 20_000] {
        for case in hostile::hostile(language, count) {
            if case.text.len() <= MAX_BYTES {
                try_text(&case.text).map_err(|reason| format!("{count} {}: {reason}", case.name))?;
            }
        }
    }
    let mut generator = Generator(seed);
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < seconds {
        try_text(&next_text(files, &mut generator))?;
    }
    let Seen { texts, bytes, parsed, with_findings, over_budget, slowest, slowest_bytes } = seen;
    let share = |part: u64| 100.0 * part as f64 / texts as f64;
    println!(
        "{language}: {texts} texts, {:.1} MB, {:.1} % in the language, {:.1} % with findings, {over_budget} over the budget; \
         slowest {:.1} ms for {slowest_bytes} bytes",
        bytes as f64 / 1e6,
        share(parsed),
        share(with_findings),
        slowest.as_secs_f64() * 1e3
    );
    Ok(())
}

/// On a thread with an ordinary stack.
fn on_thread(task: impl FnOnce() -> Result<(), String> + Send + 'static) -> ExitCode {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(task);
    match thread.expect("a thread can be started").join() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(reason)) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::from(101),
    }
}

/// Waits for a process, but not for ever. `None` if it had to be stopped.
fn run_for(mut command: Command, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
    let mut child = command.spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn fails(language: Language, text: &str, folder: &Path, is_loud: bool) -> Result<bool, Failure> {
    let path = folder.join("smaller");
    std::fs::write(&path, text)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", language.name()]).arg(&path);
    if !is_loud {
        command.stderr(Stdio::null());
    }
    Ok(!run_for(command, ONE_LIMIT)?.is_some_and(|status| status.success()))
}

/// Takes away ever smaller pieces as long as the text still fails.
fn smaller(language: Language, text: String, folder: &Path) -> Result<String, Failure> {
    let started = Instant::now();
    let mut text = text;
    let mut piece = mutation::tokens(&text).len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < mutation::tokens(&text).len() && started.elapsed() < SHRINK_LIMIT {
            let mut tokens = mutation::tokens(&text);
            drop(tokens.drain(at..(at + piece).min(tokens.len())));
            let candidate = tokens.concat();
            if fails(language, &candidate, folder, false)? {
                text = candidate;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    Ok(text)
}

fn watch(language: Language, seconds: f64, seed: u64) -> Result<ExitCode, Failure> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz-analysis").join(language.name());
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let current = folder.join("current");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--work", language.name(), &seconds.to_string(), &seed.to_string()]).arg(&current);
    let status = run_for(command, Duration::from_secs_f64(seconds) + 30 * ONE_LIMIT)?;
    if status.is_some_and(|status| status.success()) {
        return Ok(ExitCode::SUCCESS);
    }
    let how = status.map_or_else(|| "it did not come back".to_owned(), |status| status.to_string());
    let text = std::fs::read_to_string(&current)?;
    println!("{language}: a text of {} bytes failed ({how}); making it smaller", text.len());
    if !fails(language, &text, &folder, true)? {
        println!("alone it does not fail: it is kept in {}", current.display());
        return Ok(ExitCode::FAILURE);
    }
    let text = smaller(language, text, &folder)?;
    let kept = folder.join("failure");
    std::fs::write(&kept, &text)?;
    let shown: String = text.chars().take(2_000).collect();
    println!("{} bytes are left, kept in {}:\n{shown:?}", text.len(), kept.display());
    fails(language, &text, &folder, true)?;
    Ok(ExitCode::FAILURE)
}

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--one", language, path] => {
            let (language, text) = (language.parse()?, std::fs::read_to_string(path)?);
            Ok(on_thread(move || check(language, &text, &mut Seen::default())))
        }
        ["--work", language, seconds, seed, current] => {
            let (language, seconds, seed, current) =
                (language.parse()?, seconds.parse()?, seed.parse()?, PathBuf::from(current));
            Ok(on_thread(move || work(language, seconds, seed, &current)))
        }
        [language, seconds, rest @ ..] => {
            let seed = match rest {
                [] => 1,
                ["--seed", seed] => seed.parse()?,
                _ => return Err("usage: fuzz_analysis LANGUAGE SECONDS [--seed NUMBER]".into()),
            };
            let language: Language = language.parse()?;
            watch(language, seconds.parse()?, seed)
        }
        _ => Err("usage: fuzz_analysis LANGUAGE SECONDS [--seed NUMBER]".into()),
    }
}
