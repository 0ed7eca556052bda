//! What the kinds and fields of a grammar mean here, asked of it once for each language.
//!
//! A grammar names its kinds by text. A walk over a tree asks for the kind of each node, so that comparing these texts would take
//! longer than all the rest: here each is looked at once, and a node is known by the number of its kind.

use std::sync::OnceLock;

use crate::language::Language;

/// Nodes that count as one token though they have children.
const WHOLE_TEXTS: [&str; 3] = ["string_literal", "string", "character_literal"];

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

/// What a node does to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A parameter with a default.
    Default,
    Declaration,
    Assignment,
    Increment,
    /// A clause of a comprehension.
    Comprehension,
    If,
    For,
    ForEach,
    While,
    Other,
}

/// What a node is to its parent or to its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Identifier,
    /// One token though it has children.
    WholeText,
    Comment,
    Comma,
    Block,
    /// What a counted loop declares.
    LoopHead,
    /// A branch behind a first one, with another condition.
    ElifClause,
    /// A branch without a condition.
    ElseClause,
    /// Any other kind with `else` in its name.
    Else,
    Other,
}

/// A kind of node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub name: &'static str,
    pub is_named: bool,
    pub role: Role,
    pub part: Part,
}

impl Kind {
    fn of(language: Language, name: &'static str, is_named: bool) -> Self {
        let role = if language == Language::Python { python_role(name) } else { braces_role(language, name) };
        Self { name, is_named, role, part: part(language, name) }
    }
}

/// What could not be read.
const ERROR: Kind = Kind { name: "ERROR", is_named: true, role: Role::Other, part: Part::Other };

/// A grammar with the meaning of its numbers.
pub(super) struct Grammar {
    pub parses: tree_sitter::Language,
    kinds: Vec<Kind>,
    fields: Vec<Option<Field>>,
}

impl Grammar {
    /// That of a language, if it can be compared.
    pub(super) fn of(language: Language) -> Option<&'static Self> {
        static GRAMMARS: [OnceLock<Grammar>; 6] = [const { OnceLock::new() }; 6];
        let (place, parses): (usize, fn() -> tree_sitter::Language) = match language {
            Language::Python => (0, || tree_sitter_python::LANGUAGE.into()),
            Language::C => (1, || tree_sitter_c::LANGUAGE.into()),
            Language::Cpp => (2, || tree_sitter_cpp::LANGUAGE.into()),
            Language::Java => (3, || tree_sitter_java::LANGUAGE.into()),
            Language::JavaScript => (4, || tree_sitter_javascript::LANGUAGE.into()),
            Language::Go => (5, || tree_sitter_go::LANGUAGE.into()),
            Language::TypeScript => return None,
        };
        Some(GRAMMARS[place].get_or_init(|| Self::new(language, parses())))
    }

    fn new(language: Language, parses: tree_sitter::Language) -> Self {
        let kind = |id: usize| {
            let name = parses.node_kind_for_id(id as u16).unwrap_or_default();
            Kind::of(language, name, parses.node_kind_is_named(id as u16))
        };
        let kinds = (0..parses.node_kind_count()).map(kind).collect();
        // Fields are numbered from 1.
        let fields = (0..=parses.field_count()).map(|id| parses.field_name_for_id(id as u16).and_then(field)).collect();
        Self { parses, kinds, fields }
    }

    /// A kind by its number. What could not be read has one beyond all others.
    pub(super) fn kind(&self, id: u16) -> &Kind {
        self.kinds.get(usize::from(id)).unwrap_or(&ERROR)
    }

    /// A field by its number.
    pub(super) fn field(&self, id: u16) -> Option<Field> {
        self.fields.get(usize::from(id)).copied().flatten()
    }
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "left" => Field::Left,
        "right" => Field::Right,
        "name" => Field::Name,
        "value" => Field::Value,
        "body" => Field::Body,
        "update" => Field::Update,
        _ => return None,
    })
}

