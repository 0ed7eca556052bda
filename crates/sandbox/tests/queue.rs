//! The queue in front of a real sandbox: room, dates, giving up, and one answer for every ticket.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use codeward_sandbox::{Cancellation, End, Full, Item, Outcome, Program, Queue, Sandbox, SandboxError, Ticket};

/// One for all, with two workers: each queue has threads of its own.
fn sandbox() -> Arc<Sandbox> {
    static SANDBOX: OnceLock<Arc<Sandbox>> = OnceLock::new();
    let start = || Sandbox::start(2).unwrap_or_else(|error| panic!("{error} (hint: {:?})", error.hint()));
    Arc::clone(SANDBOX.get_or_init(|| Arc::new(start())))
}

/// Queues share the workers, and some tests measure time.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn item(source: &str) -> Item {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }.into()
}

fn sleeper() -> Item {
    item("import time\ntime.sleep(8)")
}

fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A queue whose workers are both asleep.
fn busy_queue(capacity: usize) -> (Queue, [Ticket; 2]) {
    let queue = Queue::new(sandbox(), capacity).expect("threads can be started");
    let sleepers = [queue.submit_blocking(sleeper()), queue.submit_blocking(sleeper())];
    until(|| queue.load().running == 2);
    (queue, sleepers)
}

/// Programs of nobody's are gone, and the next one runs as ever.
fn is_unharmed(queue: &Queue) {
    let outcome = queue.submit_blocking(item("import os\nprint(os.listdir('.'), 6 * 7)")).wait().expect("it has run");
    assert_eq!((outcome.end, outcome.stdout.as_slice()), (End::Exited { code: 0 }, &b"[] 42\n"[..]));
}

fn text(result: Result<Outcome, SandboxError>) -> String {
    String::from_utf8(result.expect("it has run").stdout).expect("it prints text")
}

/// The smallest executor: one future, one thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Polls every future on one waker until all are done.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if waiting.iter().any(|(_, output)| output.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(waiting.drain(..).filter_map(|(_, output)| output).collect())
    })
    .await
}

#[test]
fn whoever_comes_to_a_full_queue_waits_for_room() {
    let _alone = alone();
    let (queue, [first, second]) = busy_queue(2);
    let waiting = [queue.submit_blocking(item("print('a')")), queue.submit_blocking(item("print('b')"))];
    let Full(back) = queue.try_submit(item("print('c')")).unwrap_err();
    std::thread::scope(|scope| {
        let third = scope.spawn(|| queue.submit_blocking(*back));
        until(|| queue.load().held_back == 1);
        std::thread::sleep(Duration::from_millis(100));
        assert!(!third.is_finished());
        assert_eq!((queue.load().waiting, queue.load().finished), (2, 0));
        first.cancel();
        assert_eq!(text(third.join().unwrap().wait()), "c\n");
    });
    drop(second);
    assert_eq!(waiting.map(|ticket| text(ticket.wait())), ["a\n", "b\n"]);
    assert!(matches!(first.wait(), Err(SandboxError::Cancelled)));
}

#[test]
fn what_is_late_before_it_starts_is_not_run() {
    let _alone = alone();
    let queue = Queue::new(sandbox(), 4).unwrap();
    let late = Item { deadline: Some(Instant::now()), ..item("print('ran')") };
    assert!(matches!(queue.submit_blocking(late).wait(), Err(SandboxError::DeadlinePassed)));
    // Nor is its program looked at, which could not be run.
    let mut bad = Item { deadline: Some(Instant::now()), ..item("") };
    bad.program.files.insert("../out".to_owned(), vec![]);
    assert!(matches!(queue.submit_blocking(bad.clone()).wait(), Err(SandboxError::DeadlinePassed)));
    bad.deadline = None;
    assert!(matches!(queue.submit_blocking(bad).wait(), Err(SandboxError::BadProgram { .. })));
    drop(queue);

    let (queue, _sleepers) = busy_queue(1);
    let earlier = Instant::now() + Duration::from_millis(100);
    let deadline = earlier + Duration::from_millis(50);
    let inside = queue.submit_blocking(Item { deadline: Some(deadline), ..item("print('ran')") });
    // This one is late before there is even room for it.
    let outside = queue.submit_blocking(Item { deadline: Some(earlier), ..sleeper() });
    assert!(matches!(outside.wait(), Err(SandboxError::DeadlinePassed)));
    assert!(matches!(inside.wait(), Err(SandboxError::DeadlinePassed)));
    let late_by = deadline.elapsed();
    assert!(common::is_in_time(late_by, Duration::ZERO), "{late_by:?}");
    assert_eq!(queue.load().running, 2);
}

