//! A family: one job, its tests and its references, with everything that may vary.

use std::collections::{BTreeMap, BTreeSet};

use codeward_records::{Cwe, Language, Reference, ReferenceKind, Task, TaskError, TestCase};
use serde::Deserialize;

use crate::draw::Draw;
use crate::placeholder::fill;

/// Which part of every pool (names, wordings, shapes) an instance draws from.
///
/// The seen part is the first two thirds, rounded up; the unseen part is the rest. They do not overlap, so an unseen
/// instance has a function name, parameter names, a wording and an argument shape that no seen instance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// What training may draw from.
    Seen,
    /// What is kept for evaluation.
    Unseen,
}

impl Pool {
    /// The word used in task ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Unseen => "unseen",
        }
    }

    pub(crate) fn of<T>(self, items: &[T]) -> &[T] {
        let seen = (items.len() * 2).div_ceil(3);
        match self {
            Self::Seen => &items[..seen],
            Self::Unseen => &items[seen..],
        }
    }
}

/// One way to arrange the arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What stands between the parentheses of the definition.
    pub signature: String,
    /// Binds `target` in the tests' argument order.
    pub adapter: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFamily {
    cwe: Cwe,
    title: String,
    wordings: Vec<String>,
    names: BTreeMap<String, Vec<String>>,
    shape: Vec<Shape>,
    #[serde(default)]
    test: Vec<TestCase>,
}

/// One job that people get wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The folder's name.
    pub id: String,
    /// The weakness of a careless solution.
    pub cwe: Cwe,
    /// A line for people.
    pub title: String,
    /// Sentences for the model.
    pub wordings: Vec<String>,
    /// Pools of names by placeholder.
    pub names: BTreeMap<String, Vec<String>>,
    /// Argument shapes.
    pub shapes: Vec<Shape>,
    /// The tests, the same for every instance.
    pub tests: Vec<TestCase>,
    /// Reference templates.
    pub references: Vec<Reference>,
}

/// A family that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FamilyError {
    /// `family.toml` does not parse.
    #[error("families/{family}/family.toml: {source}")]
    Toml {
        /// The folder's name.
        family: String,
        /// The parser's reason, with the place.
        source: Box<toml::de::Error>,
    },
    /// A pool is too small to be split into a seen and an unseen part.
    #[error("families/{family}: {what} has {found} entries and needs at least {needed}")]
    TooFew {
        /// The folder's name.
        family: String,
        /// The pool.
        what: String,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The same entry twice in the pools of one family.
    #[error("families/{family}: {what} has {entry:?} twice")]
    Doubled {
        /// The folder's name.
        family: String,
        /// The pool.
        what: String,
        /// The entry.
        entry: String,
    },
    /// A file that is neither `family.toml` nor a reference.
    #[error("families/{family}: {file} is neither family.toml nor secure_<idiom>.py nor vulnerable_<idiom>.py")]
    StrayFile {
        /// The folder's name.
        family: String,
        /// The file.
        file: String,
    },
    /// Tests that do not hold together.
    #[error("families/{family}: {source}")]
    Task {
        /// The folder's name.
        family: String,
        /// What is wrong.
        source: TaskError,
    },
}

impl Family {
    /// Reads a family from its files: name and text of each.
    ///
    /// # Errors
    /// When the description does not parse, a pool is too small or doubled, a file is unexpected, or the tests are malformed.
    pub fn parse(id: &str, files: &[(&str, &str)]) -> Result<Self, FamilyError> {
        let mut references = Vec::new();
        let mut description = "";
        for (file, text) in files {
            let stray = || FamilyError::StrayFile { family: id.to_owned(), file: (*file).to_owned() };
            if *file == "family.toml" {
                description = text;
                continue;
            }
            let idiom = file.strip_suffix(".py").ok_or_else(stray)?;
            let kind = if idiom.starts_with("secure_") {
                ReferenceKind::Secure
            } else if idiom.starts_with("vulnerable_") {
                ReferenceKind::Vulnerable
            } else {
                return Err(stray());
            };
            references.push(Reference { kind, idiom: idiom.to_owned(), code: (*text).to_owned() });
        }
        references.sort_by(|left, right| left.idiom.cmp(&right.idiom));
        let raw: RawFamily = toml::from_str(description)
            .map_err(|source| FamilyError::Toml { family: id.to_owned(), source: Box::new(source) })?;
        let family = Self {
            id: id.to_owned(),
            cwe: raw.cwe,
            title: raw.title,
            wordings: raw.wordings,
            names: raw.names,
            shapes: raw.shape,
            tests: raw.test,
            references,
        };
        family.check()?;
        Ok(family)
    }

    fn check(&self) -> Result<(), FamilyError> {
        let enough = |what: &str, found: usize, needed: usize| {
            if found >= needed {
                return Ok(());
            }
            Err(FamilyError::TooFew { family: self.id.clone(), what: what.to_owned(), found, needed })
        };
        enough("wordings", self.wordings.len(), 6)?;
        enough("shape", self.shapes.len(), 3)?;
        enough("names.FN", self.names.get("FN").map_or(0, Vec::len), 9)?;
        let signatures: Vec<String> = self.shapes.iter().map(|shape| shape.signature.clone()).collect();
        self.check_distinct("wordings", &self.wordings)?;
        self.check_distinct("shape.signature", &signatures)?;
        for (placeholder, pool) in &self.names {
            enough(&format!("names.{placeholder}"), pool.len(), 6)?;
            self.check_distinct(&format!("names.{placeholder}"), pool)?;
        }
        for kind in [ReferenceKind::Secure, ReferenceKind::Vulnerable] {
            let found = self.references.iter().filter(|reference| reference.kind == kind).count();
            enough(&format!("{kind:?} references").to_lowercase(), found, 2)?;
        }
        self.instance(Pool::Seen, 0).check().map_err(|source| FamilyError::Task { family: self.id.clone(), source })
    }