fn python_role(name: &str) -> Role {
    match name {
        "default_parameter" => Role::Default,
        "assignment" | "augmented_assignment" => Role::Assignment,
        "for_in_clause" => Role::Comprehension,
        "if_statement" => Role::If,
        "for_statement" => Role::For,
        "while_statement" => Role::While,
        _ => Role::Other,
    }
}

/// By the kinds that the package asks for. C and C++ are read by the kinds of C#, of which they share only some: their declarations,
/// increments and loops over ranges count as ordinary nodes.
fn braces_role(language: Language, name: &str) -> Role {
    let (is_go, is_java, is_javascript) =
        (language == Language::Go, language == Language::Java, language == Language::JavaScript);
    match name {
        "if_statement" | "else" => Role::If,
        "for_statement" => Role::For,
        "while_statement" if !is_go => Role::While,
        "var_spec" if is_go => Role::Declaration,
        "variable_declarator" if is_java || is_javascript => Role::Declaration,
        "assignment_statement" if is_go => Role::Assignment,
        "assignment_pattern" | "augmented_assignment_expression" if is_javascript => Role::Assignment,
        "assignment_expression" if !is_go && !is_javascript => Role::Assignment,
        "inc_statement" if is_go => Role::Increment,
        "update_expression" if is_java || is_javascript => Role::Increment,
        "enhanced_for_statement" if is_java => Role::ForEach,
        _ => Role::Other,
    }
}

fn part(language: Language, name: &str) -> Part {
    let loop_head = match language {
        Language::Go => "for_clause",
        Language::JavaScript => "variable_declaration",
        _ => "local_variable_declaration",
    };
    match name {
        "identifier" => Part::Identifier,
        "comment" => Part::Comment,
        "," => Part::Comma,
        "block" => Part::Block,
        "elif_clause" => Part::ElifClause,
        "else_clause" => Part::ElseClause,
        _ if WHOLE_TEXTS.contains(&name) => Part::WholeText,
        _ if name == loop_head => Part::LoopHead,
        _ if name.contains("else") => Part::Else,
        _ => Part::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::LANGUAGES;
    use super::*;

    #[test]
    fn kinds_are_known_by_number() {
        for language in LANGUAGES {
            let grammar = Grammar::of(language).unwrap();
            let id = |name: &str, is_named: bool| grammar.parses.id_for_node_kind(name, is_named);
            let kind = |name: &str, is_named: bool| grammar.kind(id(name, is_named));
            assert_eq!(kind("if_statement", true).role, Role::If, "{language}");
            assert_eq!(kind("for_statement", true).role, Role::For, "{language}");
            assert_eq!(kind("identifier", true).part, Part::Identifier, "{language}");
            // Java has two kinds of comments, and the package knows neither.
            let comment = if language == Language::Java { Part::Other } else { Part::Comment };
            assert_eq!(kind("comment", true).part, comment, "{language}");
            assert_eq!((kind("else", false).part, kind("else", false).is_named), (Part::Else, false), "{language}");
            assert_eq!(grammar.kind(u16::MAX).name, "ERROR", "{language}");
            let number = grammar.parses.field_id_for_name("body").unwrap().get();
            assert_eq!(grammar.field(number), Some(Field::Body), "{language}");
            assert_eq!(grammar.field(0), None, "{language}");
        }
        assert!(Grammar::of(Language::TypeScript).is_none());
    }

    #[test]
    fn increments_are_known_where_the_package_knows_them() {
        let role = |language: Language, name: &'static str| Kind::of(language, name, true).role;
        assert_eq!(role(Language::Java, "update_expression"), Role::Increment);
        assert_eq!(role(Language::C, "update_expression"), Role::Other);
        assert_eq!(role(Language::Go, "inc_statement"), Role::Increment);
        assert_eq!(role(Language::Python, "else"), Role::Other);
    }
}
