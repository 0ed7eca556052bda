//! `codeward report`: the report of a run, from its folder alone.

use codeward_evaluation::report::write_report;

use crate::Ending;
use crate::arguments::Report;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(options: &Report) -> Result<Ending, Failure> {
    let path = write_report(&options.run)?;
    output::print(&format!("{}\n", path.display()))?;
    Ok(Ending::Done)
}