#[test]
fn a_program_that_runs_ends_at_its_deadline() {
    let _alone = alone();
    let queue = Queue::new(sandbox(), 4).unwrap();
    is_unharmed(&queue);
    let deadline = Instant::now() + Duration::from_millis(300);
    let ticket = queue.submit_blocking(Item { deadline: Some(deadline), ..sleeper() });
    assert!(matches!(ticket.wait(), Err(SandboxError::DeadlinePassed)));
    let late_by = deadline.elapsed();
    assert!(common::is_in_time(late_by, Duration::ZERO), "{late_by:?}");
    is_unharmed(&queue);
    is_unharmed(&queue);
}

#[test]
fn a_cancelled_item_is_answered_soon_wherever_it_is() {
    let _alone = alone();
    let (queue, [first, second]) = busy_queue(4);
    let together = Cancellation::new().unwrap();
    let shared = Item { cancellation: Some(together.clone()), ..item("print('ran')") };
    let waiting = queue.submit_blocking(item("print('ran')"));
    let friends = [queue.submit_blocking(shared.clone()), queue.submit_blocking(shared.clone())];
    let stays = queue.submit_blocking(item("print('stays')"));
    let start = Instant::now();
    waiting.cancel();
    assert!(waiting.is_answered());
    assert!(matches!(waiting.wait(), Err(SandboxError::Cancelled)));
    // One of those that share a cancellation can be given up without the other.
    friends[0].cancel();
    assert!(friends[0].is_answered() && !friends[1].is_answered() && !together.is_cancelled());
    together.cancel();
    for friend in friends {
        assert!(matches!(friend.wait(), Err(SandboxError::Cancelled)));
    }
    first.cancel();
    assert!(matches!(first.wait(), Err(SandboxError::Cancelled)));
    assert_eq!(text(stays.wait()), "stays\n");
    // Running, and cancelled by its own ticket or from outside.
    let together = Cancellation::new().unwrap();
    let running = queue.submit_blocking(Item { cancellation: Some(together.clone()), ..sleeper() });
    until(|| queue.load().running == 2 && queue.load().waiting == 0);
    together.cancel();
    assert!(matches!(running.wait(), Err(SandboxError::Cancelled)));
    assert!(!second.is_answered());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    is_unharmed(&queue);
}

#[test]
fn a_dropped_ticket_gives_up_its_item() {
    let _alone = alone();
    let (queue, [first, second]) = busy_queue(4);
    let waiting = queue.submit_blocking(item("print('ran')"));
    let start = Instant::now();
    drop((waiting, first, second));
    until(|| queue.load().running == 0);
    assert_eq!((queue.load().waiting, queue.load().finished), (0, 3));
    assert!(start.elapsed() < Duration::from_secs(2));
    is_unharmed(&queue);
}

#[test]
fn a_dropped_queue_answers_everybody() {
    let _alone = alone();
    let queue = Queue::new(sandbox(), 20).unwrap();
    let tickets: Vec<_> = (0..20).map(|_| queue.submit_blocking(sleeper())).collect();
    until(|| queue.load().running == 2);
    let start = Instant::now();
    drop(queue);
    assert!(tickets.iter().all(Ticket::is_answered));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for ticket in tickets {
        assert!(matches!(ticket.wait(), Err(SandboxError::Cancelled)));
    }
    let outcome = sandbox().run(&item("print(1)").program).unwrap();
    assert_eq!(outcome.stdout, b"1\n");
}

#[test]
fn a_thousand_programs_get_their_own_answers() {
    let _alone = alone();
    let queue = Queue::new(sandbox(), 8).unwrap();
    let print = |number: usize| item(&format!("print({number})"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                let numbers = thread * 250..(thread + 1) * 250;
                if thread % 2 == 0 {
                    // Blocking, with every ticket held to the end.
                    let tickets: Vec<_> = numbers.clone().map(|number| queue.submit_blocking(print(number))).collect();
                    for (number, ticket) in numbers.zip(tickets) {
                        assert_eq!(text(ticket.wait()), format!("{number}\n"));
                    }
                } else {
                    let futures = numbers.clone().map(async |number| queue.submit(print(number)).await.await);
                    let results = block_on(all(futures.collect()));
                    assert_eq!(results.len(), 250);
                    for (number, result) in numbers.zip(results) {
                        assert_eq!(text(result), format!("{number}\n"));
                    }
                }
            });
        }
        scope.spawn(|| {
            while queue.load().finished < 1000 {
                let load = queue.load();
                assert!(load.waiting <= 8 && load.running <= 2, "{load:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    });
    let load = queue.load();
    assert_eq!((load.held_back, load.waiting, load.running, load.finished), (0, 0, 0, 1000));
}

#[test]
fn futures_can_go_to_other_threads() {
    fn is_send<T: Send>(_: &T) {}
    let queue = Queue::new(sandbox(), 1).unwrap();
    let submission = queue.submit(item("print(1)"));
    is_send(&submission);
    let ticket = block_on(submission);
    is_send(&ticket);
    assert_eq!(std::thread::spawn(move || text(block_on(ticket))).join().unwrap(), "1\n");
}
