//! Lowering of text that is Python from its first byte to its last.
//!
//! Nearly all text is, and ruff's parser reads it in a fifth of the time that the tolerant one takes. Both lower to the same module to
//! the byte (`whole/tests.rs`). What is broken, nested beyond reason, or so seldom that it is left out here on purpose, such as a `match`
//! of patterns with parts, is left to the other one.

mod statements;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::{
    self as ast, ArgOrKeyword, BoolOp, CmpOp, Expr, FStringPart, InterpolatedStringElement, Number, Operator,
    StringFlags, UnaryOp,
};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};

use super::super::strings::{decode, prefix};
use super::{MAX_BLOCK_DEPTH, MAX_OPEN_BRACKETS, count_brackets, parse_integer};
use crate::syntax::tree::{
    Argument, ArgumentKind, BinaryOperator, Comparison, Constant, Expression, ExpressionId, ExpressionKind, Module,
    SequenceKind, Span, TextPiece,
};

/// Expressions cannot nest deeper than a text has words and signs; up to so many, the stack of any thread has room for all.
const FEW_WORDS: usize = 400;

/// Texts of more are left to the other parser.
const MANY_WORDS: usize = 24_000;

/// Room on the stack for one level: the parser has its own, lowering and the end of the tree take less than a quarter.
const STACK_PER_WORD: usize = 2048;

/// Reads a text, if it is Python as a whole.
pub(crate) fn read(source: &str) -> Option<Module> {
    let words = count_words(source);
    if words <= FEW_WORDS {
        return lower(source);
    }
    (words <= MANY_WORDS)
        .then(|| stacker::maybe_grow(words * STACK_PER_WORD, words * STACK_PER_WORD, || lower(source)))?
}

/// No fewer than the text's tokens: its words, and all that is neither word nor space.
fn count_words(source: &str) -> usize {
    let mut was_word = false;
    let starts = source.bytes().filter(|byte| {
        let is_word = byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        let counts = if is_word { !was_word } else { !byte.is_ascii_whitespace() };
        was_word = is_word;
        counts
    });
    starts.count()
}

fn lower(source: &str) -> Option<Module> {
    // A mark of the byte order is no part of the text for one parser, and an error for the other.
    if source.starts_with('\u{feff}') {
        return None;
    }
    let parsed = parse_unchecked(source, ParseOptions::from(Mode::Module)).try_into_module()?;
    if !parsed.errors().is_empty() || nests_too_deep(source, parsed.tokens().iter().map(Token::kind)) {
        return None;
    }
    let mut lowering = Lowering { source, module: Module::default() };
    lowering.module.body = lowering.block(parsed.suite(), 0)?;
    Some(lowering.module)
}

fn nests_too_deep(source: &str, tokens: impl Iterator<Item = TokenKind>) -> bool {
    if count_brackets(source) <= MAX_OPEN_BRACKETS {
        return false;
    }
    let mut open = 0_usize;
    for token in tokens {
        match token {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN_BRACKETS {
            return true;
        }
    }
    false
}

fn span(range: TextRange) -> Span {
    Span { start: range.start().into(), end: range.end().into() }
}

struct Lowering<'source> {
    source: &'source str,
    module: Module,
}

