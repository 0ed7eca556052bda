//! A syntax tree as one list in the order of the text: parsed once, walked by sub-tree match and data flow without recursion or
//! cursors.

use tree_sitter::{Node as SyntaxNode, Tree, TreeCursor};

use super::grammar::{Field, Grammar, Kind, Part};
use super::words::Words;

/// A node by its place in the list.
pub(super) type NodeId = usize;

/// A node and where its sub-tree lies: its descendants follow it, up to `end`.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind_id: u16,
    pub field_id: u16,
    pub state: State,
    /// Whether something in it is not in the language.
    pub has_error: bool,
    /// Whether it is one token itself.
    pub is_token: bool,
    /// One past its last descendant.
    end: u32,
    /// Its tokens: from the first to one past the last.
    tokens: (u32, u32),
}

impl Node {
    /// One past its last descendant.
    pub(super) fn end(&self) -> NodeId {
        self.end as usize
    }

    /// The place of its first token.
    pub(super) fn first_token(&self) -> usize {
        self.tokens.0 as usize
    }
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
    /// Its text by number, if it is a name or a literal: equal texts have equal ones.
    pub name: usize,
    /// Its place among the tokens, or that of the last token at the same empty place.
    pub place: usize,
    /// Whether its text differs from its kind: a name or a literal, not punctuation.
    pub is_variable: bool,
    /// Where it lies, in bytes.
    span: (u32, u32),
    kind_id: u16,
}

/// A parsed text.
pub(super) struct Outline {
    pub grammar: &'static Grammar,
    pub nodes: Vec<Node>,
    pub tokens: Vec<Token>,
    /// The texts of the tokens that are names or literals.
    pub names: Words,
    /// Levels below the root, down to tokens.
    pub depth: usize,
    /// Levels below the root, those within tokens included.
    pub levels: usize,
}

impl Outline {
    /// Nothing yet. An outline is used again for the next text, whose lists then have their memory.
    pub(super) fn new(grammar: &'static Grammar) -> Self {
        Self { grammar, nodes: Vec::new(), tokens: Vec::new(), names: Words::default(), depth: 0, levels: 0 }
    }

    /// Writes down the tree of a text.
    pub(super) fn read(&mut self, grammar: &'static Grammar, tree: &Tree, source: &str) {
        self.grammar = grammar;
        self.nodes.clear();
        self.tokens.clear();
        (self.depth, self.levels) = (0, 0);
        self.walk(&mut tree.walk(), tree.root_node().has_error());
        self.find_empty_places();
        self.name_tokens(|(start, end), text| {
            let lines = source.get(start..end).unwrap_or_default();
            if lines.contains('\n') { text.extend(lines.split('\n')) } else { text.push_str(lines) }
        });
    }

    /// Gives the tokens the texts that the package takes for theirs: columns count bytes, and are taken for characters, so that tokens
    /// behind a character beyond ASCII have the wrong ones.
    pub(super) fn shift(&mut self, source: &str) {
        let mut starts = vec![0];
        starts.extend(source.match_indices('\n').map(|(at, _)| at + 1));
        let lines: Vec<&str> = source.split('\n').collect();
        let line = |row: usize| lines.get(row).copied().unwrap_or_default();
        let position = |at: usize| {
            let row = starts.partition_point(|start| *start <= at) - 1;
            (row, at - starts[row])
        };
        self.name_tokens(|(start, end), text| {
            let (start, end) = (position(start), position(end));
            if start.0 == end.0 {
                text.push_str(cut(line(start.0), start.1, end.1));
                return;
            }
            text.push_str(cut(line(start.0), start.1, usize::MAX));
            (start.0 + 1..end.0).for_each(|row| text.push_str(line(row)));
            text.push_str(cut(line(end.0), 0, end.1));
        });
    }

