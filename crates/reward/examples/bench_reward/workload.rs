//! Completions of the bundled tasks, no two of them alike.

use codeward_records::Task;
use codeward_synthesis::{Benchmark, Pool};

use crate::Failure;

/// Instances of every family: other names, wordings and argument orders.
const NUM_INSTANCES: usize = 8;
/// Of so many completions, one does not solve its task.
const BROKEN_EVERY: usize = 8;
/// Of so many completions, one stands in a fenced block with talk around it.
const FENCED_EVERY: usize = 4;

/// What a model might have answered.
pub(crate) struct Rollout {
    pub(crate) task: usize,
    pub(crate) completion: String,
    /// It is a reference, but for a constant: its functional tests pass.
    pub(crate) is_sound: bool,
}

/// Tasks, and an endless stream of completions of them.
pub(crate) struct Workload {
    pub(crate) tasks: Vec<Task>,
    next: usize,
}

impl Workload {
    pub(crate) fn bundled() -> Result<Self, Failure> {
        let benchmark = Benchmark::bundled()?;
        // Family by family within an instance, so that a batch is a mix of all.
        let tasks = (0..NUM_INSTANCES)
            .flat_map(|index| benchmark.families().iter().map(move |family| family.instance(Pool::Seen, index)));
        Ok(Self { tasks: tasks.collect(), next: 0 })
    }

    /// The next completions: references, secure and vulnerable in turn, with a constant that no other has, and some that are broken.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Rollout> {
        (0..count).map(|_| self.one()).collect()
    }

    /// Some of the next completions, spread over the families, others in each round: families differ a hundredfold in what they take.
    pub(crate) fn spread(&mut self, count: usize, round: usize) -> Vec<Rollout> {
        let num_families = self.tasks.len() / NUM_INSTANCES;
        let step = (num_families / count.max(1)).max(1);
        self.take(step * count).into_iter().skip(round % step).step_by(step).collect()
    }

    fn one(&mut self) -> Rollout {
        let number = self.next;
        self.next += 1;
        let at = number % self.tasks.len();
        let task = &self.tasks[at];
        let turn = number / self.tasks.len();
        // Another in each instance, so that two batches are like any other two: the secure references of some families take a hundred times what their
        // vulnerable ones take.
        let instance = at / (self.tasks.len() / NUM_INSTANCES);
        let reference = &task.references[(instance + turn) % task.references.len()];
        let own = format!("{}\n\nBUILD = {number}\n", reference.code.trim_end());
        // A prime step through the tasks, so that every family has broken ones.
        let is_sound = !(number + turn).is_multiple_of(BROKEN_EVERY);
        let code = if is_sound { own } else { broken(&own, number / BROKEN_EVERY) };
        let completion = if (number + turn / 2) % FENCED_EVERY == 1 {
            format!("Here is the function:\n\n```python\n{code}```\n\nIt does what you asked for.\n")
        } else {
            code
        };
        Rollout { task: at, completion, is_sound }
    }
}

/// Code that does not solve the task, in one of five ways.
fn broken(code: &str, way: usize) -> String {
    match way % 5 {
        // It ends in the middle.
        0 => {
            let end = (code.len() * 3 / 5..code.len()).find(|end| code.is_char_boundary(*end)).unwrap_or(code.len());
            format!("{}\n# {}\n", &code[..end], way)
        }
        1 => format!("import module_{way}\n\n{code}"),
        // It gives nothing.
        2 => code.replace("return ", "return None and "),
        // It has another name.
        3 => code.replacen("def ", "def other_", 1),
        _ => format!("I would rather not write this function, for reason {way}.\n"),
    }
}

/// Tasks with completions, as the engine takes them.
pub(crate) fn items<'a>(tasks: &'a [Task], rollouts: &'a [Rollout]) -> Vec<(&'a Task, &'a str)> {
    rollouts.iter().map(|rollout| (&tasks[rollout.task], rollout.completion.as_str())).collect()
}
