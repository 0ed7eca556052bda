//! What values can be at each place of a function, without running it.
//!
//! The interpreter reads statements in order and keeps, for each name, what is known about its value: a literal, the dotted
//! path of what it names (`subprocess.run`, whatever it was imported as), how a text was put together, and which outside
//! input it carries. Input is described by the [`Classes`] of places where it can still do harm; a sanitiser removes classes
//! from what it returns, and a check removes them from the value that was checked for as long as the check holds.

mod c;
mod calls;
mod classes;
mod conditions;
mod dialect;
mod environment;
mod expressions;
mod format;
mod go;
mod interpreter;
mod java;
mod javascript;
mod paths;
mod pattern_facts;
mod python;
mod statements;
mod value;

pub(crate) use c::C;
pub(crate) use classes::{Classes, Labels};
pub(crate) use dialect::Dialect;
pub(crate) use environment::Environment;
pub(crate) use expressions::INPUT_OR_PAGE;
pub(crate) use go::GO;
pub(crate) use interpreter::{Call, Interpreter, Operand};
pub(crate) use java::{COOKIE_HTTP_ONLY, COOKIE_SECURE, FILLED, HARDENED, JAVA, kind_of};
pub(crate) use javascript::JAVASCRIPT;
pub(crate) use python::PYTHON;
pub(crate) use value::{Piece, Shape, SourceKind, Taint, Value, ValueRef};
