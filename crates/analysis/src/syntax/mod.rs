//! From text to a compact tree that later stages can walk without recursion.
//!
//! Expressions live in one arena in *evaluation order*: every expression stands after the expressions it is made of, so a
//! stage that wants them all reads a range of the arena from left to right. Statements are a small ordinary tree, because
//! Python itself refuses blocks that are nested deeper than a hundred levels.

pub(crate) mod c;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod javascript;
mod part;
pub(crate) mod python;
mod strings;
mod tree;

pub(crate) use part::Part;
pub(crate) use tree::*;
