//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use codeward_training::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// One piece of work with a known length.
pub(crate) struct Progress {
    bar: ProgressBar,
    title: String,
    on_terminal: bool,
    started: Instant,
    last_line: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(title: &str, length: u64) -> Self {
        let on_terminal = io::stderr().is_terminal();
        let target = if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{prefix:<28} {bar:24} {pos}/{len} {per_sec}, {eta} left  {msg}")
            .expect("the template is well formed");
        bar.set_style(style);
        bar.set_prefix(title.to_owned());
        Self { bar, title: title.to_owned(), on_terminal, started: Instant::now(), last_line: None }
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: u64, length: u64, message: &str) {
        self.bar.set_length(length);
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        let due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) || done == length;
        if !self.on_terminal && due {
            self.last_line = Some(Instant::now());
            let elapsed = self.started.elapsed().as_secs_f64();
            let rate = done as f64 / elapsed.max(1e-9);
            let left = (length.saturating_sub(done)) as f64 / rate.max(1e-9);
            let gap = if message.is_empty() { "" } else { "  " };
            note(&format!("{}: {done}/{length}  {rate:.1}/s, {left:.0} s left{gap}{message}", self.title));
        }
    }

    /// A training event.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Resumed { step } => self.say(&format!("continuing after step {step}")),
            Event::Step { metrics, num_steps, .. } => {
                let show = |key: &str, name: &str| {
                    metrics.values.get(key).map(|value| format!("{name} {value:.3}")).unwrap_or_default()
                };
                let parts = [
                    show("reward/mean", "reward"),
                    show("reward/all_tests_fraction", "works"),
                    show("reward/security", "security"),
                    show("loss/sft", "loss"),
                    show("loss/preference", "loss"),
                    show("preference/told_apart_fraction", "told apart"),
                    show("probe/functional", "probe"),
                ];
                let message = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
                self.at(metrics.step, *num_steps, &message);
            }
            Event::Alarm { step, alarm } => self.say(&format!("step {step}: {}", alarm.detail)),
            Event::SteppedBack { step, to, learning_rate_scale } => self.say(&format!(
                "step {step}: function fell, back to the policy of step {to} with {learning_rate_scale} of the learning rate"
            )),
            Event::Stopped { step, reason } => self.say(&format!("step {step}: stopped, {reason}")),
        }
    }

    fn say(&self, text: &str) {
        if self.on_terminal { self.bar.println(text) } else { note(text) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if self.on_terminal {
            note(&format!("{}: {} in {:.0} s", self.title, self.bar.position(), self.started.elapsed().as_secs_f64()));
        }
    }
}
