//! From tokens to the tree of a template.

use std::sync::Arc;

use super::ChatError;
use super::lexer::{Placed, Token, tokens};

/// How deep expressions and blocks may nest.
const MOST_DEPTH: u32 = 150;
/// Blocks nest less, and each costs more when it runs.
const MOST_BLOCK_DEPTH: u32 = 60;

/// A statement or a piece of text, and its line.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Text(String),
    Emit(Expression),
    /// Conditions with what follows from each, and what follows from none.
    If(Vec<(Expression, Vec<Node>)>, Vec<Node>),
    For(ForLoop),
    Set(Target, Expression),
    SetBlock(Target, Vec<FilterCall>, Vec<Node>),
    Macro(Arc<Macro>),
    /// A call with a body that the macro can ask for as `caller()`.
    CallBlock(Expression, Arc<Macro>),
    FilterBlock(Vec<FilterCall>, Vec<Node>),
    With(Vec<(Target, Expression)>, Vec<Node>),
    /// A block that only matters to training.
    Plain(Vec<Node>),
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct ForLoop {
    pub(super) target: Target,
    pub(super) items: Expression,
    pub(super) condition: Option<Expression>,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expression>)>,
    pub(super) body: Vec<Node>,
}

/// What is assigned to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Name(String),
    Attribute(String, String),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(super) struct FilterCall {
    pub(super) name: String,
    pub(super) arguments: ArgumentList,
}

#[derive(Debug, Default)]
pub(super) struct ArgumentList {
    pub(super) positional: Vec<Expression>,
    pub(super) named: Vec<(String, Expression)>,
    depth: u32,
}

/// An expression and how deep it is.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) kind: ExpressionKind,
    depth: u32,
}

#[derive(Debug)]
pub(super) enum ExpressionKind {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Name(String),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Attribute(Box<Expression>, String),
    Item(Box<Expression>, Box<Expression>),
    Slice(Box<Expression>, Box<[Option<Expression>; 3]>),
    Call(Box<Expression>, ArgumentList),
    Filter(Box<Expression>, FilterCall),
    Test(Box<Expression>, FilterCall),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    /// Comparisons in a row, as Python reads them.
    Compare(Box<Expression>, Vec<(&'static str, Expression)>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    /// Condition, then, else.
    If(Box<Expression>, Box<Expression>, Option<Box<Expression>>),
}

/// Reads a template.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, ChatError> {
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, num_blocks: 0, num_loops: 0 };
    let nodes = parser.body(&[])?;
    if parser.at < parser.tokens.len() {
        return parser.error("a block ends that has not begun");
    }
    Ok(nodes)
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    /// Of expressions, while they are read.
    depth: u32,
    /// Open blocks.
    num_blocks: u32,
    /// Open loops.
    num_loops: u32,
}

type Parsed<T> = Result<T, ChatError>;

