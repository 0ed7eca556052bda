//! The tables and the line for scripts.

use serde_json::{Map, Value, json};

use crate::peer::{Sample, Scored};
use crate::pieces::{Pieces, Rescoring};
use crate::sides::{Round, Side};

/// The middle of some numbers.
pub(crate) fn median(numbers: Vec<f64>) -> f64 {
    quantile(numbers, 0.5)
}

fn quantile(mut numbers: Vec<f64>, share: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let rank = (share * numbers.len() as f64).ceil() as usize;
    numbers.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn over_rounds(side: &Side, of: impl Fn(&Round) -> f64) -> f64 {
    median(side.rounds.iter().map(of).collect())
}

/// Rates, batch times and time on processors of every side.
pub(crate) fn rates(sides: &[Side], figures: &mut Map<String, Value>) {
    println!(
        "\n{:<22} {:>11} {:>18} {:>10} {:>10} {:>16} {:>16}",
        "", "rollouts/s", "lowest-highest", "batch p50", "batch p99", "CPU ms/rollout", "of it our own"
    );
    for side in sides {
        let rate = over_rounds(side, Round::per_second);
        let rates: Vec<f64> = side.rounds.iter().map(Round::per_second).collect();
        let (low, high) = (quantile(rates.clone(), 0.0), quantile(rates, 1.0));
        let batches: Vec<f64> = side.rounds.iter().flat_map(|round| round.batch_ms.iter().copied()).collect();
        let (p50, p99) = (median(batches.clone()), quantile(batches, 0.99));
        let all = over_rounds(side, |round| round.all_cpu_seconds * 1e3 / round.num_rollouts as f64);
        let own = over_rounds(side, |round| round.own_cpu_seconds * 1e3 / round.num_rollouts as f64);
        println!(
            "{:<22} {rate:>11.1} {:>18} {p50:>7.1} ms {p99:>7.1} ms {all:>16.2} {own:>16.2}",
            side.name,
            format!("{low:.1}-{high:.1}")
        );
        figures.insert(
            side.name.to_owned(),
            json!({"rollouts_per_s": rate, "lowest": low, "highest": high, "batch_p50_ms": p50, "batch_p99_ms": p99,
                   "cpu_ms_per_rollout": all, "own_cpu_ms_per_rollout": own}),
        );
    }
    figures.insert("rollouts_per_s".to_owned(), json!(over_rounds(&sides[0], Round::per_second)));
}

/// Where the time on processors goes, for each completion of the first side.
pub(crate) fn profile(side: &Side, pieces: &Pieces, figures: &mut Map<String, Value>) {
    let all = over_rounds(side, |round| round.all_cpu_seconds * 1e6 / round.num_rollouts as f64);
    let own = over_rounds(side, |round| round.own_cpu_seconds * 1e6 / round.num_rollouts as f64);
    let spans = pieces.rewarding - pieces.weighing;
    let rest = own - pieces.analysis - pieces.similarity - pieces.rewarding;
    let lines = [
        ("sandbox", all - own),
        ("tests_and_waiting", rest),
        ("analysis", pieces.analysis),
        ("similarity", pieces.similarity),
        ("weighing", pieces.weighing),
        ("spans", spans),
    ];
    println!("\n{:<22} {:>16} {:>8}", "on processors", "us/rollout", "share");
    let mut shares = Map::new();
    for (name, micros) in lines {
        println!("{name:<22} {micros:>16.1} {:>7.1} %", 100.0 * micros / all);
        shares.insert(name.to_owned(), json!({"us_per_rollout": micros, "share": micros / all}));
    }
    figures.insert("profile".to_owned(), Value::Object(shares));
}

pub(crate) fn rescoring(rescoring: &Rescoring, figures: &mut Map<String, Value>) {
    println!(
        "\nwith every test result known: {:.0} rollouts/s measured and weighed again, {:.0} weighed alone",
        rescoring.measured, rescoring.weighed
    );
    figures.insert("rescored_per_s".to_owned(), json!(rescoring.measured));
    figures.insert("weighed_per_s".to_owned(), json!(rescoring.weighed));
}

/// The published path in the same rounds: all completions by all seconds, ours and theirs, with the range over rounds.
pub(crate) fn peer(side: &Side, rounds: &[Scored], figures: &mut Map<String, Value>) -> f64 {
    let ratios = side.rounds.iter().zip(rounds).map(|(ours, theirs)| ours.per_second() / theirs.per_second());
    let ratios: Vec<f64> = ratios.collect();
    let (low, high) = (quantile(ratios.clone(), 0.0), quantile(ratios.clone(), 1.0));
    let num_samples = rounds.iter().map(|round| round.samples.len()).sum::<usize>();
    let rate = num_samples as f64 / rounds.iter().map(|round| round.seconds).sum::<f64>();
    let num_ours = side.rounds.iter().map(|round| round.num_rollouts).sum::<usize>();
    let ratio = num_ours as f64 / side.rounds.iter().map(|round| round.seconds).sum::<f64>() / rate;
    let samples: Vec<_> = rounds.iter().flat_map(|round| round.samples.iter().copied()).collect();
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    let (tests_ms, bandit_ms) = (mean(&|one| one.test_seconds * 1e3), mean(&|one| one.bandit_seconds * 1e3));
    println!(
        "\nSecureCodeRL's path: {rate:.2} rollouts/s over {} samples, of which {tests_ms:.0} ms in tests and {bandit_ms:.0} ms in Bandit;\n\
         mean reward {:.3}; ours is {ratio:.1} ({low:.1}-{high:.1}) times as fast",
        samples.len(),
        mean(&|one| one.reward),
    );
    figures.insert(
        "securecoderl_path".to_owned(),
        json!({"rollouts_per_s": rate, "samples": samples.len(), "tests_ms": tests_ms, "bandit_ms": bandit_ms}),
    );
    ratio
}

/// What the figures were taken on.
pub(crate) fn host() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let about = read("/proc/cpuinfo");
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let load: Option<f64> = read("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok());
    json!({"cores": cores, "processor": model.map(|(_, name)| name.trim()), "load_at_start": load})
}
