//! stub
use crate::report::Report;
use crate::syntax::Module;
pub(crate) fn check(_: &Module, _: &mut Report<'_>) {}
