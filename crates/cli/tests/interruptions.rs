//! Runs that are asked to stop, run out of disk, or find a checkpoint damaged end with the numbers of an unbroken run.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]
#![expect(clippy::print_stderr, reason = "what is skipped is said")]

mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runs::{ahead, assert_same, end, kill_after, read, signal, start, start_heard, wait_for};

/// A folder with a recipe and its unbroken run in `whole`.
fn unbroken() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, ahead(1.0)).unwrap();
    assert!(start(&recipe, &folder.path().join("whole"), false).wait().unwrap().success());
    (folder, recipe)
}

fn checkpoints(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out.join("checkpoints")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn whatever_befalls_a_run_it_ends_with_the_numbers_of_an_unbroken_one() {
    let (folder, recipe) = unbroken();
    let whole = folder.path().join("whole");
    the_best_state_is_kept(&whole);
    a_signal_ends_a_step_and_two_end_at_once(&recipe, &whole, &folder.path().join("signalled"));
    damaged_checkpoints_are_passed_over(&recipe, &whole, &folder.path().join("damaged"));
    a_full_disk_stops_a_run_that_goes_on_later(&recipe, &whole, folder.path());
}

/// The model at the end is that of the step with the largest share of working and secure code, which is kept beside the newest.
fn the_best_state_is_kept(whole: &Path) {
    let metrics = read(whole, "metrics.jsonl");
    let rates: Vec<(u64, f64)> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| Some((line["step"].as_u64()?, line["evaluation/held_out_func_secure"].as_f64()?)))
        .collect();
    assert_eq!(rates.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 3, 6], "{metrics}");
    let mut best = rates[0];
    for rate in rates {
        if rate.1 > best.1 {
            best = rate;
        }
    }
    assert!(best.0 != 6, "the last is the best, which proves little: {metrics}");
    assert_eq!(checkpoints(whole), [format!("best-{:06}", best.0), "step-000004".to_owned(), "step-000006".to_owned()]);
    let weights = |path: &str| fs::read(whole.join(path)).unwrap();
    // In half of the bits at the end: the same numbers, rounded.
    let (kept, last) =
        (weights(&format!("checkpoints/best-{:06}/model.safetensors", best.0)), weights("model/model.safetensors"));
    let rounded = round(&kept);
    assert!(tensors(&last) == rounded, "the model at the end is not that of step {}", best.0);
}

/// The numbers of a file of tensors, behind its header.
fn tensors(file: &[u8]) -> Vec<u8> {
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header..].to_vec()
}

/// Single precision to bfloat16, ties to even.
fn round(file: &[u8]) -> Vec<u8> {
    let half = |bits: u32| ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    tensors(file).chunks(4).flat_map(|four| half(u32::from_le_bytes(four.try_into().unwrap())).to_le_bytes()).collect()
}

fn a_signal_ends_a_step_and_two_end_at_once(recipe: &Path, whole: &Path, out: &Path) {
    for (after, name, code, resume) in [(1, "INT", 130, false), (3, "TERM", 143, true)] {
        let mut run = start_heard(recipe, out, resume);
        wait_for(after, &mut run, out);
        signal(name, &run);
        let (ended, said) = end(run);
        assert_eq!(ended, code, "{said}");
        assert!(said.contains("stopping after this step") && said.contains("as asked\nhint: "), "{said}");
        assert!(said.contains("--resume"), "{said}");
        let logged = read(out, "metrics.jsonl").lines().count() - 1;
        assert!(logged < 6, "it went on to the end");
        // A step that the guard did not look at is saved apart.
        let saved = if logged.is_multiple_of(2) { format!("step-{logged:06}") } else { format!("pause-{logged:06}") };
        assert!(checkpoints(out).contains(&saved), "{:?} has no {saved}", checkpoints(out));
    }
    let mut run = start_heard(recipe, out, true);
    wait_for(5, &mut run, out);
    signal("STOP", &run);
    signal("INT", &run);
    signal("TERM", &run);
    signal("CONT", &run);
    // Both are there when the process wakes, so that the second is found before a step has ended.
    let (ended, said) = end(run);
    assert!((ended == 130 || ended == 143) && !said.contains("as asked"), "{ended}: {said}");
    assert!(start(recipe, out, true).wait().unwrap().success());
    assert_same(whole, out, "signals");
    assert!(checkpoints(out).iter().all(|name| !name.starts_with("pause")), "{:?}", checkpoints(out));
}

fn damaged_checkpoints_are_passed_over(recipe: &Path, whole: &Path, out: &Path) {
    kill_after(5, start(recipe, out, false), out);
    let newest = checkpoints(out).into_iter().rfind(|name| name.starts_with("step")).unwrap();
    let file = out.join("checkpoints").join(&newest).join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    // One bit of one weight: a file that loads.
    let place = bytes.len() - 1000;
    bytes[place] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (ended, said) = end(start_heard(recipe, out, true));
    assert_eq!(ended, 0, "{said}");
    assert!(said.contains("is passed over") && said.contains("model.safetensors is not what was written"), "{said}");
    assert!(said.contains("continuing after step"), "{said}");
    assert!(checkpoints(out).contains(&format!("damaged-{newest}")), "{:?}", checkpoints(out));
    assert_same(whole, out, "damage");
}

/// On a small file system of its own, where this user may mount one.
fn a_full_disk_stops_a_run_that_goes_on_later(recipe: &Path, whole: &Path, folder: &Path) {
    let script = r#"
        set -u
        mkdir -p small
        mount -t tmpfs -o size="$4" tmpfs small || exit 77
        "$1" train "$2" --out small/run --json 2> said
        first=$?
        ls small/run/checkpoints > left
        mount -o remount,size=1g small
        "$1" train "$2" --out small/run --json --resume > /dev/null
        second=$?
        cp -r small/run "$3"
        echo "$first $second" > ended
    "#;
    let bytes =
        |path: &Path| fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    let one = bytes(&whole.join("checkpoints/step-000006"));
    let out = folder.join("full");
    // Room for two and a half: the first good one, the best one, and half of the next.
    let size = (one * 5 / 2 + (4 << 20)).to_string();
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let status = Command::new("unshare")
        .arg("--mount")
        .args((!is_root).then_some("--map-root-user"))
        .args(["sh", "-c", script, "sh", env!("CARGO_BIN_EXE_codeward")])
        .args([recipe, &out])
        .arg(size)
        .current_dir(folder)
        .status();
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        eprintln!("SKIPPED: no file system of its own for a full disk: {status:?}");
        return;
    }
    assert_eq!(read(folder, "ended"), "2 0\n", "{}", read(folder, "said"));
    let said = read(folder, "said");
    assert!(said.contains("small/run/checkpoints/") && said.contains("no space left on the disk"), "{said}");
    assert!(said.contains("free some space, then continue with --resume"), "{said}");
    assert!(!read(folder, "left").contains("partial"), "{}", read(folder, "left"));
    assert_same(whole, &out, "a full disk");
}
