//! The `codeward` binary: one file for each command, below `commands/`.

mod arguments;
mod bundled;
mod commands;
mod failure;
mod hardening;
mod hub;
mod input;
mod interruption;
mod local_judge;
mod memory;
mod output;
mod progress;
mod workbench;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};

/// The analyser and the engine of rewards make and drop small things by the million.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended when nothing went wrong on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Done.
    Done,
    /// The checked thing failed, for example `scan` found something.
    CheckFailed,
    /// Something could not be checked, and has been reported.
    Incomplete,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::CheckFailed) => ExitCode::from(1),
        Ok(Ending::Incomplete) => ExitCode::from(2),
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(interruption::exit_code().unwrap_or(2))
        }
    }
}

fn run(arguments: &Arguments) -> Result<Ending, failure::Failure> {
    workbench::accept(arguments.unsafe_isolation);
    hub::allow(arguments.download);
    workbench::compute_with(arguments.engine.as_deref());
    if matches!(arguments.command, Command::Quickstart(_) | Command::Train(_)) {
        interruption::listen()?;
    }
    match &arguments.command {
        Command::Quickstart(options) => commands::quickstart::run(options),
        Command::Train(options) => commands::train::run(options),
        Command::Generate(options) => commands::generate::run(options),
        Command::Score(options) => commands::score::run(options),
        Command::Canaries(options) => commands::canaries::run(options),
        Command::Scan(options) => commands::scan::run(options),
        Command::Explain(options) => commands::explain::run(options),
        Command::Recipes(options) => commands::recipes::run(options),
        Command::Rescore(options) => commands::rescore::run(options),
        Command::Exec(options) => commands::exec::run(options),
        Command::Eval(options) => commands::eval::run(options),
        Command::Report(options) => commands::report::run(options),
        Command::Model(options) => commands::model::run(options),
        Command::Doctor(options) => commands::doctor::run(options),
    }
}
