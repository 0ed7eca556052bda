//! One file for each command.

pub(crate) mod canaries;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod model;
pub(crate) mod quickstart;
pub(crate) mod recipes;
pub(crate) mod report;
pub(crate) mod rescore;
pub(crate) mod scan;
pub(crate) mod score;
pub(crate) mod train;