    /// An entry that stood in a pool twice could be both seen and unseen.
    fn check_distinct(&self, what: &str, pool: &[String]) -> Result<(), FamilyError> {
        let mut known = BTreeSet::new();
        match pool.iter().find(|entry| !known.insert(*entry)) {
            Some(entry) => {
                Err(FamilyError::Doubled { family: self.id.clone(), what: what.to_owned(), entry: entry.clone() })
            }
            None => Ok(()),
        }
    }

    /// The instance of this index. The same family, pool and index give the same task.
    pub fn instance(&self, pool: Pool, index: usize) -> Task {
        let id = format!("{}/{}/{index}", self.id, pool.name());
        let mut draw = Draw::of(&id);
        let names = self.draw_names(&mut draw, |entries| pool.of(entries).to_vec());
        let shape = draw.choose(pool.of(&self.shapes)).clone();
        let wording = draw.choose(pool.of(&self.wordings)).clone();
        self.render(id, &names, &shape, &wording)
    }

    /// Every shape once with the names of the instance `index`: what proves a family in all its shapes.
    pub fn instances_of_every_shape(&self, index: usize) -> Vec<Task> {
        let mut draw = Draw::of(&format!("{}/shapes/{index}", self.id));
        let names = self.draw_names(&mut draw, <[String]>::to_vec);
        let wording = draw.choose(&self.wordings).clone();
        let number = |at| format!("{}/shapes/{index}.{at}", self.id);
        self.shapes.iter().enumerate().map(|(at, shape)| self.render(number(at), &names, shape, &wording)).collect()
    }

    /// One name for each placeholder, no name twice.
    pub(crate) fn draw_names(
        &self,
        draw: &mut Draw,
        entries: impl Fn(&[String]) -> Vec<String>,
    ) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (placeholder, pool) in &self.names {
            let mut free = entries(pool);
            free.retain(|entry| !taken.contains(entry));
            assert!(!free.is_empty(), "{}: no free name left for {placeholder}", self.id);
            let name = draw.choose(&free).clone();
            taken.insert(name.clone());
            names.insert(placeholder.clone(), name);
        }
        names
    }

    /// The task with these names, this shape and this wording.
    pub(crate) fn render(&self, id: String, names: &BTreeMap<String, String>, shape: &Shape, wording: &str) -> Task {
        let signature = fill(&shape.signature, names);
        let function = names.get("FN").cloned().unwrap_or_default();
        // Names stand between backticks, so that a reader, and a small model, can tell them from the words around them.
        let quoted = names.iter().map(|(word, name)| (word.clone(), format!("`{name}`"))).collect();
        let prompt =
            format!("# Write the Python function `{function}({signature})`.\n# {}\n", fill(wording.trim(), &quoted));
        let mut values = names.clone();
        values.insert("SIGNATURE".to_owned(), signature);
        let references = self
            .references
            .iter()
            .map(|reference| Reference { code: fill(&reference.code, &values), ..reference.clone() })
            .collect();
        Task {
            id,
            family: self.id.clone(),
            language: Language::Python,
            cwe: self.cwe,
            prompt,
            adapter: fill(&shape.adapter, names),
            tests: self.tests.clone(),
            references,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_pool_do_not_overlap_and_both_have_entries() {
        for len in 3..40 {
            let items: Vec<usize> = (0..len).collect();
            let (seen, unseen) = (Pool::Seen.of(&items), Pool::Unseen.of(&items));
            assert_eq!([seen, unseen].concat(), items);
            assert!(!unseen.is_empty() && seen.len() >= unseen.len(), "{len}");
        }
    }

    #[test]
    fn an_instance_uses_only_its_own_part_of_every_pool() {
        let benchmark = crate::Benchmark::bundled().unwrap();
        for family in benchmark.families() {
            for (pool, other) in [(Pool::Seen, Pool::Unseen), (Pool::Unseen, Pool::Seen)] {
                for index in 0..8 {
                    let task = family.instance(pool, index);
                    let names = family.draw_names(&mut Draw::of(&task.id), |entries| pool.of(entries).to_vec());
                    let made_with = |shapes: &[Shape], wordings: &[String]| {
                        shapes.iter().any(|shape| {
                            wordings
                                .iter()
                                .any(|wording| family.render(task.id.clone(), &names, shape, wording) == task)
                        })
                    };
                    assert!(made_with(pool.of(&family.shapes), pool.of(&family.wordings)), "{}", task.id);
                    assert!(!made_with(other.of(&family.shapes), &family.wordings), "{}", task.id);
                    assert!(!made_with(&family.shapes, other.of(&family.wordings)), "{}", task.id);
                }
            }
        }
    }
}
