//! Rounds of the sides in turn, and what they come to.

use codeward_lm::ModelConfig;
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::bound::{matrix_rate, training_operations};
use crate::case::{Case, Work};
use crate::side::{Engine, Side};

/// What one side came to.
struct Outcome {
    name: &'static str,
    about: Value,
    /// Seconds of each round by the clock.
    times: Vec<f64>,
    /// Seconds of each round on processors, all threads together.
    processor_times: Vec<f64>,
    /// The first round's number, by which sides are compared.
    check: f64,
    /// The most bytes in memory, and those before the model was loaded.
    peak: u64,
    start: u64,
}

/// All measurements of a run.
pub(crate) struct Bench {
    rounds: usize,
    threads: usize,
    /// Operations per second of the matrix engine, measured before every case.
    rates: Vec<f64>,
    ratios: Map<String, Value>,
    figures: Map<String, Value>,
    worst_peak: Option<f64>,
}

impl Bench {
    pub(crate) fn new(rounds: usize, threads: usize) -> Result<Self, Failure> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        println!(
            "{:<20} {:<18} {:>9} {:>9} {:>9} {:>6} {:>10} {:>6}",
            "case", "side", "tokens/s", "best", "peak MiB", "ratio", "processors", "bound"
        );
        let (ratios, figures) = (Map::new(), Map::new());
        Ok(Self { rounds, threads, rates: Vec::new(), ratios, figures, worst_peak: None })
    }

    pub(crate) fn note(&mut self, name: &str, value: Value) {
        self.figures.insert(name.to_owned(), value);
    }

    /// A training case: ours with activations kept and computed again, and the others.
    pub(crate) fn training(&mut self, case: &Case, others: &[Engine]) -> Result<(), Failure> {
        let again = Case { recompute: true, ..case.clone() };
        let mut sides = vec![("ours", Engine::Ours, case), ("ours, recomputing", Engine::Ours, &again)];
        sides.extend(others.iter().map(|engine| (engine.name(), engine.clone(), case)));
        let outcomes = self.interleave(&sides)?;
        self.report(case, &outcomes)
    }

    /// A decoding case: ours in single precision and with matrices in bfloat16, and the others.
    pub(crate) fn decoding(&mut self, case: &Case, others: &[Engine]) -> Result<(), Failure> {
        let rounded = Case { rounded: true, ..case.clone() };
        let mut sides = vec![("ours", Engine::Ours, case), ("ours, bfloat16", Engine::Ours, &rounded)];
        sides.extend(others.iter().map(|engine| (engine.name(), engine.clone(), case)));
        let outcomes = self.interleave(&sides)?;
        self.report(case, &outcomes)
    }

    fn interleave(&mut self, sides: &[(&'static str, Engine, &Case)]) -> Result<Vec<Outcome>, Failure> {
        self.rates.push(matrix_rate());
        let mut running = Vec::new();
        for (name, engine, case) in sides {
            let side = Side::start(engine, case, self.threads).map_err(|error| format!("{name}: {error}"))?;
            let about = side.about.clone();
            let (times, processor_times) = (Vec::new(), Vec::new());
            running.push((side, Outcome { name, about, times, processor_times, check: 0.0, peak: 0, start: 0 }));
        }
        for round in 0..=self.rounds {
            for (side, outcome) in &mut running {
                let [seconds, on_processors, check] =
                    side.round().map_err(|error| format!("{}: {error}", outcome.name))?;
                if round == 0 {
                    outcome.check = check;
                } else {
                    outcome.times.push(seconds);
                    outcome.processor_times.push(on_processors);
                }
            }
        }
        let mut outcomes = Vec::new();
        for (side, mut outcome) in running {
            (outcome.peak, outcome.start) = side.end()?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn report(&mut self, case: &Case, outcomes: &[Outcome]) -> Result<(), Failure> {
        let ours = &outcomes[0];
        let tokens = case.num_tokens() as f64;
        let is_training = matches!(case.work, Work::Train | Work::Adapt);
        let text = std::fs::read_to_string(case.model.join("config.json"))?;
        let config: ModelConfig = serde_json::from_str(&text)?;
        let rate = self.rates.last().copied().unwrap_or(f64::NAN);
        let mut sides = Map::new();
        for outcome in outcomes {
            let (median, best) = (median(&outcome.times), outcome.times.iter().copied().fold(f64::INFINITY, f64::min));
            let ratio = paired_ratio(&outcome.times, &ours.times);
            let processors = paired_ratio(&outcome.processor_times, &ours.processor_times);
            let is_ours = std::ptr::eq(outcome, ours);
            let share = is_training.then(|| training_operations(case, &config) / median / rate);
            println!(
                "{:<20} {:<18} {:>9.0} {:>9.0} {:>9.0} {:>6} {:>10} {:>6}",
                case.name,
                outcome.name,
                tokens / median,
                tokens / best,
                outcome.peak as f64 / f64::from(1 << 20),
                if is_ours { String::new() } else { format!("{ratio:.2}") },
                if is_ours { String::new() } else { format!("{processors:.2}") },
                share.map_or_else(String::new, |share| format!("{share:.2}")),
            );
            let side = json!({
                "tokens_per_second": tokens / median, "best_tokens_per_second": tokens / best, "seconds": outcome.times,
                "processor_seconds": outcome.processor_times, "processor_ratio": processors,
                "peak_bytes": outcome.peak, "bytes_before_loading": outcome.start, "check": outcome.check,
                "share_of_matrix_rate": share, "about": outcome.about,
            });
            sides.insert(outcome.name.to_owned(), side);
            self.keep_ratio(case, outcome, ours, ratio);
        }
        compare(case, outcomes);
        self.figures.insert(case.name.clone(), json!({"case": case, "matrix_rate": rate, "sides": sides}));
        Ok(())
    }

    fn keep_ratio(&mut self, case: &Case, outcome: &Outcome, ours: &Outcome, ratio: f64) {
        let is_training = matches!(case.work, Work::Train | Work::Adapt);
        match outcome.name {
            "torch" => {
                self.ratios.insert(case.name.clone(), json!(ratio));
                let peak = ours.peak as f64 / outcome.peak as f64;
                if is_training {
                    self.ratios.insert(format!("peak_memory_{}", case.name), json!(peak));
                    self.worst_peak = Some(self.worst_peak.map_or(peak, |worst| worst.max(peak)));
                }
            }
            "llamacpp" => {
                let name = match case.name.strip_prefix("decode_") {
                    Some(batch) => format!("decode_vs_llamacpp_{batch}"),
                    None => format!("{}_vs_llamacpp", case.name),
                };
                self.ratios.insert(name, json!(ratio));
            }
            "ours, bfloat16" => {
                self.figures.insert(format!("{}_bfloat16_time", case.name), json!(ratio));
            }
            // Recomputation: the time that it takes by the time without.
            "ours, recomputing" => {
                self.figures.insert(format!("{}_recomputation_time", case.name), json!(ratio));
            }
            _ => {}
        }
    }

    /// Everything, as one JSON object.
    pub(crate) fn summary(mut self) -> Value {
        if let Some(worst) = self.worst_peak {
            self.ratios.insert("peak_memory".to_owned(), json!(worst));
        }
        let host = json!({"threads": self.threads, "matrix_rates": self.rates});
        json!({"area": "lm", "host": host, "ratios": self.ratios, "figures": self.figures})
    }
}

/// Says when sides did not compute the same.
fn compare(case: &Case, outcomes: &[Outcome]) {
    // Drawn tokens agree for greedy decoding only, and one of many rows may have a near tie.
    if case.work == Work::Sample {
        return;
    }
    let wanted = outcomes[0].check;
    for outcome in outcomes {
        let error = (outcome.check - wanted).abs() / wanted.abs().max(1.0);
        // NaN is no agreement.
        if error.is_nan() || error > 1e-3 {
            println!("{}: {} computed {} where ours computed {wanted}", case.name, outcome.name, outcome.check);
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// The median over rounds of one side's time by another's in the same round.
fn paired_ratio(times: &[f64], by: &[f64]) -> f64 {
    median(&times.iter().zip(by).map(|(time, by)| time / by).collect::<Vec<_>>())
}
