//! The table, the ratios and the line for scripts.

use serde_json::{Map, Value, json};

use crate::measure::{Batch, median};
use crate::scaling;

/// Everything measured of one side.
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) num_programs: usize,
    pub(crate) batches: Vec<Batch>,
    workers: usize,
}

impl Record {
    pub(crate) fn new(name: &str, workers: usize, num_programs: usize) -> Self {
        Self { name: name.to_owned(), num_programs, batches: Vec::new(), workers }
    }

    fn median(&self, of: impl Fn(&Batch) -> f64) -> f64 {
        median(self.batches.iter().map(of).collect())
    }
}

/// The ratios that are reported: name, the side to compare with.
const RATES: [(&str, &str); 4] = [
    ("vs_subprocess", "subprocess"),
    ("vs_bubblewrap", "bubblewrap"),
    ("vs_evalplus", "evalplus"),
    ("vs_verl", "verl"),
];

/// Prints the whole report. The first record is the sandbox with the clients asked for.
pub(crate) fn print(records: &[Record], clients: usize) {
    let ours = &records[0];
    println!("\n{} rounds, {clients} clients, medians; programs: in one batch of one round", ours.batches.len());
    println!(
        "{:<18} {:>9} {:>11} {:>8} {:>8} {:>8} {:>15} {:>12}",
        "", "programs", "programs/s", "p50 ms", "p99 ms", "p99/p50", "CPU ms/program", "ours is ... x"
    );
    let mut figures = Map::new();
    for record in records {
        let rate = record.median(Batch::per_second);
        let (p50, p99) = (record.median(|batch| batch.p50_ms), record.median(|batch| batch.p99_ms));
        let cpu = record.median(Batch::cpu_ms);
        let (ratio, low, high) = paired(ours, record, Batch::per_second);
        println!(
            "{:<18} {:>9} {rate:>11.1} {p50:>8.2} {p99:>8.2} {:>8.2} {cpu:>15.2} {ratio:>5.2} ({low:.2}-{high:.2})",
            record.name,
            record.num_programs,
            p99 / p50,
        );
        figures.insert(
            record.name.clone(),
            json!({"programs_per_second": rate, "p50_ms": p50, "p99_ms": p99, "p99_over_p50": p99 / p50, "cpu_ms": cpu}),
        );
    }
    let mut ratios = Map::new();
    for (name, side) in RATES {
        if let Some(record) = records.iter().find(|record| record.name == side) {
            ratios.insert(name.to_owned(), json!(paired(ours, record, Batch::per_second).0));
        }
    }
    if let Some(bare) = records.iter().find(|record| record.name == "bare") {
        let (ratio, low, high) = paired(ours, bare, Batch::cpu_ms);
        println!(
            "\nisolation overhead, CPU per program of ours over bare less one: {:.1} % ({:.1}-{:.1})",
            100.0 * (ratio - 1.0),
            100.0 * (low - 1.0),
            100.0 * (high - 1.0)
        );
        ratios.insert("isolation_overhead".to_owned(), json!(ratio - 1.0));
    }
    let mut points: Vec<(usize, f64)> = records
        .iter()
        .filter(|record| record.name.starts_with("ours"))
        .map(|record| (record.workers, record.median(Batch::per_second)))
        .collect();
    points.sort_by_key(|(workers, _)| *workers);
    figures.insert("scaling".to_owned(), scaling::print(&points));
    figures.insert("clients".to_owned(), json!(clients));
    figures.insert("rounds".to_owned(), json!(ours.batches.len()));
    let line: Value = json!({"area": "sandbox", "ratios": ratios, "figures": figures});
    println!("\n{line}");
}

/// Median, lowest and highest over rounds of a quantity of ours divided by that of another side in the same round.
fn paired(ours: &Record, other: &Record, of: impl Fn(&Batch) -> f64) -> (f64, f64, f64) {
    let ratios: Vec<f64> = ours.batches.iter().zip(&other.batches).map(|(ours, other)| of(ours) / of(other)).collect();
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (median(ratios), low, high)
}
