//! What all languages share: the table of names, the edges so far, branches and loops.

use std::rc::Rc;

use crate::language::Language;

use super::super::grammar::{Field, Part};
use super::super::python_set::{set_order, string_hash};
use super::super::tree::{NodeId, Outline, Token};
use super::names::Names;

/// How many entries of the table cost as much as a step.
const ENTRIES_PER_STEP: usize = 16;

/// Marks a token of which a loop has said nothing yet.
const UNSEEN: usize = usize::MAX;

/// Where names were set last.
pub(super) type Table = Vec<Held>;

/// The tokens at which one name was set last.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// None, or one.
    Few(Option<[usize; 1]>),
    /// Several, in order.
    Many(Rc<[usize]>),
}

impl Held {
    const NONE: Self = Self::Few(None);

    fn one(token: usize) -> Self {
        Self::Few(Some([token]))
    }

    fn tokens(&self) -> &[usize] {
        match self {
            Self::Few(token) => token.as_slice().as_flattened(),
            Self::Many(tokens) => tokens,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Few(one), Self::Few(other)) => one == other,
            (Self::Many(one), Self::Many(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// How a token's value came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    ComesFrom,
    ComputedFrom,
}

/// What is known of one token.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) token: usize,
    pub(super) relation: Relation,
    pub(super) names: Names,
}

/// Why a walk ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The tree lacks something that the package reads without asking.
    Raised,
    /// It took more steps than it may.
    Budget,
}

/// A walk over one text.
pub(super) struct Walk<'a> {
    pub(super) language: Language,
    pub(super) outline: &'a Outline,
    pub(super) items: Vec<Item>,
    /// Whether a token has a source or is one.
    pub(super) is_used: Vec<bool>,
    /// Whether to go on where the package raises.
    pub(super) is_lenient: bool,
    budget: usize,
    hashes: Vec<Option<u64>>,
    /// Where a loop's item of a token and a relation is, while the loop is merged.
    places: Vec<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(language: Language, outline: &'a Outline, budget: usize, is_lenient: bool) -> Self {
        Self {
            language,
            outline,
            items: Vec::with_capacity(outline.tokens.len()),
            is_used: vec![false; outline.tokens.len()],
            is_lenient,
            budget,
            hashes: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Reads the whole text.
    pub(super) fn run(&mut self) -> Result<(), Stop> {
        let mut table = vec![Held::NONE; self.outline.names.len()];
        self.visit(0, &mut table)
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Stop> {
        self.budget = self.budget.checked_sub(steps).ok_or(Stop::Budget)?;
        Ok(())
    }

    /// Copies a table for a branch.
    pub(super) fn branch(&mut self, table: &Table) -> Result<Table, Stop> {
        self.spend(table.len() / ENTRIES_PER_STEP)?;
        Ok(table.clone())
    }

    /// Reads one node and what is below it; the table is then as it is afterwards.
    pub(super) fn visit(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        self.spend(1)?;
        if self.outline.nodes[node].is_token {
            return self.use_of(node, table);
        }
        match self.language {
            Language::Python => self.python(node, table),
            _ => self.braces(node, table),
        }
    }

    /// Whether a node without fields that its rule needs is read as an ordinary one.
    pub(super) fn is_passed_over(&self, node: NodeId, needed: &[Field]) -> bool {
        self.is_lenient && needed.iter().any(|field| self.outline.child(node, *field).is_none())
    }

    /// Reads the children one after the other.
    pub(super) fn visit_children(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        for child in outline.children(node) {
            self.visit(child, table)?;
        }
        Ok(())
    }

    /// A token by itself: a use of a name, or a name that is seen for the first time.
    fn use_of(&mut self, node: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let token = &outline.tokens[outline.nodes[node].first_token()];
        if !token.is_variable {
            return Ok(());
        }
        let mut names = Names::NONE;
        let sources = table[token.name].tokens();
        if !sources.is_empty() {
            names = Names::one(token.name);
            self.spend(sources.len())?;
            self.mark(token.place, sources.iter().copied());
        } else if outline.kind(node).part == Part::Identifier {
            table[token.name] = Held::one(token.place);
        }
        self.items.push(Item { token: token.place, relation: Relation::ComesFrom, names });
        Ok(())
    }

    fn mark(&mut self, target: usize, sources: impl Iterator<Item = usize>) {
        for source in sources {
            self.is_used[source] = true;
            self.is_used[target] = true;
        }
    }

    /// Names that are declared without a value.
    pub(super) fn declare(&mut self, names: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        for token in outline.variables(names) {
            self.spend(1)?;
            self.items.push(Item { token: token.place, relation: Relation::ComesFrom, names: Names::NONE });
            table[token.name] = Held::one(token.place);
        }
        Ok(())
    }

    /// One edge from each source to each target.
    pub(super) fn assign_each(
        &mut self,
        targets: NodeId,
        sources: NodeId,
        relation: Relation,
        table: &mut Table,
    ) -> Result<(), Stop> {
        let outline = self.outline;
        for target in outline.variables(targets) {
            for source in outline.variables(sources) {
                self.spend(1)?;
                self.mark(target.place, std::iter::once(source.place));
                self.items.push(Item { token: target.place, relation, names: Names::one(source.name) });
            }
            table[target.name] = Held::one(target.place);
        }
        Ok(())
    }

    /// One edge from all sources together to each target.
    pub(super) fn assign_all(&mut self, targets: NodeId, sources: NodeId, table: &mut Table) -> Result<(), Stop> {
        let outline = self.outline;
        let sources: Vec<&Token> = outline.variables(sources).collect();
        let names = Names::listed(sources.iter().map(|source| source.name).collect());
        self.spend(sources.len())?;
        for target in outline.variables(targets) {
            self.spend(1 + sources.len())?;
            self.mark(target.place, sources.iter().map(|source| source.place));
            self.items.push(Item { token: target.place, relation: Relation::ComputedFrom, names: names.clone() });
            table[target.name] = Held::one(target.place);
        }
        Ok(())
    }

    /// What a name may hold after any of several branches.
    pub(super) fn join_tables(&mut self, tables: &[Table]) -> Result<Table, Stop> {
        let mut joined = Vec::with_capacity(self.outline.names.len());
        for name in 0..self.outline.names.len() {
            let mut held = tables.iter().map(|table| &table[name]).filter(|held| !held.tokens().is_empty());
            let first = held.next().unwrap_or(&Held::NONE);
            let mut all: Option<Vec<usize>> = None;
            for other in held.filter(|other| !first.is_same(other)) {
                self.spend(first.tokens().len() + other.tokens().len())?;
                all.get_or_insert_with(|| first.tokens().to_vec()).extend_from_slice(other.tokens());
            }
            joined.push(all.map_or_else(|| first.clone(), sorted));
        }
        self.spend(tables.len() * joined.len() / ENTRIES_PER_STEP)?;
        Ok(joined)
    }

    /// Joins what a loop said twice of one token, from the given item on.
    pub(super) fn merge_loop(&mut self, first: usize) -> Result<(), Stop> {
        self.spend(self.items.len() - first)?;
        self.places.resize(2 * self.outline.tokens.len(), UNSEEN);
        let key = |item: &Item| 2 * item.token + item.relation as usize;
        let mut end = first;
        for at in first..self.items.len() {
            let place = &mut self.places[key(&self.items[at])];
            if *place == UNSEEN {
                *place = end;
                self.items.swap(end, at);
                end += 1;
            } else {
                let place = *place;
                let (known, names) = (self.items[place].names.clone(), self.items[at].names.clone());
                self.spend(known.package().len() + names.package().len())?;
                self.items[place].names = self.join(&known, &names);
            }
        }
        self.items.truncate(end);
        for item in &self.items[first..] {
            self.places[key(item)] = UNSEEN;
        }
        Ok(())
    }

    /// The union of two lists of names.
    pub(super) fn join(&mut self, one: &Names, other: &Names) -> Names {
        let (outline, hashes) = (self.outline, &mut self.hashes);
        one.join(other, |names| {
            hashes.resize(outline.names.len(), None);
            let names: Vec<usize> = names.collect();
            for name in &names {
                hashes[*name].get_or_insert_with(|| string_hash(outline.names.get(*name)));
            }
            set_order(names.into_iter(), |name| hashes[name].expect("the hash was made above"))
        })
    }
}

fn sorted(mut tokens: Vec<usize>) -> Held {
    tokens.sort_unstable();
    tokens.dedup();
    if let [token] = *tokens { Held::one(token) } else { Held::Many(tokens.into()) }
}