impl Lowering<'_> {
    fn emit(&mut self, kind: ExpressionKind, span: Span, first: ExpressionId) -> ExpressionId {
        let id = self.next_id();
        self.module.expressions.push(Expression { kind, span, first });
        id
    }

    fn next_id(&self) -> ExpressionId {
        self.module.expressions.len() as ExpressionId
    }

    fn mark(&mut self, kind: ExpressionKind, span: Span) {
        let id = self.next_id();
        self.emit(kind, span, id);
    }

    fn text(&self, range: TextRange) -> &str {
        &self.source[span(range).range()]
    }

    /// Lowers one expression and everything below it; nothing if there is something that is left to the other parser.
    fn expression(&mut self, expression: &Expr) -> Option<ExpressionId> {
        let first = self.next_id();
        let place = span(expression.range());
        let kind = match expression {
            Expr::Name(name) => ExpressionKind::Name(name.id.as_str().into()),
            Expr::NumberLiteral(number) => ExpressionKind::Constant(self.number(number)),
            Expr::BooleanLiteral(literal) => ExpressionKind::Constant(Constant::Boolean(literal.value)),
            Expr::NoneLiteral(_) => ExpressionKind::Constant(Constant::None),
            Expr::EllipsisLiteral(_) => ExpressionKind::Other(Vec::new()),
            Expr::StringLiteral(literal) => {
                let parts = literal.value.as_slice();
                self.joined(parts, |lowering, part| Some(lowering.string(part)), |part| part.range)?
            }
            Expr::BytesLiteral(literal) => {
                let parts = literal.value.as_slice();
                self.joined(parts, |lowering, part| Some(lowering.bytes(part)), |part| part.range)?
            }
            Expr::FString(literal) => self.joined(literal.value.as_slice(), Self::formatted, Ranged::range)?,
            Expr::Attribute(attribute) => {
                let base = self.expression(&attribute.value)?;
                ExpressionKind::Attribute { base, name: attribute.attr.id.as_str().into() }
            }
            Expr::Subscript(subscript) => self.subscript(subscript, first)?,
            Expr::Slice(slice) => {
                let lower = self.optional(slice.lower.as_deref())?;
                let upper = self.optional(slice.upper.as_deref())?;
                self.optional(slice.step.as_deref())?;
                ExpressionKind::Slice { lower, upper }
            }
            Expr::Call(call) => self.call(call)?,
            Expr::BinOp(binary) => {
                let left = self.expression(&binary.left)?;
                let right = self.expression(&binary.right)?;
                ExpressionKind::Binary { operator: operator(binary.op), left, right }
            }
            Expr::BoolOp(boolean) => return self.boolean(boolean),
            Expr::UnaryOp(unary) => {
                let operand = self.expression(&unary.operand)?;
                match unary.op {
                    UnaryOp::Not => ExpressionKind::Not(operand),
                    UnaryOp::USub => ExpressionKind::Negate(operand),
                    UnaryOp::Invert => ExpressionKind::Invert(operand),
                    UnaryOp::UAdd => ExpressionKind::Other(vec![operand]),
                }
            }
            Expr::Compare(compare) => {
                let left = self.expression(&compare.left)?;
                let links = compare.ops.iter().zip(&compare.comparators);
                let links = links.map(|(operator, right)| Some((comparison(*operator), self.expression(right)?)));
                ExpressionKind::Compare { left, links: links.collect::<Option<_>>()? }
            }
            Expr::If(conditional) => self.conditional(conditional, place)?,
            Expr::Tuple(tuple) => self.sequence(SequenceKind::Tuple, &tuple.elts)?,
            Expr::List(list) => self.sequence(SequenceKind::List, &list.elts)?,
            Expr::Set(set) => self.sequence(SequenceKind::Set, &set.elts)?,
            Expr::Dict(dictionary) => {
                let entries = dictionary.items.iter().map(|item| {
                    let key = self.optional(item.key.as_ref())?;
                    Some((key, self.expression(&item.value)?))
                });
                ExpressionKind::Dictionary(entries.collect::<Option<_>>()?)
            }
            Expr::ListComp(list) => self.comprehension(None, &list.elt, &list.generators, place)?,
            Expr::SetComp(set) => self.comprehension(None, &set.elt, &set.generators, place)?,
            Expr::DictComp(dictionary) => {
                let key = Some(dictionary.key.as_deref()?);
                self.comprehension(key, &dictionary.value, &dictionary.generators, place)?
            }
            Expr::Generator(generator) => self.comprehension(None, &generator.elt, &generator.generators, place)?,
            Expr::Lambda(lambda) => self.lambda(lambda, place)?,
            Expr::Starred(starred) => ExpressionKind::Splat(self.expression(&starred.value)?),
            Expr::Named(named) => {
                let target = self.expression(&named.target)?;
                ExpressionKind::Named { target, value: self.expression(&named.value)? }
            }
            Expr::Await(awaited) => ExpressionKind::Await(self.expression(&awaited.value)?),
            Expr::Yield(yielded) => ExpressionKind::Yield(self.optional(yielded.value.as_deref())?),
            Expr::YieldFrom(yielded) => ExpressionKind::Yield(Some(self.expression(&yielded.value)?)),
            Expr::TString(_) | Expr::IpyEscapeCommand(_) => return None,
        };
        Some(self.emit(kind, place, first))
    }

    /// Nothing if it cannot be lowered, and nothing within if there is none.
    #[expect(clippy::option_option, reason = "the outer one says that the text is left to the other parser")]
    fn optional(&mut self, expression: Option<&Expr>) -> Option<Option<ExpressionId>> {
        match expression {
            Some(expression) => Some(Some(self.expression(expression)?)),
            None => Some(None),
        }
    }

    fn sequence(&mut self, kind: SequenceKind, items: &[Expr]) -> Option<ExpressionKind> {
        let items = items.iter().map(|item| self.expression(item)).collect::<Option<_>>()?;
        Some(ExpressionKind::Sequence { kind, items })
    }

    fn number(&self, number: &ast::ExprNumberLiteral) -> Constant {
        let text = self.text(number.range);
        let is_integer = match number.value {
            Number::Int(_) => true,
            Number::Float(_) => false,
            Number::Complex { .. } => !text.contains(['.', 'e', 'E']),
        };
        if is_integer {
            parse_integer(text).map_or(Constant::Float(f64::INFINITY), Constant::Integer)
        } else {
            Constant::Float(text.replace('_', "").parse().unwrap_or(f64::NAN))
        }
    }

    /// A literal alone, or several that stand beside each other.
    fn joined<T>(
        &mut self,
        parts: &[T],
        read: impl Fn(&mut Self, &T) -> Option<ExpressionKind>,
        range: impl Fn(&T) -> TextRange,
    ) -> Option<ExpressionKind> {
        if let [part] = parts {
            return read(self, part);
        }
        let parts = parts.iter().map(|part| {
            let first = self.next_id();
            let kind = read(self, part)?;
            Some(self.emit(kind, span(range(part)), first))
        });
        Some(ExpressionKind::Joined(parts.collect::<Option<_>>()?))
    }

    fn string(&self, part: &ast::StringLiteral) -> ExpressionKind {
        let range = span(part.range);
        let opening = &self.source[range.start..range.start + usize::from(part.flags.opener_len())];
        let text = decode(self.text(part.content_range()), prefix(opening));
        ExpressionKind::Constant(Constant::Text(text.into()))
    }

    fn bytes(&self, part: &ast::BytesLiteral) -> ExpressionKind {
        let range = span(part.range);
        let opening = &self.source[range.start..range.start + usize::from(part.flags.opener_len())];
        let text = decode(self.text(part.content_range()), prefix(opening));
        ExpressionKind::Constant(Constant::Bytes(text.into()))
    }

    /// An f-string: the text between holes is decoded here, as everywhere else.
    fn formatted(&mut self, part: &FStringPart) -> Option<ExpressionKind> {
        let literal = match part {
            FStringPart::Literal(literal) => return Some(self.string(literal)),
            FStringPart::FString(literal) => literal,
        };
        let place = span(literal.range);
        let mut from = place.start + usize::from(literal.flags.opener_len());
        let prefix = prefix(&self.source[place.start..from]);
        let mut pieces = Vec::new();
        let mut has_holes = false;
        let push_text = |pieces: &mut Vec<TextPiece>, source: &str, from: usize, to: usize| {
            if from < to {
                pieces.push(TextPiece::Literal(decode(&source[from..to], prefix).into()));
            }
        };
        for element in &literal.elements {
            let InterpolatedStringElement::Interpolation(hole) = element else { continue };
            let hole_place = span(hole.range);
            push_text(&mut pieces, self.source, from, hole_place.start);
            from = hole_place.end;
            let conversion = hole.conversion.to_byte().map(char::from);
            let format = hole.format_spec.as_ref();
            let format = format.map(|format| self.text(format.range).trim_start_matches(':').into());
            let value = self.expression(&hole.expression)?;
            pieces.push(TextPiece::Hole { value, conversion, format });
            has_holes = true;
        }
        push_text(&mut pieces, self.source, from, place.end - usize::from(literal.flags.closer_len()));
        if has_holes {
            return Some(ExpressionKind::Text(pieces));
        }
        let text = match pieces.first() {
            Some(TextPiece::Literal(text)) => Rc::clone(text),
            _ => "".into(),
        };
        Some(ExpressionKind::Constant(Constant::Text(text)))
    }

    fn subscript(&mut self, subscript: &ast::ExprSubscript, first: ExpressionId) -> Option<ExpressionKind> {
        let base = self.expression(&subscript.value)?;
        let index = match &*subscript.slice {
            Expr::Tuple(tuple) if !tuple.parenthesized => match &*tuple.elts {
                [only] => self.expression(only)?,
                indices => {
                    let kind = self.sequence(SequenceKind::Tuple, indices)?;
                    self.emit(kind, span(subscript.range), first)
                }
            },
            index => self.expression(index)?,
        };
        Some(ExpressionKind::Subscript { base, index })
    }

    fn call(&mut self, call: &ast::ExprCall) -> Option<ExpressionKind> {
        let callee = self.expression(&call.func)?;
        let list = &call.arguments;
        // The parentheses of a generator that is the only argument are those of the call.
        if let ([Expr::Generator(generator)], true) = (&*list.args, list.keywords.is_empty())
            && !generator.parenthesized
        {
            let (first, place) = (self.next_id(), span(list.range));
            let kind = self.comprehension(None, &generator.elt, &generator.generators, place)?;
            let value = self.emit(kind, place, first);
            let arguments = vec![Argument { kind: ArgumentKind::Positional, value }];
            return Some(ExpressionKind::Call { callee, arguments });
        }
        let arguments = list.iter_source_order().map(|argument| {
            let (kind, value) = match argument {
                ArgOrKeyword::Arg(Expr::Starred(starred)) => (ArgumentKind::Splat, &*starred.value),
                ArgOrKeyword::Arg(value) => (ArgumentKind::Positional, value),
                ArgOrKeyword::Keyword(keyword) => match &keyword.arg {
                    Some(name) => (ArgumentKind::Keyword(name.id.as_str().into()), &keyword.value),
                    None => (ArgumentKind::DoubleSplat, &keyword.value),
                },
            };
            Some(Argument { kind, value: self.expression(value)? })
        });
        let arguments = arguments.collect::<Option<_>>()?;
        Some(ExpressionKind::Call { callee, arguments })
    }

    /// `a and b and c` is `(a and b) and c`.
    fn boolean(&mut self, boolean: &ast::ExprBoolOp) -> Option<ExpressionId> {
        let is_and = boolean.op == BoolOp::And;
        let whole = span(boolean.range);
        let (left, rest) = boolean.values.split_first()?;
        let first = self.next_id();
        let mut left = self.expression(left)?;
        for (at, right) in rest.iter().enumerate() {
            let end = match rest.get(at + 1) {
                Some(next) => self.closed(span(right.range()).end, span(next.range()).start).0,
                None => whole.end,
            };
            let place = Span { start: whole.start, end };
            self.mark(ExpressionKind::ScopeStart, place);
            self.mark(ExpressionKind::ScopeAssume { test: left, truth: is_and }, place);
            let right = self.expression(right)?;
            self.mark(ExpressionKind::ScopeEnd, place);
            left = self.emit(ExpressionKind::Boolean { is_and, left, right }, place, first);
        }
        Some(left)
    }

    /// The end of an expression with the parentheses around it, those before the word that follows; and where that word begins.
    fn closed(&self, end: usize, limit: usize) -> (usize, usize) {
        let between = &self.source.as_bytes()[end..limit];
        let (mut closed, mut at) = (end, 0);
        while let Some(byte) = between.get(at) {
            match byte {
                b')' => closed = end + at + 1,
                b'#' => at += between[at..].iter().position(|byte| *byte == b'\n').unwrap_or(between.len() - at),
                byte if byte.is_ascii_alphabetic() => break,
                _ => {}
            }
            at += 1;
        }
        (closed, (end + at).min(limit))
    }

    fn conditional(&mut self, conditional: &ast::ExprIf, place: Span) -> Option<ExpressionKind> {
        let test = self.expression(&conditional.test)?;
        self.mark(ExpressionKind::ScopeStart, place);
        self.mark(ExpressionKind::ScopeAssume { test, truth: true }, place);
        let body = self.expression(&conditional.body)?;
        self.mark(ExpressionKind::ScopeEnd, place);
        self.mark(ExpressionKind::ScopeStart, place);
        self.mark(ExpressionKind::ScopeAssume { test, truth: false }, place);
        let otherwise = self.expression(&conditional.orelse)?;
        self.mark(ExpressionKind::ScopeEnd, place);
        Some(ExpressionKind::Conditional { body, test, otherwise })
    }

    fn comprehension(
        &mut self,
        key: Option<&Expr>,
        element: &Expr,
        generators: &[ast::Comprehension],
        place: Span,
    ) -> Option<ExpressionKind> {
        self.mark(ExpressionKind::ScopeStart, place);
        for generator in generators {
            let whole = span(generator.range);
            let target = self.expression(&generator.target)?;
            let iterable = self.expression(&generator.iter)?;
            let mut clause = ExpressionKind::ScopeBind { target, iterable };
            let (mut start, mut end) = (whole.start, span(generator.iter.range()).end);
            for test in &generator.ifs {
                let place = span(test.range());
                let (closed, word) = self.closed(end, place.start);
                self.mark(clause, Span { start, end: closed });
                clause = ExpressionKind::ScopeAssume { test: self.expression(test)?, truth: true };
                (start, end) = (word, place.end);
            }
            self.mark(clause, Span { start, end: whole.end });
        }
        let key = self.optional(key)?;
        let element = self.expression(element)?;
        self.mark(ExpressionKind::ScopeEnd, place);
        Some(ExpressionKind::Comprehension { key, element })
    }

    fn lambda(&mut self, lambda: &ast::ExprLambda, place: Span) -> Option<ExpressionKind> {
        let mut names = Vec::new();
        if let Some(parameters) = &lambda.parameters {
            // Signs between parameters count as parameters there.
            if !parameters.posonlyargs.is_empty() || parameters.vararg.is_none() && !parameters.kwonlyargs.is_empty() {
                return None;
            }
            for parameter in parameters.iter_source_order() {
                names.push(parameter.name().id.as_str().into());
                self.optional(parameter.default())?;
            }
        }
        self.mark(ExpressionKind::ScopeStart, place);
        self.mark(ExpressionKind::ScopeParameters(names), place);
        let body = self.expression(&lambda.body)?;
        self.mark(ExpressionKind::ScopeEnd, place);
        Some(ExpressionKind::Lambda { body })
    }
}

fn operator(operator: Operator) -> BinaryOperator {
    match operator {
        Operator::Add => BinaryOperator::Add,
        Operator::Sub => BinaryOperator::Subtract,
        Operator::Mult => BinaryOperator::Multiply,
        Operator::Div => BinaryOperator::Divide,
        Operator::Mod => BinaryOperator::Modulo,
        Operator::BitOr => BinaryOperator::Or,
        _ => BinaryOperator::Other,
    }
}

fn comparison(operator: CmpOp) -> Comparison {
    match operator {
        CmpOp::Eq => Comparison::Equal,
        CmpOp::NotEq => Comparison::NotEqual,
        CmpOp::Lt => Comparison::Less,
        CmpOp::LtE => Comparison::LessEqual,
        CmpOp::Gt => Comparison::Greater,
        CmpOp::GtE => Comparison::GreaterEqual,
        CmpOp::In => Comparison::In,
        CmpOp::NotIn => Comparison::NotIn,
        CmpOp::Is => Comparison::Is,
        CmpOp::IsNot => Comparison::IsNot,
    }
}
