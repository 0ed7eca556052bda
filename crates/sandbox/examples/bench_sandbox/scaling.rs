//! How the rate grows with workers: measured up to the number of processors, modelled beyond.

use serde_json::{Value, json};

/// The worker counts to measure: one, and doubling up to the processors there are.
pub(crate) fn measured_counts() -> Vec<usize> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::iter::successors(Some(1), |count| Some(count * 2)).take_while(|count| *count <= processors).collect()
}

/// Amdahl's law, which is the Universal Scalability Law without its crosstalk term: with `n` workers on as many processors,
/// `rate(n) = n * rate(1) / (1 + contention * (n - 1))`.
pub(crate) struct Model {
    single: f64,
    contention: f64,
}

impl Model {
    /// The contention that fits the measured points best in the least-squares sense; `None` without points above one worker.
    ///
    /// Each point says `n * rate(1) / rate(n) - 1 = contention * (n - 1)`: a line through the origin.
    pub(crate) fn fit(points: &[(usize, f64)]) -> Option<Self> {
        let single = points.iter().find(|(workers, _)| *workers == 1)?.1;
        let (mut above, mut below) = (0.0, 0.0);
        for (workers, rate) in points.iter().filter(|(workers, _)| *workers > 1) {
            let others = (*workers - 1) as f64;
            above += others * (*workers as f64 * single / rate - 1.0);
            below += others * others;
        }
        (below > 0.0).then(|| Self { single, contention: (above / below).max(0.0) })
    }

    fn rate(&self, workers: usize) -> f64 {
        let count = workers as f64;
        count * self.single / (1.0 + self.contention * (count - 1.0))
    }
}

/// Prints the measured points and the model beyond them, and returns both.
pub(crate) fn print(points: &[(usize, f64)]) -> Value {
    println!("\nscaling of the sandbox, as many clients as workers");
    for (workers, rate) in points {
        println!("  {workers:>3} workers {rate:>9.0} programs/s  measured");
    }
    let measured: Vec<Value> = points.iter().map(|(workers, rate)| json!([workers, rate])).collect();
    let Some(model) = Model::fit(points) else { return json!({"measured": measured}) };
    let largest = points.iter().map(|(workers, _)| *workers).max().unwrap_or(1);
    let mut modelled = Vec::new();
    for workers in [2_usize, 4, 8, 16, 32, 64].into_iter().filter(|workers| *workers > largest) {
        println!("  {workers:>3} workers {:>9.0} programs/s  modelled", model.rate(workers));
        modelled.push(json!([workers, model.rate(workers)]));
    }
    println!(
        "  modelled: Amdahl, rate(n) = n * rate(1) / (1 + c * (n - 1)) with n workers on n processors; c = {:.3} from the \
         measured points, never below 0",
        model.contention
    );
    json!({"measured": measured, "modelled": modelled, "contention": model.contention})
}