impl Parser {
    fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn error<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(ChatError::Syntax { line: self.line(), reason: reason.into() })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1).map(|placed| &placed.token)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == name)
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> Parsed<()> {
        if self.takes_sign(sign) { Ok(()) } else { self.error(format!("expected {sign:?}")) }
    }

    fn keyword(&mut self, name: &str) -> Parsed<()> {
        if self.takes_name(name) { Ok(()) } else { self.error(format!("expected {name:?}")) }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.error("expected a name"),
        }
    }

    fn token(&mut self, token: &Token) -> Parsed<()> {
        if self.peek() == Some(token) {
            self.at += 1;
            return Ok(());
        }
        self.error("a tag holds more than expected, or has no end")
    }

    fn block_end(&mut self) -> Parsed<()> {
        self.token(&Token::BlockEnd)
    }

    /// Nodes up to a block that begins with one of these words, which is left in place, or to the end if there are none.
    fn body(&mut self, until: &[&str]) -> Parsed<Vec<Node>> {
        self.num_blocks += 1;
        if self.num_blocks > MOST_BLOCK_DEPTH {
            return self.error("blocks nest too deep");
        }
        let mut nodes = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.peek() {
                None if until.is_empty() => break,
                None => return self.error(format!("the template ends before {:?}", until[until.len() - 1])),
                Some(Token::Text(text)) => {
                    let text = text.clone();
                    self.at += 1;
                    NodeKind::Text(text)
                }
                Some(Token::EmitBegin) => {
                    self.at += 1;
                    let expression = self.tuple()?;
                    self.token(&Token::EmitEnd)?;
                    NodeKind::Emit(expression)
                }
                Some(Token::BlockBegin) => {
                    if let Some(Token::Name(name)) = self.peek_second()
                        && (until.contains(&name.as_str()) || (until.is_empty() && name.starts_with("end")))
                    {
                        break;
                    }
                    self.at += 1;
                    self.statement()?
                }
                Some(_) => return self.error("a stray token"),
            };
            nodes.push(Node { line, kind });
        }
        self.num_blocks -= 1;
        Ok(nodes)
    }

    /// The body of a block up to its end, which is taken.
    fn block(&mut self, end: &str) -> Parsed<Vec<Node>> {
        self.block_end()?;
        let body = self.body(&[end])?;
        self.close(end)?;
        Ok(body)
    }

    fn close(&mut self, end: &str) -> Parsed<()> {
        self.token(&Token::BlockBegin)?;
        self.keyword(end)?;
        self.block_end()
    }

    fn statement(&mut self) -> Parsed<NodeKind> {
        let word = self.name()?;
        match word.as_str() {
            "if" => self.if_block(),
            "for" => self.for_block(),
            "set" => self.set(),
            "macro" => {
                let name = self.name()?;
                let parameters = self.parameters()?;
                Ok(NodeKind::Macro(self.macro_body(name, parameters, "endmacro")?))
            }
            "call" => {
                let parameters = if self.is_sign("(") { self.parameters()? } else { Vec::new() };
                let call = self.expression()?;
                if !matches!(call.kind, ExpressionKind::Call(..)) {
                    return self.error("expected a call");
                }
                Ok(NodeKind::CallBlock(call, self.macro_body("caller".to_owned(), parameters, "endcall")?))
            }
            "filter" => {
                let mut filters = vec![self.filter_call()?];
                while self.takes_sign("|") {
                    filters.push(self.filter_call()?);
                }
                Ok(NodeKind::FilterBlock(filters, self.block("endfilter")?))
            }
            "with" => {
                let mut bindings = Vec::new();
                while self.peek() != Some(&Token::BlockEnd) {
                    if !bindings.is_empty() {
                        self.sign(",")?;
                    }
                    let target = self.target()?;
                    self.sign("=")?;
                    bindings.push((target, self.expression()?));
                }
                Ok(NodeKind::With(bindings, self.block("endwith")?))
            }
            "generation" => Ok(NodeKind::Plain(self.block("endgeneration")?)),
            "break" | "continue" if self.num_loops == 0 => self.error(format!("{word:?} outside of a loop")),
            "break" => self.block_end().map(|()| NodeKind::Break),
            "continue" => self.block_end().map(|()| NodeKind::Continue),
            _ => self.error(format!("the block {word:?} is not known here")),
        }
    }

    fn macro_body(
        &mut self,
        name: String,
        parameters: Vec<(String, Option<Expression>)>,
        end: &str,
    ) -> Parsed<Arc<Macro>> {
        let num_loops = std::mem::take(&mut self.num_loops);
        let body = self.block(end)?;
        self.num_loops = num_loops;
        Ok(Arc::new(Macro { name, parameters, body }))
    }

    fn parameters(&mut self) -> Parsed<Vec<(String, Option<Expression>)>> {
        self.sign("(")?;
        let mut parameters = Vec::new();
        while !self.takes_sign(")") {
            if !parameters.is_empty() {
                self.sign(",")?;
            }
            let name = self.name()?;
            let default = if self.takes_sign("=") { Some(self.expression()?) } else { None };
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    fn if_block(&mut self) -> Parsed<NodeKind> {
        let mut branches = Vec::new();
        let condition = self.expression()?;
        self.block_end()?;
        branches.push((condition, self.body(&["elif", "else", "endif"])?));
        loop {
            self.token(&Token::BlockBegin)?;
            match self.name()?.as_str() {
                "elif" => {
                    let condition = self.expression()?;
                    self.block_end()?;
                    branches.push((condition, self.body(&["elif", "else", "endif"])?));
                }
                "else" => {
                    let otherwise = self.block("endif")?;
                    return Ok(NodeKind::If(branches, otherwise));
                }
                _ => {
                    self.block_end()?;
                    return Ok(NodeKind::If(branches, Vec::new()));
                }
            }
        }
    }

    fn for_block(&mut self) -> Parsed<NodeKind> {
        let target = self.target()?;
        self.keyword("in")?;
        // An `if` here is the loop's own.
        let items = self.tuple_of(Self::or)?;
        let condition = if self.takes_name("if") { Some(self.expression()?) } else { None };
        if self.is_name("recursive") {
            return self.error("recursive loops are not known here");
        }
        self.block_end()?;
        self.num_loops += 1;
        let body = self.body(&["else", "endfor"])?;
        self.num_loops -= 1;
        self.token(&Token::BlockBegin)?;
        let otherwise = if self.name()? == "else" {
            self.block("endfor")?
        } else {
            self.block_end()?;
            Vec::new()
        };
        Ok(NodeKind::For(ForLoop { target, items, condition, body, otherwise }))
    }

    fn set(&mut self) -> Parsed<NodeKind> {
        let target = self.target()?;
        if self.takes_sign("=") {
            let value = self.tuple()?;
            self.block_end()?;
            return Ok(NodeKind::Set(target, value));
        }
        let mut filters = Vec::new();
        while self.takes_sign("|") {
            filters.push(self.filter_call()?);
        }
        Ok(NodeKind::SetBlock(target, filters, self.block("endset")?))
    }

    fn target(&mut self) -> Parsed<Target> {
        let first = self.single_target()?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.takes_sign(",") {
            if !matches!(self.peek(), Some(Token::Name(_) | Token::Sign("("))) || self.is_name("in") {
                break;
            }
            targets.push(self.single_target()?);
        }
        Ok(Target::Tuple(targets))
    }

    fn single_target(&mut self) -> Parsed<Target> {
        if self.takes_sign("(") {
            self.depth += 1;
            if self.depth > MOST_DEPTH {
                return self.error("expressions nest too deep");
            }
            let target = self.target()?;
            self.depth -= 1;
            self.sign(")")?;
            return Ok(target);
        }
        let name = self.name()?;
        if self.takes_sign(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    // Expressions, from the loosest operator to the tightest.

    /// Makes an expression whose deepest part has this depth.
    fn make(&self, kind: ExpressionKind, depth: u32) -> Parsed<Expression> {
        if depth >= MOST_DEPTH {
            return self.error("expressions nest too deep");
        }
        Ok(Expression { kind, depth: depth + 1 })
    }

    fn binary(&self, sign: &'static str, left: Expression, right: Expression) -> Parsed<Expression> {
        let depth = left.depth.max(right.depth);
        self.make(ExpressionKind::Binary(sign, Box::new(left), Box::new(right)), depth)
    }

    /// One expression, or several with commas between them.
    fn tuple(&mut self) -> Parsed<Expression> {
        self.tuple_of(Self::expression)
    }

    fn tuple_of(&mut self, item: fn(&mut Self) -> Parsed<Expression>) -> Parsed<Expression> {
        let first = item(self)?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut depth = first.depth;
        let mut items = vec![first];
        while self.takes_sign(",") {
            if matches!(self.peek(), Some(Token::EmitEnd | Token::BlockEnd | Token::Sign(")" | "=")) | None) {
                break;
            }
            let next = item(self)?;
            depth = depth.max(next.depth);
            items.push(next);
        }
        self.make(ExpressionKind::Tuple(items), depth)
    }

    fn expression(&mut self) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return self.error("expressions nest too deep");
        }
        let mut then = self.or()?;
        while self.takes_name("if") {
            let condition = self.or()?;
            let otherwise = if self.takes_name("else") { Some(self.expression()?) } else { None };
            let depth =
                then.depth.max(condition.depth).max(otherwise.as_ref().map_or(0, |expression| expression.depth));
            let kind = ExpressionKind::If(Box::new(condition), Box::new(then), otherwise.map(Box::new));
            then = self.make(kind, depth)?;
        }
        self.depth -= 1;
        Ok(then)
    }

    fn or(&mut self) -> Parsed<Expression> {
        let mut left = self.and()?;
        while self.takes_name("or") {
            let right = self.and()?;
            let depth = left.depth.max(right.depth);
            left = self.make(ExpressionKind::Or(Box::new(left), Box::new(right)), depth)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expression> {
        let mut left = self.not()?;
        while self.takes_name("and") {
            let right = self.not()?;
            let depth = left.depth.max(right.depth);
            left = self.make(ExpressionKind::And(Box::new(left), Box::new(right)), depth)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Expression> {
        let mut num_nots = 0;
        while self.takes_name("not") {
            num_nots += 1;
        }
        let mut expression = self.comparison()?;
        for _ in 0..num_nots {
            let depth = expression.depth;
            expression = self.make(ExpressionKind::Not(Box::new(expression)), depth)?;
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Parsed<Expression> {
        let first = self.sum()?;
        let mut depth = first.depth;
        let mut rest = Vec::new();
        loop {
            let sign = match self.peek() {
                Some(Token::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) => *sign,
                Some(Token::Name(name)) if name == "in" => "in",
                Some(Token::Name(name)) if name == "not" => match self.peek_second() {
                    Some(Token::Name(second)) if second == "in" => {
                        self.at += 1;
                        "not in"
                    }
                    _ => break,
                },
                _ => break,
            };
            self.at += 1;
            let next = self.sum()?;
            depth = depth.max(next.depth);
            rest.push((sign, next));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        self.make(ExpressionKind::Compare(Box::new(first), rest), depth)
    }

    /// A row of operands with operators of one rank between them, from the left.
    fn row(&mut self, operand: fn(&mut Self) -> Parsed<Expression>, signs: &[&'static str]) -> Parsed<Expression> {
        let mut left = operand(self)?;
        while let Some(sign) = signs.iter().find(|sign| self.is_sign(sign)) {
            self.at += 1;
            let right = operand(self)?;
            left = self.binary(sign, left, right)?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expression> {
        self.row(Self::concatenation, &["+", "-"])
    }

    fn concatenation(&mut self) -> Parsed<Expression> {
        self.row(Self::product, &["~"])
    }

    fn product(&mut self) -> Parsed<Expression> {
        self.row(Self::power, &["*", "/", "//", "%"])
    }

    fn power(&mut self) -> Parsed<Expression> {
        self.row(|parser| parser.unary(true), &["**"])
    }

    fn unary(&mut self, with_filters: bool) -> Parsed<Expression> {
        let negates = match self.peek() {
            Some(Token::Sign("-")) => Some(true),
            Some(Token::Sign("+")) => Some(false),
            _ => None,
        };
        let mut expression = if let Some(negates) = negates {
            self.at += 1;
            self.depth += 1;
            if self.depth > MOST_DEPTH {
                return self.error("expressions nest too deep");
            }
            let inner = Box::new(self.unary(false)?);
            self.depth -= 1;
            let depth = inner.depth;
            let kind = if negates { ExpressionKind::Negative(inner) } else { ExpressionKind::Positive(inner) };
            self.make(kind, depth)?
        } else {
            self.primary()?
        };
        expression = self.postfix(expression)?;
        if with_filters {
            expression = self.filters(expression)?;
        }
        Ok(expression)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let Some(token) = self.peek().cloned() else { return self.error("the template ends inside a tag") };
        self.at += 1;
        let kind = match token {
            Token::Name(name) => match name.as_str() {
                "true" | "True" => ExpressionKind::Bool(true),
                "false" | "False" => ExpressionKind::Bool(false),
                "none" | "None" => ExpressionKind::None,
                _ => ExpressionKind::Name(name),
            },
            Token::Integer(number) => ExpressionKind::Integer(number),
            Token::Float(number) => ExpressionKind::Float(number),
            Token::String(mut text) => {
                while let Some(Token::String(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                ExpressionKind::String(text)
            }
            Token::Sign("(") => {
                if self.takes_sign(")") {
                    ExpressionKind::Tuple(Vec::new())
                } else {
                    let expression = self.tuple()?;
                    self.sign(")")?;
                    return Ok(expression);
                }
            }
            Token::Sign("[") => return self.list(),
            Token::Sign("{") => return self.dict(),
            _ => {
                self.at -= 1;
                return self.error("expected an expression");
            }
        };
        self.make(kind, 0)
    }

    fn list(&mut self) -> Parsed<Expression> {
        let (mut items, mut depth) = (Vec::new(), 0);
        while !self.takes_sign("]") {
            if !items.is_empty() {
                self.sign(",")?;
                if self.takes_sign("]") {
                    break;
                }
            }
            let item = self.expression()?;
            depth = depth.max(item.depth);
            items.push(item);
        }
        self.make(ExpressionKind::List(items), depth)
    }

    fn dict(&mut self) -> Parsed<Expression> {
        let (mut items, mut depth) = (Vec::new(), 0);
        while !self.takes_sign("}") {
            if !items.is_empty() {
                self.sign(",")?;
                if self.takes_sign("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.sign(":")?;
            let value = self.expression()?;
            depth = depth.max(key.depth).max(value.depth);
            items.push((key, value));
        }
        self.make(ExpressionKind::Dict(items), depth)
    }

    fn postfix(&mut self, mut expression: Expression) -> Parsed<Expression> {
        loop {
            if self.takes_sign(".") {
                let depth = expression.depth;
                let kind = if let Some(Token::Integer(index)) = self.peek() {
                    let index = ExpressionKind::Integer(*index);
                    self.at += 1;
                    let index = self.make(index, 0)?;
                    ExpressionKind::Item(Box::new(expression), Box::new(index))
                } else {
                    ExpressionKind::Attribute(Box::new(expression), self.name()?)
                };
                expression = self.make(kind, depth)?;
            } else if self.takes_sign("[") {
                expression = self.subscript(expression)?;
            } else if self.is_sign("(") {
                expression = self.call(expression)?;
            } else {
                return Ok(expression);
            }
        }
    }

    fn subscript(&mut self, inner: Expression) -> Parsed<Expression> {
        let mut parts: [Option<Expression>; 3] = [None, None, None];
        let mut depth = inner.depth;
        let mut num_colons = 0;
        while !self.takes_sign("]") {
            if self.takes_sign(":") {
                num_colons += 1;
                if num_colons > 2 {
                    return self.error("a slice has three parts at most");
                }
            } else if parts[num_colons].is_none() {
                let part = self.expression()?;
                depth = depth.max(part.depth);
                parts[num_colons] = Some(part);
            } else {
                return self.error("expected \"]\"");
            }
        }
        let kind = match (num_colons, parts) {
            (0, [Some(index), None, None]) => ExpressionKind::Item(Box::new(inner), Box::new(index)),
            (0, _) => return self.error("expected an expression"),
            (_, parts) => ExpressionKind::Slice(Box::new(inner), Box::new(parts)),
        };
        self.make(kind, depth)
    }

    fn call(&mut self, callee: Expression) -> Parsed<Expression> {
        let arguments = self.arguments()?;
        let depth = callee.depth.max(arguments.depth);
        self.make(ExpressionKind::Call(Box::new(callee), arguments), depth)
    }

    fn arguments(&mut self) -> Parsed<ArgumentList> {
        self.sign("(")?;
        let mut list = ArgumentList::default();
        let mut is_first = true;
        while !self.takes_sign(")") {
            if !is_first {
                self.sign(",")?;
                if self.takes_sign(")") {
                    break;
                }
            }
            is_first = false;
            let is_named = matches!(self.peek(), Some(Token::Name(_))) && self.peek_second() == Some(&Token::Sign("="));
            let name = if is_named { Some(self.name()?) } else { None };
            self.at += usize::from(is_named);
            let value = self.expression()?;
            list.depth = list.depth.max(value.depth);
            match name {
                Some(name) => list.named.push((name, value)),
                None if list.named.is_empty() => list.positional.push(value),
                None => return self.error("an argument without a name follows one with a name"),
            }
        }
        Ok(list)
    }

    fn filter_call(&mut self) -> Parsed<FilterCall> {
        let name = self.name()?;
        let arguments = if self.is_sign("(") { self.arguments()? } else { ArgumentList::default() };
        Ok(FilterCall { name, arguments })
    }

    fn filters(&mut self, mut expression: Expression) -> Parsed<Expression> {
        loop {
            if self.takes_sign("|") {
                let filter = self.filter_call()?;
                let depth = expression.depth.max(filter.arguments.depth);
                expression = self.make(ExpressionKind::Filter(Box::new(expression), filter), depth)?;
            } else if self.takes_name("is") {
                expression = self.test(expression)?;
            } else if self.is_sign("(") {
                expression = self.call(expression)?;
            } else {
                return Ok(expression);
            }
        }
    }

    fn test(&mut self, expression: Expression) -> Parsed<Expression> {
        let negates = self.takes_name("not");
        let name = self.name()?;
        let mut arguments = ArgumentList::default();
        if self.is_sign("(") {
            arguments = self.arguments()?;
        } else {
            let takes_argument = match self.peek() {
                Some(Token::Name(next)) => !matches!(next.as_str(), "else" | "or" | "and" | "is" | "if" | "in" | "not"),
                Some(Token::String(_) | Token::Integer(_) | Token::Float(_) | Token::Sign("[" | "{")) => true,
                _ => false,
            };
            if takes_argument {
                let argument = self.primary()?;
                let argument = self.postfix(argument)?;
                arguments.depth = argument.depth;
                arguments.positional.push(argument);
            }
        }
        let depth = expression.depth.max(arguments.depth);
        let test = self.make(ExpressionKind::Test(Box::new(expression), FilterCall { name, arguments }), depth)?;
        if !negates {
            return Ok(test);
        }
        let depth = test.depth;
        self.make(ExpressionKind::Not(Box::new(test)), depth)
    }
}
