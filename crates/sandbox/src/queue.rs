//! A bounded line of programs in front of a sandbox, for callers that must not block and for those that may.
//!
//! Whoever submits waits for room ([`Queue::submit`]), or is refused ([`Queue::try_submit`]); whoever is let in holds a
//! [`Ticket`], and every ticket is answered exactly once. No async runtime is needed, and any will do: workers are threads,
//! and a ticket is a plain future.
//!
//! ```no_run
//! use std::sync::Arc;
//! use codeward_sandbox::{Program, Queue, Sandbox};
//!
//! # async fn example() -> Result<(), codeward_sandbox::SandboxError> {
//! let queue = Queue::new(Arc::new(Sandbox::start(4)?), 64)?;
//! let program = Program { source: b"print(6 * 7)".to_vec(), ..Program::default() };
//! let ticket = queue.submit(program.into()).await;
//! assert_eq!(ticket.await?.stdout, b"42\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Locks
//!
//! There are two kinds, the line's and each ticket's, and the line's is taken first. Wakers, which are foreign code, are
//! only ever called with neither held.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cancel::{Cancellation, Patience};
use crate::error::SandboxError;
use crate::outcome::Outcome;
use crate::pool::Sandbox;
use crate::program::Program;
use crate::promise::{Answer, Promise, Slot, wake};

type Run = dyn Fn(&Program, Patience<'_>) -> Answer + Send + Sync;

/// One program to be run, and how long somebody has use for its outcome.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// The program.
    pub program: Program,
    /// When its outcome is of no use any more, whether or not it has started by then.
    pub deadline: Option<Instant>,
    /// Gives it up from outside, perhaps together with others.
    pub cancellation: Option<Cancellation>,
}

impl From<Program> for Item {
    fn from(program: Program) -> Self {
        Self { program, ..Self::default() }
    }
}

/// There is no room, and here is the item back.
#[derive(Debug, thiserror::Error)]
#[error("the queue is full")]
pub struct Full(pub Box<Item>);

/// How much a queue has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Callers that are held back until there is room for their item.
    pub held_back: usize,
    /// Items let in that have not started.
    pub waiting: usize,
    /// Items that run.
    pub running: usize,
    /// Items answered since the queue was made, one way or another.
    pub finished: u64,
    /// How many may wait.
    pub capacity: usize,
}

/// A bounded line of programs in front of a sandbox.
///
/// Items start in the order in which they were submitted, each as soon as one of the sandbox's workers is free, and are
/// answered as they end. Dropping the queue closes it.
pub struct Queue {
    line: Arc<Line>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queue").field("load", &self.load()).finish_non_exhaustive()
    }
}

impl Queue {
    /// A queue that lets `capacity` items wait, at least one, and runs as many at a time as the sandbox has workers.
    ///
    /// # Errors
    ///
    /// `Engine` when its threads cannot be started.
    pub fn new(sandbox: Arc<Sandbox>, capacity: usize) -> Result<Self, SandboxError> {
        let num_workers = sandbox.workers();
        let run: Arc<Run> = Arc::new(move |program, patience| sandbox.run_with(program, patience));
        Self::with_runner(&run, num_workers, capacity)
    }

    fn with_runner(run: &Arc<Run>, num_workers: usize, capacity: usize) -> Result<Self, SandboxError> {
        let line = Arc::new(Line {
            places: Mutex::default(),
            has_work: Condvar::new(),
            has_dates: Condvar::new(),
            capacity: capacity.max(1),
        });
        // Made first, so that a thread that cannot be started ends those before it.
        let queue = Self { line, threads: Mutex::default() };
        for number in 0..num_workers {
            let (line, run) = (Arc::clone(&queue.line), Arc::clone(run));
            queue.start(format!("sandbox-queue-{number}"), move || line.work(&*run))?;
        }
        let line = Arc::clone(&queue.line);
        queue.start("sandbox-queue-dates".to_owned(), move || line.keep_dates())?;
        Ok(queue)
    }

