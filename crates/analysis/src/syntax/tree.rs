//! The shapes that the parser's tree is lowered to.

use std::ops::Range;
use std::rc::Rc;

/// Index of an expression in [`Module::expressions`].
pub(crate) type ExpressionId = u32;

/// Index of a function in [`Module::functions`].
pub(crate) type FunctionId = u32;

/// A half-open range of bytes in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Text(Rc<str>),
    /// Bytes, one character per byte.
    Bytes(Rc<str>),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    None,
}

impl Constant {
    /// Whether Python treats the value as true.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Text(text) | Self::Bytes(text) => !text.is_empty(),
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Boolean(value) => *value,
            Self::None => false,
        }
    }
}

/// One piece of an f-string.
#[derive(Debug, Clone)]
pub(crate) enum TextPiece {
    Literal(Rc<str>),
    Hole {
        value: ExpressionId,
        /// The letter after `!`.
        conversion: Option<char>,
        /// Whether a format specification follows, such as `:d`.
        format: Option<Rc<str>>,
    },
}

/// How an argument is passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArgumentKind {
    Positional,
    Keyword(Rc<str>),
    Splat,
    DoubleSplat,
}

/// One argument of a call.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub(crate) kind: ArgumentKind,
    pub(crate) value: ExpressionId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Or,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComprehensionKind {
    List,
    Set,
    Dictionary,
    Generator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceKind {
    Tuple,
    List,
    Set,
}

/// What an expression is. The `Scope` kinds are marks between expressions: they tell the interpreter which names exist and
/// which condition holds for the expressions that follow.
#[derive(Debug, Clone)]
pub(crate) enum ExpressionKind {
    Constant(Constant),
    Text(Vec<TextPiece>),
    /// Adjacent literals.
    Joined(Vec<ExpressionId>),
    Name(Rc<str>),
    Attribute {
        base: ExpressionId,
        name: Rc<str>,
    },
    Subscript {
        base: ExpressionId,
        index: ExpressionId,
    },
    Slice {
        lower: Option<ExpressionId>,
        upper: Option<ExpressionId>,
    },
    Call {
        callee: ExpressionId,
        arguments: Vec<Argument>,
    },
    /// `new callee(arguments)`, in languages that say so; a path that names it begins with `new `.
    New {
        callee: ExpressionId,
        arguments: Vec<Argument>,
    },
    /// A value read as another type, with the type's text.
    Cast {
        kind: Rc<str>,
        value: ExpressionId,
    },
    /// `&value`, the address of a place.
    Address(ExpressionId),
    /// `*value`, what an address leads to.
    Dereference(ExpressionId),
    /// A function without a name of its own. Its body stands elsewhere in the arena, as it does not run here.
    Closure(FunctionId),
    Binary {
        operator: BinaryOperator,
        left: ExpressionId,
        right: ExpressionId,
    },
    Not(ExpressionId),
    Negate(ExpressionId),
    Invert(ExpressionId),
    Boolean {
        is_and: bool,
        left: ExpressionId,
        right: ExpressionId,
    },
    Compare {
        left: ExpressionId,
        links: Vec<(Comparison, ExpressionId)>,
    },
    Conditional {
        body: ExpressionId,
        test: ExpressionId,
        otherwise: ExpressionId,
    },
    Sequence {
        kind: SequenceKind,
        items: Vec<ExpressionId>,
    },
    /// A key is absent for `**mapping`.
    Dictionary(Vec<(Option<ExpressionId>, ExpressionId)>),
    Comprehension {
        key: Option<ExpressionId>,
        element: ExpressionId,
    },
    Lambda {
        body: ExpressionId,
    },
    Splat(ExpressionId),
    Named {
        target: ExpressionId,
        value: ExpressionId,
    },
    Await(ExpressionId),
    Yield(Option<ExpressionId>),
    /// Anything else, with its parts.
    Other(Vec<ExpressionId>),
    /// Names bound from here on end at the matching `ScopeEnd`; so does the assumed condition.
    ScopeStart,
    /// From here to the matching `ScopeEnd`, or to a contradiction of it, `test` has this truth.
    ScopeAssume {
        test: ExpressionId,
        truth: bool,
    },
    /// `target` takes each element of `iterable`.
    ScopeBind {
        target: ExpressionId,
        iterable: ExpressionId,
    },
    /// The parameters of a lambda.
    ScopeParameters(Vec<Rc<str>>),
    ScopeEnd,
}

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) kind: ExpressionKind,
    pub(crate) span: Span,
    /// The first expression that this one is made of; the last is itself.
    pub(crate) first: ExpressionId,
}

