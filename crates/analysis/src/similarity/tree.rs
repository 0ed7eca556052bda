//! A syntax tree as one list in the order of the text: parsed once, walked by sub-tree match and data flow without recursion or
//! cursors.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tree_sitter::{Node as SyntaxNode, Tree, TreeCursor};

use super::hash::sip;

/// Nodes that count as one token though they have children.
const WHOLE_TEXTS: [&str; 3] = ["string_literal", "string", "character_literal"];

/// How many nodes may be printed, each as often as sub-trees with errors hold it.
const PRINTED_NODES: usize = 200_000;

/// The deepest tree of which anything is printed: printing is recursive, on a stack that is not ours.
const PRINTED_LEVELS: usize = 400;

/// A node by its place in the list.
pub(super) type NodeId = usize;

/// A field that data flow asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Left,
    Right,
    Name,
    Value,
    Body,
    Update,
}

/// A node and where its sub-tree lies: its descendants follow it, up to `end`.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: &'static str,
    pub kind_id: u16,
    pub field: Option<Field>,
    pub field_id: u16,
    /// One past its last descendant.
    pub end: NodeId,
    /// Its tokens: from the first to one past the last.
    pub tokens: (usize, usize),
    pub state: State,
    /// The hash of its s-expression if something in it is not in the language. The tree prints what cannot be reached in it
    /// otherwise: missing tokens that the grammar hides, and the character at which reading failed.
    pub print: Option<u64>,
    /// Whether it is one token itself.
    pub is_token: bool,
}

/// What a node is beside its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Named by the grammar.
    Named,
    /// Punctuation, keywords.
    Anonymous,
    /// The parser supposed it.
    Missing { is_named: bool },
}

/// A token of the tree.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Its text by number: equal texts have equal ones.
    pub name: usize,
    /// Its place among the tokens, or that of the last token at the same empty place.
    pub place: usize,
    /// Whether its text differs from its kind: a name or a literal, not punctuation.
    pub is_variable: bool,
}

/// A parsed text.
pub(super) struct Outline {
    pub nodes: Vec<Node>,
    pub tokens: Vec<Token>,
    /// The texts of the tokens.
    pub names: Vec<String>,
    /// Levels below the root, down to tokens.
    pub depth: usize,
    /// Levels below the root, those within tokens included.
    levels: usize,
}

impl Outline {
    /// Writes down the tree of a text. Columns count bytes; where `is_shifted`, they are taken for characters all the same, as in the
    /// package, so that tokens behind a character beyond ASCII have the wrong texts.
    pub(super) fn of(tree: &Tree, source: &str, is_shifted: bool) -> Self {
        let mut outline = Self { nodes: Vec::new(), tokens: Vec::new(), names: Vec::new(), depth: 0, levels: 0 };
        let mut spans = Vec::new();
        outline.walk(&mut tree.walk(), &Fields::of(tree), &mut spans);
        outline.name_tokens(source, &spans, is_shifted);
        if outline.levels <= PRINTED_LEVELS {
            outline.print(&mut tree.walk());
        }
        outline
    }

