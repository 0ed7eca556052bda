//! Python's statements.

use super::super::grammar::{Field, Part, Role};
use super::super::tree::NodeId;
use super::walk::{Relation, Stop, Table, Walk};

/// How often a loop's body is read.
const ROUNDS: usize = 2;

impl Walk<'_> {
    pub(super) fn python(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let role = self.outline.kind(node).role;
        let needed: &[Field] = match role {
            Role::Default => &[Field::Name],
            Role::Assignment | Role::Comprehension => &[Field::Left],
            Role::For => &[Field::Left, Field::Right],
            _ => &[],
        };
        if self.is_passed_over(node, needed) {
            return self.python_children(node, table);
        }
        match role {
            Role::Default => self.python_default(node, table),
            Role::Assignment => self.python_assignment(node, table),
            Role::Comprehension => self.python_comprehension(node, table),
            Role::If => self.python_if(node, table),
            Role::For => self.python_for(node, table),
            Role::While => self.python_while(node, table),
            _ => self.python_children(node, table),
        }
    }

    /// The clauses of a comprehension come before what is made of them.
    fn python_children(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let is_clause = |child: &NodeId| outline.kind(*child).role == Role::Comprehension;
        for child in outline.children(node).filter(is_clause) {
            self.visit(child, table)?;
        }
        for child in outline.children(node).filter(|child| !is_clause(child)) {
            self.visit(child, table)?;
        }
        Ok(())
    }

    fn python_default(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let name = self.outline.child(node, Field::Name).ok_or(Stop::Raised)?;
        if let Some(value) = self.outline.child(node, Field::Value) {
            self.visit(value, table)?;
            self.assign_each(name, value, Relation::ComesFrom, table)
        } else {
            self.declare(name, table)
        }
    }

    fn python_assignment(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let Some(right) = self.outline.child(node, Field::Right) else { return Ok(()) };
        let left = self.outline.child(node, Field::Left).ok_or(Stop::Raised)?;
        self.python_assign(left, right, table)
    }

    /// Assigns part by part where both sides have as many, else as a whole.
    fn python_assign(&mut self, left: NodeId, right: NodeId, table: &mut Table) -> Result<(), Stop> {
        let (mut targets, mut sources) = (self.python_parts(left), self.python_parts(right));
        // The package looks for tokens in the parts of a text and raises: `a.b = 'c'` has three parts on either side.
        let has_text = self.outline.nodes[left].is_token || self.outline.nodes[right].is_token;
        if targets.len() != sources.len() || targets.is_empty() || (has_text && self.is_lenient) {
            (targets, sources) = (vec![left], vec![right]);
        } else if has_text {
            return Err(Stop::Raised);
        }
        for source in &sources {
            self.visit(*source, table)?;
        }
        for (target, source) in targets.into_iter().zip(sources) {
            self.assign_all(target, source, table)?;
        }
        Ok(())
    }

    fn python_parts(&self, node: NodeId) -> Vec<NodeId> {
        let outline = self.outline;
        outline.children(node).filter(|child| outline.kind(*child).part != Part::Comma).collect()
    }

    fn python_comprehension(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let right = outline.children(node).last().ok_or(Stop::Raised)?;
        self.visit(right, table)?;
        let left = outline.child(node, Field::Left).ok_or(Stop::Raised)?;
        self.assign_all(left, right, table)
    }

    fn python_if(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let mut current = self.branch(table)?;
        let mut tables = Vec::new();
        let mut has_else = false;
        for child in outline.children(node) {
            let part = outline.kind(child).part;
            has_else |= matches!(part, Part::ElseClause | Part::Else);
            if matches!(part, Part::ElifClause | Part::ElseClause) {
                let mut start = self.branch(table)?;
                self.visit(child, &mut start)?;
                tables.push(start);
            } else {
                self.visit(child, &mut current)?;
            }
        }
        tables.push(current);
        if !has_else {
            tables.push(std::mem::take(table));
        }
        *table = self.join_tables(&tables)?;
        Ok(())
    }

    /// A loop that has an `else` has no body here: only a block that comes last is read.
    fn python_for(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let first = self.items.len();
        for _ in 0..ROUNDS {
            let right = outline.child(node, Field::Right).ok_or(Stop::Raised)?;
            let left = outline.child(node, Field::Left).ok_or(Stop::Raised)?;
            self.python_assign(left, right, table)?;
            let last = outline.children(node).last().ok_or(Stop::Raised)?;
            if outline.kind(last).part == Part::Block {
                self.visit(last, table)?;
            }
        }
        self.merge_loop(first)
    }

    fn python_while(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let first = self.items.len();
        for _ in 0..ROUNDS {
            self.visit_children(node, table)?;
        }
        self.merge_loop(first)
    }
}
