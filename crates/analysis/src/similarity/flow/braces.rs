//! The statements of Java, JavaScript, Go, C and C++.

use crate::language::Language;

use super::super::grammar::{Field, Part, Role};
use super::super::tree::NodeId;
use super::walk::{Relation, Stop, Table, Walk};

impl Walk<'_> {
    pub(super) fn braces(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let role = self.outline.kind(node).role;
        let needed: &[Field] = match role {
            Role::Declaration => &[Field::Name],
            Role::Assignment => &[Field::Left, Field::Right],
            Role::ForEach => &[Field::Value, Field::Name, Field::Body],
            _ => &[],
        };
        if self.is_passed_over(node, needed) {
            return self.visit_children(node, table);
        }
        match role {
            Role::Declaration => self.declaration(node, table),
            Role::Assignment => self.assignment(node, table),
            Role::Increment => self.increment(node, table),
            Role::If => self.branches(node, table),
            Role::For => self.counted_loop(node, table),
            Role::ForEach => self.loop_over(node, table),
            Role::While => self.while_loop(node, table),
            Role::Default | Role::Comprehension | Role::Other => self.visit_children(node, table),
        }
    }

    fn declaration(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let name = self.outline.child(node, Field::Name).ok_or(Stop::Raised)?;
        if let Some(value) = self.outline.child(node, Field::Value) {
            self.visit(value, table)?;
            self.assign_each(name, value, Relation::ComesFrom, table)
        } else {
            self.declare(name, table)
        }
    }

    fn assignment(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let left = self.outline.child(node, Field::Left).ok_or(Stop::Raised)?;
        let right = self.outline.child(node, Field::Right).ok_or(Stop::Raised)?;
        self.visit(right, table)?;
        self.assign_each(left, right, Relation::ComputedFrom, table)
    }

    fn increment(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        self.assign_each(node, node, Relation::ComputedFrom, table)
    }

    /// What stands before a word `else` is one branch, and what follows it begins anew. A node for the whole clause, as C, C++ and
    /// JavaScript have it, is part of the first branch.
    fn branches(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let mut current = self.branch(table)?;
        let mut tables = Vec::new();
        let (mut has_else, mut is_behind) = (false, false);
        for child in outline.children(node) {
            let kind = outline.kind(child);
            has_else |= matches!(kind.part, Part::ElseClause | Part::Else);
            is_behind |= kind.role == Role::If;
            if is_behind {
                let mut start = self.branch(table)?;
                self.visit(child, &mut start)?;
                tables.push(start);
            } else {
                self.visit(child, &mut current)?;
            }
        }
        tables.push(current);
        if !has_else || matches!(self.language, Language::JavaScript | Language::Go) {
            tables.push(std::mem::take(table));
        }
        *table = self.join_tables(&tables)?;
        Ok(())
    }

    /// Read once, and what follows the head's declaration once more.
    fn counted_loop(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let first = self.items.len();
        self.visit_children(node, table)?;
        let mut is_behind = false;
        for child in outline.children(node) {
            if is_behind {
                self.visit(child, table)?;
            } else if outline.kind(child).part == Part::LoopHead {
                is_behind = true;
                let update = outline.child(child, Field::Update).filter(|_| self.language == Language::Go);
                if let Some(update) = update {
                    self.visit(update, table)?;
                }
            }
        }
        self.merge_loop(first)
    }

    fn loop_over(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let first = self.items.len();
        let field = |field| self.outline.child(node, field).ok_or(Stop::Raised);
        let (value, name, body) = (field(Field::Value), field(Field::Name), field(Field::Body));
        for _ in 0..2 {
            self.visit(value?, table)?;
            self.assign_each(name?, value?, Relation::ComputedFrom, table)?;
            self.visit(body?, table)?;
        }
        self.merge_loop(first)
    }

    fn while_loop(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let first = self.items.len();
        for _ in 0..2 {
            self.visit_children(node, table)?;
        }
        self.merge_loop(first)
    }
}