    fn start(&self, name: String, task: impl FnOnce() + Send + 'static) -> Result<(), SandboxError> {
        let thread = std::thread::Builder::new().name(name).spawn(task);
        let thread = thread.map_err(|error| SandboxError::engine("starting a thread", error))?;
        self.threads().push(thread);
        Ok(())
    }

    /// Waits until there is room for an item, and lets it in. Those who wait are let in first come, first served.
    ///
    /// Nothing happens before the first poll. Dropping the future withdraws the item. An item that is given up while it is
    /// held back ends the wait too, with a ticket that says so; so does the end of the queue.
    pub async fn submit(&self, item: Item) -> Ticket {
        let ticket = self.line.enter(self.line.places(), item);
        std::future::poll_fn(|context| ticket.slot.poll_let_in(context)).await;
        ticket
    }

    /// As [`Queue::submit`], and blocks this thread meanwhile.
    pub fn submit_blocking(&self, item: Item) -> Ticket {
        let ticket = self.line.enter(self.line.places(), item);
        ticket.slot.wait_let_in();
        ticket
    }

    /// Lets an item in, where there is room at once.
    ///
    /// # Errors
    ///
    /// `Full` with the item when there is none.
    pub fn try_submit(&self, item: Item) -> Result<Ticket, Full> {
        let places = self.line.places();
        if places.is_full(self.line.capacity) {
            return Err(Full(Box::new(item)));
        }
        Ok(self.line.enter(places, item))
    }

    /// How much there is to do.
    pub fn load(&self) -> Load {
        let places = self.line.places();
        Load {
            held_back: places.held_back.len(),
            waiting: places.waiting.len(),
            running: places.running.len(),
            finished: places.num_finished,
            capacity: self.line.capacity,
        }
    }