    /// What a node is.
    pub(super) fn kind(&self, node: NodeId) -> &'static Kind {
        self.grammar.kind(self.nodes[node].kind_id)
    }

    /// The children of a node.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let end = self.nodes[node].end();
        let within = move |child: &NodeId| *child < end;
        std::iter::successors(Some(node + 1).filter(within), move |child| Some(self.nodes[*child].end()).filter(within))
    }

    /// The first child in a field.
    pub(super) fn child(&self, node: NodeId, field: Field) -> Option<NodeId> {
        self.children(node).find(|child| self.grammar.field(self.nodes[*child].field_id) == Some(field))
    }

    /// The tokens of a node that are names or literals.
    pub(super) fn variables(&self, node: NodeId) -> impl Iterator<Item = &Token> {
        let (first, end) = self.nodes[node].tokens;
        self.tokens[first as usize..end as usize].iter().filter(|token| token.is_variable)
    }

    fn walk(&mut self, cursor: &mut TreeCursor<'_>, has_error: bool) {
        let mut open: Vec<NodeId> = Vec::new();
        // The level of a text that is one token: what is below it has no tokens.
        let mut text_level = None;
        loop {
            let node = cursor.node();
            let field_id = cursor.field_id().map_or(0, std::num::NonZero::get);
            let has_children = cursor.goto_first_child();
            let kind_id = node.kind_id();
            let kind = self.grammar.kind(kind_id);
            let is_whole = !has_children || kind.part == Part::WholeText;
            let is_token = is_whole && text_level.is_none() && kind.part != Part::Comment;
            let id = self.nodes.len();
            let first = self.tokens.len();
            self.levels = self.levels.max(open.len());
            if text_level.is_none() {
                self.depth = self.depth.max(open.len());
            }
            if is_token {
                let span = (node.start_byte() as u32, node.end_byte() as u32);
                self.tokens.push(Token { name: 0, place: first, is_variable: false, span, kind_id });
            }
            self.nodes.push(Node {
                kind_id,
                field_id,
                state: if has_error { state(node) } else { known_state(kind) },
                has_error: has_error && node.has_error(),
                is_token,
                end: id as u32 + 1,
                tokens: (first as u32, self.tokens.len() as u32),
            });
            if has_children {
                if is_token {
                    text_level = Some(open.len());
                }
                open.push(id);
                continue;
            }
            while !cursor.goto_next_sibling() {
                let Some(parent) = open.pop() else { return };
                cursor.goto_parent();
                self.nodes[parent].end = self.nodes.len() as u32;
                self.nodes[parent].tokens.1 = self.tokens.len() as u32;
                if text_level == Some(open.len()) {
                    text_level = None;
                }
            }
        }
    }

    /// Tokens at one empty place are told apart by nothing: the last one stands for all.
    fn find_empty_places(&mut self) {
        for at in (1..self.tokens.len()).rev() {
            let (span, next) = (self.tokens[at - 1].span, self.tokens[at].span);
            if span.0 == span.1 && span == next {
                self.tokens[at - 1].place = self.tokens[at].place;
            }
        }
    }

    /// Gives tokens their names; `read` appends the text of a span, without line ends.
    fn name_tokens(&mut self, read: impl Fn((usize, usize), &mut String)) {
        self.names.clear(self.tokens.len());
        for token in &mut self.tokens {
            let kind = self.grammar.kind(token.kind_id).name;
            let span = (token.span.0 as usize, token.span.1 as usize);
            let name = self.names.number(|text| read(span, text), |text| text != kind);
            token.is_variable = name.is_some();
            token.name = name.unwrap_or_default();
        }
    }
}

/// A node's state in a text without errors, in which nothing is missing.
fn known_state(kind: &Kind) -> State {
    if kind.is_named { State::Named } else { State::Anonymous }
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

/// A line from one column to before another, as far as it goes: columns in bytes, taken for characters.
fn cut(line: &str, start: usize, end: usize) -> &str {
    let place = |column: usize| {
        if line.is_ascii() {
            return column.min(line.len());
        }
        line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    };
    line.get(place(start)..place(end)).unwrap_or_default()
}
