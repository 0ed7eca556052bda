//! Scoring completions on a thread of its own, while others are still being sampled.
//!
//! What a completion is worth depends on the completion and its task alone, not on what is scored with it, so results are those of
//! scoring everything at the end, in whatever order completions end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use codeward_records::Task;

/// Completions that are being scored. Dropped, it scores nothing more.
pub(crate) struct Scoring<'scope, T> {
    completions: Option<Sender<(usize, String)>>,
    is_given_up: Arc<AtomicBool>,
    thread: Option<ScopedJoinHandle<'scope, Scores<T>>>,
}

/// What a thread found.
struct Scores<T> {
    /// By the place of the completion.
    by_place: Vec<Option<T>>,
    busy: Duration,
}

/// How long scoring took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScoringTime {
    /// In which something was being scored.
    pub(crate) busy: Duration,
    /// In which somebody waited for it.
    pub(crate) waited: Duration,
}

impl<'scope, T: Send + 'scope> Scoring<'scope, T> {
    /// Starts the thread. The task of each place is known beforehand; `score` is given what has ended since it was last asked.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        tasks: Vec<&'scope Task>,
        score: impl Fn(&[(&Task, &str)]) -> Vec<T> + Send + 'scope,
    ) -> Self {
        let (sender, receiver) = channel();
        let is_given_up = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_given_up);
        let thread = scope.spawn(move || score_all(&tasks, &receiver, &stop, score));
        Self { completions: Some(sender), is_given_up, thread: Some(thread) }
    }

    /// Gives a completion by its place.
    pub(crate) fn give(&self, place: usize, completion: &str) {
        if let Some(completions) = &self.completions {
            // A thread that has ended has panicked, which is seen when it is joined.
            let _ = completions.send((place, completion.to_owned()));
        }
    }

    /// Waits for everything that was given: one result for each place.
    pub(crate) fn finish(mut self) -> (Vec<T>, ScoringTime) {
        let started = Instant::now();
        self.completions = None;
        let thread = self.thread.take().expect("only this takes it");
        let Scores { by_place, busy } = thread.join().expect("scoring does not panic");
        let results = by_place.into_iter().map(|result| result.expect("every place was given")).collect();
        (results, ScoringTime { busy, waited: started.elapsed() })
    }
}

impl<T> Drop for Scoring<'_, T> {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

fn score_all<T>(
    tasks: &[&Task],
    completions: &Receiver<(usize, String)>,
    is_given_up: &AtomicBool,
    score: impl Fn(&[(&Task, &str)]) -> Vec<T>,
) -> Scores<T> {
    let mut scores = Scores { by_place: tasks.iter().map(|_| None).collect(), busy: Duration::ZERO };
    while let Ok(first) = completions.recv() {
        let given: Vec<(usize, String)> = std::iter::once(first).chain(completions.try_iter()).collect();
        if is_given_up.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        let items: Vec<(&Task, &str)> = given.iter().map(|(place, text)| (tasks[*place], text.as_str())).collect();
        for ((place, _), result) in given.iter().zip(score(&items)) {
            scores.by_place[*place] = Some(result);
        }
        scores.busy += started.elapsed();
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> Task {
        Task {
            id: id.to_owned(),
            family: "family".to_owned(),
            language: codeward_records::Language::Python,
            cwe: codeward_records::Cwe(89),
            prompt: String::new(),
            adapter: String::new(),
            tests: Vec::new(),
            references: Vec::new(),
        }
    }

    #[test]
    fn results_are_by_place_whatever_the_order() {
        let (one, other) = (task("one"), task("other"));
        let (mut results, mut largest) = (Vec::new(), 0);
        for order in [[0, 1, 2], [2, 0, 1]] {
            let most = std::sync::Mutex::new(0);
            let (found, time) = std::thread::scope(|scope| {
                let scoring = Scoring::start(scope, vec![&one, &one, &other], |items| {
                    let mut most = most.lock().unwrap();
                    *most = items.len().max(*most);
                    items.iter().map(|(task, text)| format!("{} {text}", task.id)).collect()
                });
                for place in order {
                    scoring.give(place, &format!("text {place}"));
                }
                scoring.finish()
            });
            assert!(time.busy > Duration::ZERO);
            largest = largest.max(*most.lock().unwrap());
            results.push(found);
        }
        assert_eq!(results[0], ["one text 0", "one text 1", "other text 2"]);
        assert_eq!(results[0], results[1]);
        assert!((1..=3).contains(&largest));
    }

    #[test]
    fn completions_are_scored_before_the_last_is_given() {
        let task = task("one");
        let (seen, was_seen) = channel();
        std::thread::scope(|scope| {
            let scoring = Scoring::start(scope, vec![&task, &task], |items| {
                for (_, text) in items {
                    seen.send((*text).to_owned()).unwrap();
                }
                vec![(); items.len()]
            });
            scoring.give(1, "early");
            assert_eq!(was_seen.recv().unwrap(), "early");
            scoring.give(0, "late");
            assert_eq!(scoring.finish().0.len(), 2);
        });
        assert_eq!(was_seen.recv().unwrap(), "late");
    }

    #[test]
    fn dropped_it_ends_without_what_was_not_begun() {
        let task = task("one");
        let count = std::sync::atomic::AtomicUsize::new(0);
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        std::thread::scope(|scope| {
            let count = &count;
            let scoring = Scoring::start(scope, vec![&task; 3], move |items| {
                count.fetch_add(items.len(), Ordering::Relaxed);
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                vec![(); items.len()]
            });
            scoring.give(0, "begun");
            has_begun.recv().unwrap();
            scoring.give(1, "not begun");
            drop(scoring);
            go.send(()).unwrap();
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
