//! Runs that everything befalls: they are killed, stopped, find the disk full, their newest checkpoint damaged, their sandbox asleep and
//! their judge gone. Each ends with the numbers of an unbroken run, or stops, says why, and goes on later.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]
#![expect(clippy::print_stdout, reason = "what befell the runs is said")]

#[path = "../../endpoint/tests/server/loopback.rs"]
#[expect(dead_code, reason = "other tests misbehave in more ways")]
mod loopback;
#[expect(dead_code, reason = "other tests cut runs off in more ways")]
mod runs;

use std::collections::BTreeMap;
use std::fs;
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use loopback::{Server, send_answer};
use runs::{ahead, assert_same, command, end, signal};

/// The file system of the trials, when there is one for them.
const SPACE: &str = "CODEWARD_CHAOS_SPACE";

/// What may end a run with an error: nothing else may.
const REASONS: [&str; 5] = ["no space left", "No space left", "rollouts are unscored", "as asked", "the sandbox"];

#[test]
#[ignore = "CHAOS_MINUTES, five by default"]
fn nothing_is_lost_in_chaos() {
    let folder = tempfile::tempdir().unwrap();
    match std::env::var_os(SPACE) {
        Some(space) => trials(Some(Path::new(&space)), folder.path()),
        None => within_a_space_of_its_own(folder.path()),
    }
}

/// The test once more with a small file system that only it sees; without, where that is not permitted, so that no disk is full.
fn within_a_space_of_its_own(folder: &Path) {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let script = "mount -t tmpfs -o size=640m tmpfs \"$1\" || exit 77\nshift\nexec \"$@\"";
    let status = Command::new("unshare")
        .arg("--mount")
        .args((!is_root).then_some("--map-root-user"))
        .args(["sh", "-c", script, "sh"])
        .arg(folder)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "nothing_is_lost_in_chaos", "--nocapture"])
        .env(SPACE, folder)
        .status();
    if status.as_ref().is_ok_and(|status| status.code() == Some(77)) || status.is_err() {
        println!("SKIPPED: full disks, as no file system can be mounted here");
        return trials(None, folder);
    }
    assert!(status.unwrap().success());
}

/// What can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mischief {
    None,
    Kill,
    Signal,
    FullDisk,
    Damage,
    StoppedWorker,
    NoJudge,
}

/// Numbers for moments and choices: a linear congruential generator will do.
struct Numbers(u64);

impl Numbers {
    /// Below 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }
}

/// A run in the making of a trial.
struct Trial<'a> {
    recipe: &'a Path,
    judge: &'a Server,
    is_judge_gone: &'a AtomicBool,
    /// Of a whole run.
    takes: Duration,
    space: Option<&'a Path>,
    numbers: Numbers,
    counts: BTreeMap<Mischief, usize>,
    stopped: BTreeMap<&'static str, usize>,
}

fn trials(space: Option<&Path>, own: &Path) {
    let minutes = std::env::var("CHAOS_MINUTES").map_or(5.0, |minutes| minutes.parse().unwrap());
    let folder = space.unwrap_or(own);
    let is_judge_gone = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&is_judge_gone);
    let judge = Server::start(move |_, received, stream| {
        if gone.load(Ordering::Relaxed) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        // Any verdict that depends on the code alone.
        let is_odd =
            received.body["messages"][0]["content"].as_str().unwrap().bytes().filter(|byte| *byte == b'e').count() % 2
                == 1;
        send_answer(stream, if is_odd { "<answer>Vulnerable</answer>" } else { "<answer>Not Vulnerable</answer>" });
    });
    let recipe = folder.join("recipe.toml");
    // Not one reward may be missing: a run that cannot be rewarded is to stop.
    let strict = "minibatch_size = 8\nmax_unscored_fraction = 0.0\n";
    let text = format!("{}\n[reward]\nname = \"seccoderx\"\n", ahead(0.1).replace("minibatch_size = 8\n", strict));
    fs::write(&recipe, text).unwrap();
    let whole = folder.join("whole");
    let started = Instant::now();
    let (code, said) = end(begin(&recipe, &whole, &judge));
    assert_eq!(code, 0, "{said}");
    let mut trial = Trial {
        recipe: &recipe,
        judge: &judge,
        is_judge_gone: &is_judge_gone,
        takes: started.elapsed(),
        space,
        numbers: Numbers(0x9e37_79b9_7f4a_7c15),
        counts: BTreeMap::new(),
        stopped: BTreeMap::new(),
    };
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed().as_secs_f64() < 60.0 * minutes {
        let out = folder.join(format!("trial-{count}"));
        trial.run(&out);
        assert_same(&whole, &out, &format!("trial {count}"));
        fs::remove_dir_all(out).unwrap();
        count += 1;
    }
    println!(
        "{count} runs, each equal to the unbroken one; what befell them: {:?}; they stopped: {:?}",
        trial.counts, trial.stopped
    );
}