    /// Ends everything: items that wait and items that run are answered with `Cancelled`, and the threads are gone when
    /// this returns. Whoever submits afterwards is answered with `Cancelled` too.
    pub fn close(&self) {
        self.line.close();
        // Held until all have ended, so that whoever else closes it waits as well.
        let mut threads = self.threads();
        for thread in threads.drain(..) {
            // A waker of somebody's may own the queue, and then it is dropped by one of its own threads.
            if thread.thread().id() != std::thread::current().id() {
                // Panics of the run itself are caught, and whatever else fell is answered by its `Promise`.
                let _ = thread.join();
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

/// The right to one answer: a future of it, or something to wait for.
///
/// Dropping it before the answer cancels the item: nobody could learn what became of it.
#[must_use = "dropping a ticket cancels its item"]
pub struct Ticket {
    id: u64,
    slot: Arc<Slot>,
    line: Arc<Line>,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Ticket {
    /// Blocks this thread until there is an answer.
    ///
    /// # Errors
    ///
    /// Those of [`Sandbox::run_with`]; `Cancelled` also when the queue was closed, and `Engine` when one of its threads
    /// fell over this item.
    pub fn wait(self) -> Result<Outcome, SandboxError> {
        self.slot.wait_answer()
    }

    /// Gives the item up. It is answered with `Cancelled`, at once where it has not started, unless it had just ended.
    pub fn cancel(&self) {
        self.line.cancel(self.id);
    }

    /// Whether the answer is there.
    pub fn is_answered(&self) -> bool {
        self.slot.is_answered()
    }
}

impl Future for Ticket {
    type Output = Result<Outcome, SandboxError>;

    /// # Panics
    ///
    /// When it is polled again after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll_answer(context)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_answered() {
            self.cancel();
        }
    }
}

/// One item in line.
struct Entry {
    id: u64,
    item: Item,
    promise: Promise,
}

impl Entry {
    fn given_up(&self) -> Option<SandboxError> {
        Patience { deadline: self.item.deadline, cancellation: self.item.cancellation.as_ref() }.exhausted()
    }
}

/// What is to be done once the lock of the line is free.
#[derive(Default)]
struct Afterwards {
    answers: Vec<(Promise, SandboxError)>,
    wakers: Vec<Waker>,
}

impl Afterwards {
    fn go(self) {
        for (promise, error) in self.answers {
            promise.answer(Err(error));
        }
        self.wakers.into_iter().for_each(wake);
    }
}

#[derive(Default)]
struct Places {
    held_back: VecDeque<Entry>,
    waiting: VecDeque<Entry>,
    running: BTreeMap<u64, Cancellation>,
    next_id: u64,
    /// When the keeper of dates looks next; never, where there is no date.
    next_look: Option<Instant>,
    num_finished: u64,
    is_closed: bool,
}

impl Places {
    fn is_full(&self, capacity: usize) -> bool {
        !self.is_closed && (self.waiting.len() >= capacity || !self.held_back.is_empty())
    }

    /// Takes out an item that has not started.
    fn remove(&mut self, id: u64) -> Option<Entry> {
        for line in [&mut self.waiting, &mut self.held_back] {
            // Both are sorted by number.
            if let Ok(at) = line.binary_search_by_key(&id, |entry| entry.id) {
                return line.remove(at);
            }
        }
        None
    }

    /// Takes out every item that has not started and for which there is a reason.
    fn give_up(&mut self, reason: impl Fn(&Entry) -> Option<SandboxError>, afterwards: &mut Afterwards) {
        for line in [&mut self.waiting, &mut self.held_back] {
            if !line.iter().any(|entry| reason(entry).is_some()) {
                continue;
            }
            for entry in std::mem::take(line) {
                if let Some(error) = reason(&entry) {
                    self.num_finished += 1;
                    afterwards.answers.push((entry.promise, error));
                } else {
                    line.push_back(entry);
                }
            }
        }
    }
}

/// What callers, workers and the keeper of dates share.
struct Line {
    places: Mutex<Places>,
    /// There is something to run, or nothing ever again.
    has_work: Condvar,
    /// There is a new date to be kept, or none ever again.
    has_dates: Condvar,
    capacity: usize,
}

/// How often it is looked whether items in line have been cancelled from outside.
const CANCELLATION_LOOK: Duration = Duration::from_millis(20);

impl Line {
    fn places(&self) -> MutexGuard<'_, Places> {
        // Every change is whole before anything that could panic.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item at the end of the line, inside or outside.
    fn enter(self: &Arc<Self>, mut places: MutexGuard<'_, Places>, item: Item) -> Ticket {
        let (promise, slot) = Promise::new();
        let mut afterwards = Afterwards::default();
        let is_news = next_look([&item]).is_some_and(|date| places.next_look.is_none_or(|next| date < next));
        let id = places.next_id;
        places.next_id += 1;
        if places.is_closed {
            places.num_finished += 1;
            afterwards.answers.push((promise, SandboxError::Cancelled));
        } else {
            places.held_back.push_back(Entry { id, item, promise });
            self.let_in(&mut places, &mut afterwards);
        }
        drop(places);
        if is_news {
            self.has_dates.notify_one();
        }
        afterwards.go();
        Ticket { id, slot, line: Arc::clone(self) }
    }

    /// Fills the room there is with those held back longest.
    fn let_in(&self, places: &mut Places, afterwards: &mut Afterwards) {
        while places.waiting.len() < self.capacity
            && let Some(entry) = places.held_back.pop_front()
        {
            afterwards.wakers.extend(entry.promise.let_in());
            places.waiting.push_back(entry);
            self.has_work.notify_one();
        }
    }

    fn cancel(&self, id: u64) {
        let mut afterwards = Afterwards::default();
        let mut places = self.places();
        if let Some(entry) = places.remove(id) {
            places.num_finished += 1;
            afterwards.answers.push((entry.promise, SandboxError::Cancelled));
            self.let_in(&mut places, &mut afterwards);
        }
        let running = places.running.get(&id).cloned();
        drop(places);
        running.iter().for_each(Cancellation::cancel);
        afterwards.go();
    }

    fn close(&self) {
        let mut afterwards = Afterwards::default();
        let mut places = self.places();
        places.is_closed = true;
        places.give_up(|_| Some(SandboxError::Cancelled), &mut afterwards);
        let running: Vec<Cancellation> = places.running.values().cloned().collect();
        drop(places);
        self.has_work.notify_all();
        self.has_dates.notify_all();
        running.iter().for_each(Cancellation::cancel);
        afterwards.go();
    }

    /// What each worker's thread does.
    fn work(&self, run: &Run) {
        while let Some((entry, cancellation)) = self.next() {
            let Entry { id, item, promise } = entry;
            let answer = match cancellation {
                Ok(cancellation) => {
                    let patience = Patience { deadline: item.deadline, cancellation: Some(&cancellation) };
                    // A date that has passed comes before a mistake in the program: nothing of it is looked at.
                    patience.exhausted().map_or_else(|| run_caught(run, &item.program, patience), Err)
                }
                Err(error) => Err(error),
            };
            let mut places = self.places();
            places.running.remove(&id);
            places.num_finished += 1;
            drop(places);
            promise.answer(answer);
        }
    }

    /// Waits for the first in line, and has it run from now on.
    fn next(&self) -> Option<(Entry, Result<Cancellation, SandboxError>)> {
        let mut places = self.places();
        let entry = loop {
            if places.is_closed {
                return None;
            }
            if let Some(entry) = places.waiting.pop_front() {
                break entry;
            }
            places = self.has_work.wait(places).unwrap_or_else(PoisonError::into_inner);
        };
        // Made now and not earlier: each takes a descriptor, and many may wait.
        let cancellation = entry.item.cancellation.as_ref().map_or_else(Cancellation::new, Cancellation::child);
        if let Ok(cancellation) = &cancellation {
            places.running.insert(entry.id, cancellation.clone());
        }
        let mut afterwards = Afterwards::default();
        self.let_in(&mut places, &mut afterwards);
        drop(places);
        afterwards.go();
        Some((entry, cancellation))
    }

    /// What the keeper's thread does: answers those who are given up before they have started, however busy the workers are.
    fn keep_dates(&self) {
        let mut places = self.places();
        while !places.is_closed {
            let mut afterwards = Afterwards::default();
            places.give_up(Entry::given_up, &mut afterwards);
            if !afterwards.answers.is_empty() {
                self.let_in(&mut places, &mut afterwards);
                drop(places);
                afterwards.go();
                places = self.places();
                continue;
            }
            let entries = places.waiting.iter().chain(&places.held_back);
            let look = next_look(entries.map(|entry| &entry.item));
            places.next_look = look;
            places = match look {
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.has_dates.wait_timeout(places, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.has_dates.wait(places).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// When it is to be looked at some items again, if ever.
fn next_look<'a>(items: impl IntoIterator<Item = &'a Item>) -> Option<Instant> {
    let mut date = None;
    let mut has_cancellation = false;
    for item in items {
        date = [date, item.deadline].into_iter().flatten().min();
        has_cancellation |= item.cancellation.is_some();
    }
    let look = has_cancellation.then(|| Instant::now() + CANCELLATION_LOOK);
    [date, look].into_iter().flatten().min()
}

fn run_caught(run: &Run, program: &Program, patience: Patience<'_>) -> Answer {
    catch_unwind(AssertUnwindSafe(|| run(program, patience))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(SandboxError::engine("running a program: a panic", text))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn item(name: &str) -> Item {
        Program { source: name.as_bytes().to_vec(), ..Program::default() }.into()
    }

    /// A queue with one worker that runs each program when it is told to, and says which.
    struct Stepped {
        queue: Queue,
        started: mpsc::Receiver<String>,
        go: mpsc::Sender<()>,
    }

    fn stepped(capacity: usize) -> Stepped {
        let (tell, started) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let (tell, wait) = (Mutex::new(tell), Mutex::new(wait));
        let run = move |program: &Program, patience: Patience<'_>| {
            let name = String::from_utf8(program.source.clone()).unwrap();
            tell.lock().unwrap().send(name.clone()).unwrap();
            assert!(name != "panics", "as asked");
            while wait.lock().unwrap().recv_timeout(Duration::from_millis(5)).is_err() {
                if let Some(error) = patience.exhausted() {
                    return Err(error);
                }
            }
            Err(SandboxError::CouldNotStart { reason: name })
        };
        Stepped { queue: Queue::with_runner(&(Arc::new(run) as Arc<Run>), 1, capacity).unwrap(), started, go }
    }

    fn name_of(answer: Answer) -> String {
        match answer {
            Err(SandboxError::CouldNotStart { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn items_start_in_the_order_of_their_submission() {
        let Stepped { queue, started, go } = stepped(2);
        let first = queue.submit_blocking(item("0"));
        assert_eq!(started.recv().unwrap(), "0");
        std::thread::scope(|scope| {
            let mut threads = vec![];
            for number in 1..6 {
                let queue = &queue;
                threads.push(scope.spawn(move || name_of(queue.submit_blocking(item(&number.to_string())).wait())));
                while queue.load().waiting + queue.load().held_back < number {
                    std::thread::yield_now();
                }
            }
            let load = queue.load();
            assert_eq!((load.held_back, load.waiting, load.running, load.finished, load.capacity), (3, 2, 1, 0, 2));
            for number in 1..6 {
                go.send(()).unwrap();
                assert_eq!(started.recv().unwrap(), number.to_string());
            }
            go.send(()).unwrap();
            for (number, thread) in threads.into_iter().enumerate() {
                assert_eq!(thread.join().unwrap(), (number + 1).to_string());
            }
        });
        assert_eq!(name_of(first.wait()), "0");
        assert_eq!(queue.load().finished, 6);
    }

    #[test]
    fn a_panic_is_an_answer_and_the_worker_goes_on() {
        let Stepped { queue, started, go } = stepped(4);
        let error = queue.submit_blocking(item("panics")).wait().unwrap_err();
        assert!(matches!(&error, SandboxError::Engine { reason } if reason.contains("as asked")), "{error}");
        let next = queue.submit_blocking(item("next"));
        go.send(()).unwrap();
        assert_eq!(name_of(next.wait()), "next");
        assert_eq!(started.try_iter().collect::<Vec<_>>(), ["panics", "next"]);
    }

    #[test]
    fn a_withdrawn_submission_takes_no_place() {
        let Stepped { queue, started, go } = stepped(1);
        let running = queue.submit_blocking(item("running"));
        started.recv().unwrap();
        let waiting = queue.submit_blocking(item("waiting"));
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut held_back = Box::pin(queue.submit(item("withdrawn")));
            assert_eq!(queue.load().held_back, 0);
            assert!(held_back.as_mut().poll(&mut context).is_pending());
            assert_eq!(queue.load().held_back, 1);
            let Full(back) = queue.try_submit(item("refused")).unwrap_err();
            assert_eq!(back.program.source, b"refused");
        }
        assert_eq!(queue.load().held_back, 0);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!((name_of(running.wait()), name_of(waiting.wait())), ("running".to_owned(), "waiting".to_owned()));
        assert_eq!(started.try_iter().collect::<Vec<_>>(), ["waiting"]);
    }

    #[test]
    fn a_cancelled_place_goes_to_who_is_held_back() {
        let Stepped { queue, started, .. } = stepped(1);
        let _running = queue.submit_blocking(item("running"));
        started.recv().unwrap();
        let waiting = queue.submit_blocking(item("waiting"));
        let mut context = Context::from_waker(Waker::noop());
        let mut held_back = Box::pin(queue.submit(item("held back")));
        assert!(held_back.as_mut().poll(&mut context).is_pending());
        waiting.cancel();
        assert!(waiting.is_answered());
        assert!(held_back.as_mut().poll(&mut context).is_ready());
        assert!(matches!(waiting.wait(), Err(SandboxError::Cancelled)));
    }

    #[test]
    fn dates_are_kept_while_every_worker_is_busy() {
        let Stepped { queue, started, .. } = stepped(4);
        let _running = queue.submit_blocking(item("running"));
        started.recv().unwrap();
        let cancellation = Cancellation::new().unwrap();
        let cancelled = queue.submit_blocking(Item { cancellation: Some(cancellation.clone()), ..item("cancelled") });
        let deadline = Some(Instant::now() + Duration::from_millis(50));
        let late = queue.submit_blocking(Item { deadline, ..item("late") });
        assert!(matches!(late.wait(), Err(SandboxError::DeadlinePassed)));
        assert!(Some(Instant::now()) >= deadline);
        assert!(!cancelled.is_answered());
        cancellation.cancel();
        assert!(matches!(cancelled.wait(), Err(SandboxError::Cancelled)));
        assert_eq!(started.try_iter().count(), 0);
    }

    #[test]
    fn a_closed_queue_answers_at_once() {
        let Stepped { queue, started, .. } = stepped(1);
        let running = queue.submit_blocking(item("running"));
        started.recv().unwrap();
        let waiting = queue.submit_blocking(item("waiting"));
        queue.close();
        let after = queue.try_submit(item("after")).unwrap();
        for ticket in [running, waiting, after, queue.submit_blocking(item("after"))] {
            assert!(ticket.is_answered());
            assert!(matches!(ticket.wait(), Err(SandboxError::Cancelled)));
        }
        assert_eq!(queue.load().finished, 4);
    }

    #[test]
    fn no_answer_is_lost_among_many_who_change_their_minds() {
        let run = |program: &Program, patience: Patience<'_>| {
            let number = program.source.len();
            assert!(!number.is_multiple_of(17), "as asked");
            std::thread::sleep(Duration::from_micros(number as u64 % 7 * 100));
            let name = number.to_string();
            Err(patience.exhausted().unwrap_or(SandboxError::CouldNotStart { reason: name }))
        };
        let queue = Queue::with_runner(&(Arc::new(run) as Arc<Run>), 3, 5).unwrap();
        let num_own_answers = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (queue, num_own_answers) = (&queue, &num_own_answers);
                scope.spawn(move || {
                    for number in (thread..800).step_by(4) {
                        let deadline = (number % 5 == 0).then(|| Instant::now() + Duration::from_micros(300));
                        let cancellation = (number % 7 == 0).then(|| Cancellation::new().unwrap());
                        let item =
                            Item { deadline, cancellation: cancellation.clone(), ..item(&"x".repeat(number as usize)) };
                        let ticket = queue.submit_blocking(item);
                        cancellation.iter().for_each(Cancellation::cancel);
                        match number % 6 {
                            0 => drop(ticket),
                            1 => ticket.cancel(),
                            _ => match ticket.wait().unwrap_err() {
                                SandboxError::CouldNotStart { reason } => {
                                    assert_eq!(reason, number.to_string());
                                    num_own_answers.fetch_add(1, Ordering::SeqCst);
                                }
                                SandboxError::Engine { .. } => assert_eq!(number % 17, 0),
                                SandboxError::Cancelled => assert!(cancellation.is_some()),
                                SandboxError::DeadlinePassed => assert!(deadline.is_some()),
                                other => panic!("{other}"),
                            },
                        }
                    }
                });
            }
        });
        queue.close();
        let load = queue.load();
        assert_eq!((load.held_back, load.waiting, load.running, load.finished), (0, 0, 0, 800));
        // Nobody has a reason to give up four in six of those with neither date, cancellation nor panic.
        assert!(num_own_answers.into_inner() > 800 * 4 / 6 * 4 / 5 * 6 / 7 * 15 / 17);
    }

    #[test]
    fn a_waker_that_panics_costs_no_thread() {
        struct Falls(AtomicUsize);
        impl std::task::Wake for Falls {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
                panic!("as asked");
            }
        }
        let Stepped { queue, started, go } = stepped(1);
        let falls = Arc::new(Falls(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&falls));
        let mut ticket = queue.submit_blocking(item("first"));
        assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(name_of(queue.submit_blocking(item("second")).wait()), "second");
        assert_eq!(name_of(ticket.wait()), "first");
        assert_eq!(falls.0.load(Ordering::SeqCst), 1);
        assert_eq!(started.try_iter().count(), 2);
    }
}
