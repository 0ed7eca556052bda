//! Lowering of declarations and statements.

use std::collections::BTreeMap;
use std::rc::Rc;

use tree_sitter::Node;

use super::{
    Argument, ArgumentKind, BinaryOperator, Comparison, Constant, ExpressionId, ExpressionKind, FunctionId, Lowering,
    MAX_BLOCK_DEPTH, SequenceKind, Span, binary_operator, field, is_statement, named_children, span,
};
use crate::syntax::Part;
use crate::syntax::{Parameter, Statement, StatementKind};

/// Calls after which nothing runs.
const NEVER_RETURN: &[&str] = &[
    "panic",
    "os.Exit",
    "log.Fatal",
    "log.Fatalf",
    "log.Fatalln",
    "log.Panic",
    "log.Panicf",
    "t.Fatal",
    "t.Fatalf",
    "logger.Fatal",
    "logger.Fatalf",
    "glog.Fatal",
    "glog.Fatalf",
    "logrus.Fatal",
    "logrus.Fatalf",
    "runtime.Goexit",
    "syscall.Exit",
];

impl<'tree> Lowering<'_, 'tree> {
    /// Lowers a file: its methods are gathered by the type that they belong to.
    pub(super) fn file(&mut self, root: Node<'tree>) -> Vec<Statement> {
        let mut statements = Vec::new();
        let mut methods: BTreeMap<Rc<str>, (Span, Vec<Statement>)> = BTreeMap::new();
        for child in named_children(root) {
            if child.kind() == "method_declaration" {
                let owner = self.receiver_type(child);
                let statement = self.function(child);
                methods.entry(owner).or_insert_with(|| (span(child), Vec::new())).1.push(statement);
            } else {
                self.statement(child, 0, &mut statements);
            }
        }
        for (name, (span, body)) in methods {
            statements.push(Statement { kind: StatementKind::Class { name, bases: Vec::new(), body }, span });
        }
        statements
    }

    fn receiver_type(&self, method: Node<'tree>) -> Rc<str> {
        let list = method.part("receiver").map_or_else(Vec::new, named_children);
        let declared = list.first().and_then(|declaration| declaration.part("type"));
        self.type_text(declared)
    }

    fn function(&mut self, node: Node<'tree>) -> Statement {
        let name = node.part("name").map_or_else(|| "".into(), |name| self.name(name));
        let function = self.reserve(name);
        self.fill(function, node);
        Statement { kind: StatementKind::Function(function), span: span(node) }
    }

    pub(super) fn closure_body(&mut self, function: FunctionId, node: Node<'tree>) {
        self.fill(function, node);
    }

    fn fill(&mut self, function: FunctionId, node: Node<'tree>) {
        let mut parameters = Vec::new();
        for list in ["receiver", "parameters"] {
            let declarations = node.part(list).map_or_else(Vec::new, named_children);
            for declaration in declarations {
                self.parameters(declaration, &mut parameters);
            }
            if list == "receiver" && parameters.is_empty() && node.kind() == "method_declaration" {
                parameters.push(Self::parameter("_".into(), ArgumentKind::Positional, None, span(node)));
            }
        }
        let outer = std::mem::replace(&mut self.breaks_leave_switch, false);
        let mut body = Vec::new();
        self.named_results(node, &mut body);
        if let Some(block) = node.part("body") {
            self.block(block, 1, &mut body);
        }
        self.breaks_leave_switch = outer;
        let definition = &mut self.module.functions[function as usize];
        definition.parameters = parameters;
        definition.body = body;
    }

    fn parameter(name: Rc<str>, kind: ArgumentKind, annotation: Option<Rc<str>>, span: Span) -> Parameter {
        Parameter { name, kind, default: None, annotation, span }
    }

    fn parameters(&self, declaration: Node<'tree>, out: &mut Vec<Parameter>) {
        let kind = match declaration.kind() {
            "parameter_declaration" => ArgumentKind::Positional,
            "variadic_parameter_declaration" => ArgumentKind::Splat,
            _ => return,
        };
        let annotation = self.type_text(declaration.part("type"));
        let mut cursor = declaration.walk();
        let names: Vec<_> = declaration.children_by_field_name("name", &mut cursor).collect();
        if names.is_empty() {
            out.push(Self::parameter("_".into(), kind.clone(), Some(Rc::clone(&annotation)), span(declaration)));
        }
        for name in names {
            out.push(Self::parameter(self.name(name), kind.clone(), Some(Rc::clone(&annotation)), span(name)));
        }
    }

    /// Named results are variables from the start.
    fn named_results(&self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let Some(list) = node.part("result").filter(|list| list.kind() == "parameter_list") else {
            return;
        };
        let mut results = Vec::new();
        for declaration in named_children(list) {
            self.parameters(declaration, &mut results);
        }
        for result in results.into_iter().filter(|result| result.name.as_ref() != "_") {
            let kind = StatementKind::Declare { name: result.name, kind: result.annotation, size: None, value: None };
            out.push(Statement { kind, span: result.span });
        }
    }

    fn block(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        if depth > MAX_BLOCK_DEPTH {
            self.error.get_or_insert(span(node));
            return;
        }
        for child in named_children(node) {
            self.statement(child, depth, out);
        }
    }

    fn body(&mut self, node: Option<Node<'tree>>, depth: usize) -> Vec<Statement> {
        let mut statements = Vec::new();
        if let Some(node) = node {
            self.block(node, depth + 1, &mut statements);
        }
        statements
    }

    fn statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let kind = match node.kind() {
            "import_declaration" => {
                self.imports(node, out);
                return;
            }
            "package_clause" | "type_declaration" | "empty_statement" | "fallthrough_statement" => StatementKind::Pass,
            "function_declaration" | "method_declaration" => {
                out.push(self.function(node));
                return;
            }
            "const_declaration" | "var_declaration" => {
                self.declarations(node, out);
                return;
            }
            "short_var_declaration" | "assignment_statement" => self.assignment(node),
            "inc_statement" | "dec_statement" => {
                let target = self.expression(node.named_child(0).unwrap_or(node));
                let one = self.literal(Constant::Integer(1), span(node));
                let is_more = node.kind() == "inc_statement";
                let operator = if is_more { BinaryOperator::Add } else { BinaryOperator::Subtract };
                StatementKind::Augment { target, operator, value: one }
            }
            "expression_statement" => self.expression_statement(node),
            "go_statement" | "defer_statement" => match named_children(node).first() {
                Some(call) => StatementKind::Expression(self.expression(*call)),
                None => StatementKind::Pass,
            },
            "return_statement" => {
                let value = named_children(node).first().map(|value| self.expression(*value));
                StatementKind::Return(value)
            }
            "goto_statement" => StatementKind::Raise(Vec::new()),
            "break_statement" if node.named_child_count() == 0 && self.breaks_leave_switch => StatementKind::Pass,
            "break_statement" => StatementKind::Break,
            "continue_statement" => StatementKind::Continue,
            "if_statement" => {
                self.if_statement(node, depth, out);
                return;
            }
            "for_statement" => {
                self.for_statement(node, depth, out);
                return;
            }
            "expression_switch_statement" | "type_switch_statement" | "select_statement" => {
                self.switch(node, depth, out);
                return;
            }
            "block" | "statement_list" | "labeled_statement" | "ERROR" => {
                self.block(node, depth + 1, out);
                return;
            }
            kind if is_statement(kind) => {
                let parts = named_children(node);
                StatementKind::Parts(parts.into_iter().map(|part| self.expression(part)).collect())
            }
            _ => StatementKind::Expression(self.expression(node)),
        };
        out.push(Statement { kind, span: span(node) });
    }

    fn literal(&mut self, constant: Constant, span: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(ExpressionKind::Constant(constant), span, first)
    }

    fn imports(&self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let mut bindings = Vec::new();
        let mut open = named_children(node);
        while let Some(next) = open.pop() {
            if next.kind() == "import_spec_list" {
                open.extend(named_children(next));
            }
            let Some(path) = next.part("path") else { continue };
            let path = self.text(path).trim_matches(['"', '`']);
            let alias = next.part("name").map(|name| self.text(name));
            let name = match alias {
                Some("_" | ".") => continue,
                Some(alias) => alias,
                None => package_name(path),
            };
            bindings.push((Rc::from(name), Rc::from(path)));
        }
        out.push(Statement { kind: StatementKind::Import(bindings), span: span(node) });
    }

    /// `var a, b T = x, y` and its constants: one declaration for each name.
    fn declarations(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let mut specifications = Vec::new();
        for child in named_children(node) {
            match child.kind() {
                "var_spec_list" => specifications.extend(named_children(child)),
                _ => specifications.push(child),
            }
        }
        for specification in specifications {
            let kind = specification.part("type").map(|kind| self.type_text(Some(kind)));
            let mut cursor = specification.walk();
            let names: Vec<_> = specification
                .children_by_field_name("name", &mut cursor)
                .filter(Node::is_named)
                .map(|name| (self.name(name), span(name)))
                .collect();
            let values = specification.part("value").map_or_else(Vec::new, named_children);
            if values.len() == 1 && names.len() > 1 {
                let value = self.expression(values[0]);
                let target = self.name_sequence(&names, span(specification));
                let kind = StatementKind::Assign { targets: vec![target], value };
                out.push(Statement { kind, span: span(specification) });
                continue;
            }
            for (at, (name, place)) in names.into_iter().enumerate() {
                let value = values.get(at).map(|value| self.expression(*value));
                let kind = StatementKind::Declare { name, kind: kind.clone(), size: None, value };
                out.push(Statement { kind, span: place });
            }
        }
    }

    fn name_sequence(&mut self, names: &[(Rc<str>, Span)], place: Span) -> ExpressionId {
        let first = self.next_id();
        let mut items = Vec::new();
        for (name, span) in names {
            let at = self.next_id();
            items.push(self.emit(ExpressionKind::Name(Rc::clone(name)), *span, at));
        }
        self.emit(ExpressionKind::Sequence { kind: SequenceKind::Tuple, items }, place, first)
    }

    fn assignment(&mut self, node: Node<'tree>) -> StatementKind {
        let operator = node.part("operator").map_or("=", |operator| operator.kind());
        let left = field(node, "left");
        let target = self.expression(left);
        let first = self.next_id();
        let mut value = self.expression(field(node, "right"));
        let name = self.text(left);
        if name == "err" || name.ends_with("Err") {
            // What is kept under such a name says what went wrong, whatever it was made from.
            let place = self.module.span(value);
            value = self.emit(ExpressionKind::Cast { kind: "error".into(), value }, place, first);
        }
        if matches!(operator, "=" | ":=") {
            StatementKind::Assign { targets: vec![target], value }
        } else {
            StatementKind::Augment { target, operator: binary_operator(operator), value }
        }
    }

    fn expression_statement(&mut self, node: Node<'tree>) -> StatementKind {
        let Some(inside) = node.named_child(0) else { return StatementKind::Pass };
        let callee = inside.part("function").map_or("", |callee| self.text(callee));
        let value = self.expression(inside);
        if NEVER_RETURN.contains(&callee) {
            return StatementKind::Raise(vec![value]);
        }
        StatementKind::Expression(value)
    }

    fn initializer(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        if let Some(first) = node.part("initializer") {
            self.statement(first, depth, out);
        }
    }

    /// A chain of `else if` is one statement as far as no link declares a name of its own.
    fn if_statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        self.initializer(node, depth, out);
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let mut link = Some(node);
        while let Some(current) = link {
            let test = self.expression(field(current, "condition"));
            branches.push((test, self.body(current.part("consequence"), depth)));
            link = None;
            match current.part("alternative") {
                Some(next) if next.kind() == "if_statement" && next.part("initializer").is_none() => {
                    link = Some(next);
                }
                Some(next) if next.kind() == "if_statement" => {
                    if depth > MAX_BLOCK_DEPTH {
                        self.error.get_or_insert(span(next));
                    } else {
                        self.if_statement(next, depth + 1, &mut otherwise);
                    }
                }
                other => otherwise = self.body(other, depth),
            }
        }
        out.push(Statement { kind: StatementKind::If { branches, otherwise }, span: span(node) });
    }

    fn loop_body(&mut self, node: Node<'tree>, depth: usize) -> Vec<Statement> {
        let outer = std::mem::replace(&mut self.breaks_leave_switch, false);
        let body = self.body(node.part("body"), depth);
        self.breaks_leave_switch = outer;
        body
    }

    fn for_statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let head = named_children(node).into_iter().find(|child| child.kind() != "block");
        let place = span(node);
        match head {
            Some(range) if range.kind() == "range_clause" => self.range(node, range, depth, out),
            Some(clause) if clause.kind() == "for_clause" => {
                self.initializer(clause, depth, out);
                let test = match clause.part("condition") {
                    Some(condition) => self.expression(condition),
                    None => self.literal(Constant::Boolean(true), place),
                };
                let mut body = self.loop_body(node, depth);
                if let Some(update) = clause.part("update") {
                    self.statement(update, depth, &mut body);
                }
                out.push(Statement { kind: StatementKind::While { test, body, otherwise: Vec::new() }, span: place });
            }
            other => {
                let test = match other {
                    Some(condition) => self.expression(condition),
                    None => self.literal(Constant::Boolean(true), place),
                };
                let body = self.loop_body(node, depth);
                out.push(Statement { kind: StatementKind::While { test, body, otherwise: Vec::new() }, span: place });
            }
        }
    }

    /// `for k, v := range xs`: a loop over what the call `range(xs)` yields, which the dialect knows.
    fn range(&mut self, node: Node<'tree>, range: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let targets = range.part("left").map_or_else(Vec::new, named_children);
        let place = span(range);
        let target = if targets.len() == 2 {
            let first = self.next_id();
            let items: Vec<_> = targets.iter().map(|target| self.expression(*target)).collect();
            self.emit(ExpressionKind::Sequence { kind: SequenceKind::Tuple, items }, place, first)
        } else {
            let first = self.next_id();
            let key = match targets.first() {
                Some(key) => self.expression(*key),
                None => self.emit(ExpressionKind::Name("_".into()), place, first),
            };
            let second = self.next_id();
            let rest = self.emit(ExpressionKind::Name("_".into()), place, second);
            let items = vec![key, rest];
            self.emit(ExpressionKind::Sequence { kind: SequenceKind::Tuple, items }, place, first)
        };
        let first = self.next_id();
        let callee = self.emit(ExpressionKind::Name("range".into()), place, first);
        let over = self.expression(field(range, "right"));
        let arguments = vec![Argument { kind: ArgumentKind::Positional, value: over }];
        let over = self.module.span(over);
        let iterable = self.emit(ExpressionKind::Call { callee, arguments }, over, first);
        let body = self.loop_body(node, depth);
        let kind = StatementKind::For { target, iterable, body, otherwise: Vec::new() };
        out.push(Statement { kind, span: span(node) });
    }

    /// Every kind of `switch`, and `select`: a chain of conditions.
    fn switch(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        self.initializer(node, depth, out);
        let subject = node.part("value").map(|value| {
            let id = self.expression(value);
            out.push(Statement { kind: StatementKind::Expression(id), span: span(value) });
            id
        });
        let alias = node.part("alias").map(|alias| self.name(alias));
        let outer = std::mem::replace(&mut self.breaks_leave_switch, true);
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        for case in named_children(node) {
            let mut body = Vec::new();
            let test = match case.kind() {
                "expression_case" => self.case_test(subject, case),
                "type_case" => {
                    if let (Some(alias), Some(subject)) = (&alias, subject) {
                        let kind = self.type_text(case.part("type"));
                        let first = self.next_id();
                        let value = self.emit(ExpressionKind::Cast { kind, value: subject }, span(case), first);
                        let kind = StatementKind::Declare {
                            name: Rc::clone(alias),
                            kind: None,
                            size: None,
                            value: Some(value),
                        };
                        body.push(Statement { kind, span: span(case) });
                    }
                    self.unknown(span(case))
                }
                "communication_case" => {
                    if let Some(communication) = case.part("communication") {
                        self.statement(communication, depth, &mut body);
                    }
                    self.unknown(span(case))
                }
                "default_case" => {
                    otherwise = self.body(Some(case), depth);
                    continue;
                }
                _ => continue,
            };
            self.case_body(case, depth, &mut body);
            branches.push((test, body));
        }
        self.breaks_leave_switch = outer;
        out.push(Statement { kind: StatementKind::If { branches, otherwise }, span: span(node) });
    }

    fn case_body(&mut self, case: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let statements: Vec<_> =
            named_children(case).into_iter().filter(|child| child.kind() == "statement_list").collect();
        for list in statements {
            self.block(list, depth + 1, out);
        }
    }

    fn unknown(&mut self, place: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(ExpressionKind::Other(Vec::new()), place, first)
    }

    /// `case a, b:`: the subject is one of these, or one of these holds.
    fn case_test(&mut self, subject: Option<ExpressionId>, case: Node<'tree>) -> ExpressionId {
        let values = case.part("value").map_or_else(Vec::new, named_children);
        let place = span(case);
        let first = self.next_id();
        let values: Vec<_> = values.into_iter().map(|value| self.expression(value)).collect();
        match (subject, values.as_slice()) {
            (Some(left), [only]) => {
                self.emit(ExpressionKind::Compare { left, links: vec![(Comparison::Equal, *only)] }, place, first)
            }
            (Some(left), _) => {
                let items =
                    self.emit(ExpressionKind::Sequence { kind: SequenceKind::Tuple, items: values }, place, first);
                self.emit(ExpressionKind::Compare { left, links: vec![(Comparison::In, items)] }, place, first)
            }
            (None, [only]) => *only,
            (None, _) => self.emit(ExpressionKind::Other(values), place, first),
        }
    }
}

/// The name by which a package goes that is imported by this path.
fn package_name(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let mut last = parts.next().unwrap_or(path);
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if is_version(last) {
        last = parts.next().unwrap_or(last);
    }
    if let Some((name, version)) = last.rsplit_once('.')
        && is_version(version)
    {
        last = name;
    }
    let last = last.strip_prefix("go-").unwrap_or(last);
    last.strip_suffix("-go").or_else(|| last.strip_suffix(".go")).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn packages_go_by_the_last_part_of_their_path() {
        let names = ["os/exec", "github.com/golang-jwt/jwt/v5", "gopkg.in/yaml.v3", "github.com/mattn/go-sqlite3"];
        assert_eq!(names.map(package_name), ["exec", "jwt", "yaml", "sqlite3"]);
    }
}