fn begin(recipe: &Path, out: &Path, judge: &Server) -> Child {
    command(recipe, out, out.join("manifest.json").exists())
        .args(["--judge-url", &format!("http://{}/v1", judge.address), "--judge-model", "grader"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

impl Trial<'_> {
    /// Starts a run and goes on with it until it is done.
    fn run(&mut self, out: &Path) {
        let mut last = String::new();
        for attempt in 0.. {
            assert!(
                attempt < 40,
                "it does not get through; befallen by {:?}, stopped by {:?}, at last: {last}",
                self.counts,
                self.stopped
            );
            let mischief = [
                Mischief::Kill,
                Mischief::Signal,
                Mischief::FullDisk,
                Mischief::Damage,
                Mischief::StoppedWorker,
                Mischief::NoJudge,
                Mischief::None,
            ][self.numbers.below(7)];
            *self.counts.entry(mischief).or_default() += 1;
            let (code, said) = self.attempt(mischief, out);
            last = format!("{mischief:?}, {code}: {said}");
            match code {
                0 => return,
                130 | 143 => *self.stopped.entry("asked").or_default() += 1,
                137 => *self.stopped.entry("killed").or_default() += 1,
                2 => {
                    let reason = REASONS.into_iter().find(|reason| said.contains(reason));
                    let reason = reason.unwrap_or_else(|| panic!("{mischief:?}: {said}"));
                    assert!(said.contains("\nhint: "), "{said}");
                    *self.stopped.entry(reason).or_default() += 1;
                }
                other => panic!("{mischief:?}: {other}: {said}"),
            }
        }
    }

    fn attempt(&mut self, mischief: Mischief, out: &Path) -> (i32, String) {
        let mut run = begin(self.recipe, out, self.judge);
        let moment = self.takes.mul_f64(self.numbers.share());
        let until = Instant::now() + moment;
        while Instant::now() < until && run.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        match mischief {
            Mischief::None => {}
            Mischief::Kill | Mischief::Damage => drop(run.kill()),
            Mischief::Signal => signal_if_there(["INT", "TERM"][self.numbers.below(2)], &mut run),
            Mischief::FullDisk => return self.fill_disk(run),
            Mischief::StoppedWorker => self.stop_a_worker(&run),
            Mischief::NoJudge => {
                self.is_judge_gone.store(true, Ordering::Relaxed);
                // For less than all attempts of a request take, or for longer.
                let patience = Duration::from_secs_f64([0.5, 12.0][self.numbers.below(2)]);
                let until = Instant::now() + patience;
                while Instant::now() < until && run.try_wait().unwrap().is_none() {
                    thread::sleep(Duration::from_millis(20));
                }
                self.is_judge_gone.store(false, Ordering::Relaxed);
            }
        }
        let ended = end(run);
        if mischief == Mischief::Damage && ended.0 == 137 {
            self.damage(out);
        }
        ended
    }

    /// Takes what is left of the file system until the run has ended.
    fn fill_disk(&mut self, run: Child) -> (i32, String) {
        let Some(space) = self.space else { return end(run) };
        let ballast = space.join("ballast");
        // All but a few kilobytes or megabytes.
        let left = [1 << 12, 1 << 20, 1 << 24][self.numbers.below(3)];
        let script =
            "free=$(df --output=avail -B1 \"$1\" | tail -1); head -c $((free > $3 ? free - $3 : 0)) /dev/zero > \"$2\"";
        let arguments = [space.as_os_str(), ballast.as_os_str()];
        Command::new("sh").args(["-c", script, "sh"]).args(arguments).arg(left.to_string()).status().unwrap();
        let ended = end(run);
        fs::remove_file(&ballast).unwrap();
        ended
    }

    /// Puts one of the processes below the run to sleep.
    fn stop_a_worker(&mut self, run: &Child) {
        let below = descendants(run.id());
        if !below.is_empty() {
            let chosen = below[self.numbers.below(below.len())];
            let _ = Command::new("kill").args(["-STOP", &chosen.to_string()]).output();
        }
    }

    /// Cuts the largest file of the newest checkpoint off, or turns one of its bits.
    fn damage(&mut self, out: &Path) {
        let Ok(entries) = fs::read_dir(out.join("checkpoints")) else { return };
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.file_name().unwrap().to_str().unwrap().starts_with("step-") && path.extension().is_none()
            })
            .collect();
        folders.sort();
        // The only one is left alone: then everything begins anew, which is right and takes long.
        let Some(newest) = folders.pop().filter(|_| !folders.is_empty()) else { return };
        let mut files: Vec<PathBuf> = fs::read_dir(newest).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let file = &files[self.numbers.below(files.len())];
        let mut bytes = fs::read(file).unwrap();
        let place = self.numbers.below(bytes.len());
        if self.numbers.below(2) == 0 {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << self.numbers.below(8);
        }
        fs::write(file, bytes).unwrap();
    }
}

fn signal_if_there(name: &str, run: &mut Child) {
    if run.try_wait().unwrap().is_none() {
        signal(name, run);
    }
}

/// All processes below one.
fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let children = format!("/proc/{0}/task", found[at]);
        for task in fs::read_dir(children).into_iter().flatten().flatten() {
            let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(list.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        at += 1;
    }
    found.remove(0);
    found
}
