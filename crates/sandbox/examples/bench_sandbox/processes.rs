//! A new interpreter process for every program, plain or inside bubblewrap.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::{Batch, Failure, Side, closed_loop};
use crate::workload::{TASKS, Task};

pub(crate) struct Processes {
    name: &'static str,
    /// The program to start and its arguments, up to the one that holds the source.
    command: Vec<String>,
    scripts: Vec<String>,
    clients: usize,
}

impl Processes {
    pub(crate) fn plain(name: &'static str, python: &Path, flags: &[&str], clients: usize) -> Self {
        let mut command = vec![python.to_string_lossy().into_owned()];
        command.extend(flags.iter().map(|flag| (*flag).to_owned()));
        command.push("-c".to_owned());
        Self { name, command, scripts: TASKS.iter().map(Task::script).collect(), clients }
    }

    /// The usual way to put one command into namespaces of its own, with the whole file system read-only.
    pub(crate) fn bubblewrap(bubblewrap: &Path, python: &Path, clients: usize) -> Self {
        let mut side = Self::plain("bubblewrap", python, &["-I"], clients);
        let mut command = vec![bubblewrap.to_string_lossy().into_owned()];
        let options =
            "--unshare-all --die-with-parent --new-session --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp";
        command.extend(options.split(' ').map(str::to_owned));
        command.append(&mut side.command);
        Self { command, ..side }
    }

    fn run_one(&self, task: &Task, index: usize) -> Result<Vec<u8>, Failure> {
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .arg(&self.scripts[index])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // The inputs fit into the pipe, so writing does not wait for the program to read.
        child.stdin.take().expect("asked for").write_all(task.input.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{}: {} ended with {}", self.name, task.name, output.status).into());
        }
        Ok(output.stdout)
    }
}

impl Side for Processes {
    fn name(&self) -> &str {
        self.name
    }

    fn describe(&self) -> String {
        format!("a process for each program: {} SOURCE", self.command.join(" "))
    }

    fn workers(&self) -> usize {
        self.clients
    }

    fn run(&mut self, num_programs: usize) -> Result<Batch, Failure> {
        closed_loop(num_programs, self.clients, |_, task, index| self.run_one(task, index))
    }
}

/// Where bubblewrap is, if it is installed.
pub(crate) fn find_bubblewrap() -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH")?;
    std::env::split_paths(&search_path).map(|folder| folder.join("bwrap")).find(|path| path.is_file())
}