    /// The children of a node.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let end = self.nodes[node].end;
        let within = move |child: &NodeId| *child < end;
        std::iter::successors(Some(node + 1).filter(within), move |child| Some(self.nodes[*child].end).filter(within))
    }

    /// The first child in a field.
    pub(super) fn child(&self, node: NodeId, field: Field) -> Option<NodeId> {
        self.children(node).find(|child| self.nodes[*child].field == Some(field))
    }

    /// The tokens of a node that are names or literals.
    pub(super) fn variables(&self, node: NodeId) -> impl Iterator<Item = &Token> {
        let (first, end) = self.nodes[node].tokens;
        self.tokens[first..end].iter().filter(|token| token.is_variable)
    }

    fn walk(&mut self, cursor: &mut TreeCursor<'_>, fields: &Fields, spans: &mut Vec<Span>) {
        let mut open: Vec<NodeId> = Vec::new();
        // The level of a text that is one token: what is below it has no tokens.
        let mut text_level = None;
        loop {
            let node = cursor.node();
            let has_children = node.child_count() > 0;
            let is_text = WHOLE_TEXTS.contains(&node.kind());
            let is_token = text_level.is_none() && (!has_children || is_text) && node.kind() != "comment";
            let id = self.nodes.len();
            let first = self.tokens.len();
            let field = cursor.field_id().map_or(0, std::num::NonZero::get);
            self.levels = self.levels.max(open.len());
            if text_level.is_none() {
                self.depth = self.depth.max(open.len());
            }
            if is_token {
                spans.push(Span::of(node));
                self.tokens.push(Token { name: 0, place: first, is_variable: false });
            }
            self.nodes.push(Node {
                kind: node.kind(),
                kind_id: node.kind_id(),
                field: fields.known(field),
                field_id: field,
                end: id + 1,
                tokens: (first, self.tokens.len()),
                state: state(node),
                print: None,
                is_token,
            });
            if cursor.goto_first_child() {
                if is_token {
                    text_level = Some(open.len());
                }
                open.push(id);
                continue;
            }
            while !cursor.goto_next_sibling() {
                let Some(parent) = open.pop() else { return };
                cursor.goto_parent();
                self.nodes[parent].end = self.nodes.len();
                self.nodes[parent].tokens.1 = self.tokens.len();
                if text_level == Some(open.len()) {
                    text_level = None;
                }
            }
        }
    }

    /// Prints the sub-trees with errors, unless that takes quadratic time.
    fn print(&mut self, cursor: &mut TreeCursor<'_>) {
        let (mut id, mut left) = (0, PRINTED_NODES);
        loop {
            let node = cursor.node();
            if node.has_error() {
                left = left.saturating_sub(node.descendant_count());
                if left == 0 {
                    // None or all: equal sub-trees of a text stay equal.
                    self.nodes.iter_mut().for_each(|node| node.print = None);
                    return;
                }
                self.nodes[id].print = Some(sip(node.to_sexp().as_bytes()));
                if cursor.goto_first_child() {
                    id += 1;
                    continue;
                }
            }
            id = self.nodes[id].end;
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    fn name_tokens(&mut self, source: &str, spans: &[Span], is_shifted: bool) {
        let lines: Vec<&str> = source.split('\n').collect();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut place = spans.len();
        for at in (0..spans.len()).rev() {
            let span = &spans[at];
            // Tokens at one empty place are told apart by nothing: the last one stands for all.
            let is_shared = |next: &Span| span.start == span.end && (next.start, next.end) == (span.start, span.end);
            if !spans.get(at + 1).is_some_and(is_shared) {
                place = at;
            }
            let text = span.text(&lines, is_shifted);
            self.tokens[at].is_variable = text != span.kind;
            self.tokens[at].place = place;
            self.tokens[at].name = match known.entry(text) {
                Entry::Occupied(name) => *name.get(),
                Entry::Vacant(name) => {
                    self.names.push(name.key().clone());
                    *name.insert(self.names.len() - 1)
                }
            };
        }
    }
}

fn state(node: SyntaxNode<'_>) -> State {
    if node.is_missing() {
        State::Missing { is_named: node.is_named() }
    } else if node.is_named() {
        State::Named
    } else {
        State::Anonymous
    }
}

/// The numbers that a grammar gives to the fields of interest.
struct Fields([(Option<u16>, Field); 6]);

impl Fields {
    fn of(tree: &Tree) -> Self {
        let grammar = tree.language();
        let named = |name: &str| grammar.field_id_for_name(name).map(std::num::NonZero::get);
        Self([
            (named("left"), Field::Left),
            (named("right"), Field::Right),
            (named("name"), Field::Name),
            (named("value"), Field::Value),
            (named("body"), Field::Body),
            (named("update"), Field::Update),
        ])
    }

    fn known(&self, id: u16) -> Option<Field> {
        self.0.iter().find(|(number, _)| *number == Some(id)).map(|(_, field)| *field)
    }
}

/// Where a token lies: lines, and columns in bytes.
struct Span {
    start: (usize, usize),
    end: (usize, usize),
    kind: &'static str,
}

impl Span {
    fn of(node: SyntaxNode<'_>) -> Self {
        let (start, end) = (node.start_position(), node.end_position());
        Self { start: (start.row, start.column), end: (end.row, end.column), kind: node.kind() }
    }

    /// Its text without line ends.
    fn text(&self, lines: &[&str], is_shifted: bool) -> String {
        let line = |row: usize| lines.get(row).copied().unwrap_or_default();
        let cut = |row: usize, start: usize, end: usize| cut(line(row), start, end, is_shifted);
        if self.start.0 == self.end.0 {
            return cut(self.start.0, self.start.1, self.end.1).to_owned();
        }
        let mut text = cut(self.start.0, self.start.1, usize::MAX).to_owned();
        for row in self.start.0 + 1..self.end.0 {
            text.push_str(line(row));
        }
        text.push_str(cut(self.end.0, 0, self.end.1));
        text
    }
}

/// A line from one column to before another, as far as it goes: columns in bytes, or taken for characters.
fn cut(line: &str, start: usize, end: usize, is_shifted: bool) -> &str {
    let place = |column: usize| {
        if !is_shifted || line.is_ascii() {
            return column.min(line.len());
        }
        line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    };
    line.get(place(start)..place(end)).unwrap_or_default()
}