/// One `except` clause.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    pub(crate) exception: Option<ExpressionId>,
    pub(crate) name: Option<Rc<str>>,
    pub(crate) body: Vec<Statement>,
    pub(crate) span: Span,
}

/// What a statement is.
#[derive(Debug, Clone)]
pub(crate) enum StatementKind {
    Expression(ExpressionId),
    Assign {
        targets: Vec<ExpressionId>,
        value: ExpressionId,
    },
    /// A name with its type's text, the number of its elements where it is an array, and its first value.
    Declare {
        name: Rc<str>,
        kind: Option<Rc<str>>,
        size: Option<ExpressionId>,
        value: Option<ExpressionId>,
    },
    Augment {
        target: ExpressionId,
        operator: BinaryOperator,
        value: ExpressionId,
    },
    Return(Option<ExpressionId>),
    Raise(Vec<ExpressionId>),
    Assert(ExpressionId),
    If {
        branches: Vec<(ExpressionId, Vec<Statement>)>,
        otherwise: Vec<Statement>,
    },
    While {
        test: ExpressionId,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    For {
        target: ExpressionId,
        iterable: ExpressionId,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    Try {
        body: Vec<Statement>,
        handlers: Vec<Handler>,
        otherwise: Vec<Statement>,
        finally: Vec<Statement>,
    },
    With {
        items: Vec<(ExpressionId, Option<ExpressionId>)>,
        body: Vec<Statement>,
    },
    Match {
        subject: ExpressionId,
        cases: Vec<MatchCase>,
    },
    Function(FunctionId),
    Class {
        name: Rc<str>,
        bases: Vec<Argument>,
        body: Vec<Statement>,
    },
    Import(Vec<(Rc<str>, Rc<str>)>),
    Break,
    Continue,
    /// Goes on at the label of this name in the same function.
    Goto(Rc<str>),
    Label(Rc<str>),
    Delete(Vec<ExpressionId>),
    /// Python 2's `exec`, and anything else that only holds expressions.
    Parts(Vec<ExpressionId>),
    Pass,
}

/// One `case` of a `match`.
#[derive(Debug, Clone)]
pub(crate) struct MatchCase {
    /// The literals, when the pattern is nothing but literals.
    pub(crate) literals: Option<Vec<Constant>>,
    /// The names that the pattern binds.
    pub(crate) names: Vec<Rc<str>>,
    pub(crate) guard: Option<ExpressionId>,
    pub(crate) body: Vec<Statement>,
}

/// A statement and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) span: Span,
}

/// A parameter of a function.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: Rc<str>,
    pub(crate) kind: ArgumentKind,
    pub(crate) default: Option<ExpressionId>,
    /// The annotation's text.
    pub(crate) annotation: Option<Rc<str>>,
    pub(crate) span: Span,
}

/// A function definition.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: Rc<str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) decorators: Vec<ExpressionId>,
    pub(crate) body: Vec<Statement>,
}

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) expressions: Vec<Expression>,
    pub(crate) functions: Vec<Function>,
    pub(crate) body: Vec<Statement>,
}

impl Module {
    pub(crate) fn expression(&self, id: ExpressionId) -> &Expression {
        &self.expressions[id as usize]
    }

    pub(crate) fn span(&self, id: ExpressionId) -> Span {
        self.expression(id).span
    }
}

/// A file, and the first place where it is not in its language.
pub(crate) struct Lowered {
    pub(crate) module: Module,
    pub(crate) error: Option<Span>,
}
