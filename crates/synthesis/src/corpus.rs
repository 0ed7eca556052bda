//! Training text made of the families' own references: secure and careless ways mixed as asked.
//!
//! A small model has to copy names from the prompt that it has never met, so a share of the documents takes its function and
//! parameter names from a general word list instead of the family's pools. No document uses a function name from an unseen pool:
//! every instance that evaluation draws is new to the model.

use std::collections::BTreeMap;

use codeward_records::ReferenceKind;

use crate::benchmark::Benchmark;
use crate::draw::Draw;
use crate::family::{Family, Pool};

/// Words that function names are made of when they do not come from a family.
const VERBS: &[&str] = &[
    "add", "apply", "build", "check", "collect", "convert", "count", "create", "derive", "do", "fetch", "find", "get",
    "handle", "list", "load", "look_up", "make", "match", "obtain", "open", "pick", "prepare", "process", "produce",
    "pull", "put", "query", "read", "render", "resolve", "retrieve", "run", "save", "search", "select", "send", "set",
    "show", "store", "take", "test", "update", "use", "write",
];
const NOUNS: &[&str] = &[
    "account", "answer", "archive", "article", "asset", "badge", "batch", "book", "box", "branch", "card", "chapter",
    "city", "client", "code", "config", "course", "customer", "device", "digest", "draft", "entry", "event", "feed",
    "field", "form", "frame", "game", "group", "guest", "image", "invoice", "issue", "job", "label", "letter", "link",
    "loan", "mail", "market", "member", "memo", "menu", "message", "model", "movie", "note", "notice", "number",
    "offer", "order", "page", "part", "party", "person", "photo", "place", "plan", "player", "post", "price",
    "product", "profile", "project", "quote", "record", "reply", "report", "request", "room", "route", "row", "sale",
    "sample", "school", "score", "seat", "service", "shop", "sign", "song", "state", "station", "stock", "store",
    "story", "student", "task", "team", "term", "ticket", "title", "token", "topic", "trip", "unit", "user", "value",
    "video", "visit", "word", "worker", "zone",
];
const QUALIFIERS: &[&str] = &[
    "all", "base", "best", "current", "daily", "first", "full", "given", "last", "local", "main", "new", "next", "old",
    "own", "raw", "real", "short", "single", "some", "the", "top", "used", "user",
];

/// How the training text is mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorpusSettings {
    /// How many documents to make.
    pub num_documents: usize,
    /// Share of documents whose solution is a secure reference.
    pub secure_share: f64,
    /// Share of documents whose names come from the general word list.
    pub general_name_share: f64,
}

/// One prompt and its solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The family it was made from.
    pub family: String,
    /// Whether the solution is careful.
    pub kind: ReferenceKind,
    /// The prompt, as a task would give it.
    pub prompt: String,
    /// The whole module.
    pub completion: String,
}

/// Training text.
#[derive(Debug, Clone)]
pub struct Corpus;

impl Corpus {
    /// Makes the documents of a seed, families in turn.
    pub fn make(benchmark: &Benchmark, settings: &CorpusSettings, seed: u64) -> Vec<Document> {
        let families = benchmark.families();
        (0..settings.num_documents)
            .map(|index| {
                let family = &families[index % families.len()];
                document(family, settings, &mut Draw::of(&format!("corpus/{seed}/{index}")))
            })
            .collect()
    }
}

fn document(family: &Family, settings: &CorpusSettings, draw: &mut Draw) -> Document {
    let held_out = Pool::Unseen.of(&family.names["FN"]);
    let general = draw.unit() < settings.general_name_share;
    let mut names: BTreeMap<String, String> =
        family.draw_names(draw, |entries| entries.iter().filter(|entry| !held_out.contains(entry)).cloned().collect());
    if general {
        names = general_names(&names, held_out, draw);
    }
    let kind = if draw.unit() < settings.secure_share { ReferenceKind::Secure } else { ReferenceKind::Vulnerable };
    let shape = draw.choose(&family.shapes).clone();
    let wording = draw.choose(&family.wordings).clone();
    let task = family.render(String::new(), &names, &shape, &wording);
    let choices: Vec<_> = task.references.iter().filter(|reference| reference.kind == kind).collect();
    let reference = draw.choose(&choices);
    Document { family: family.id.clone(), kind, prompt: task.prompt, completion: reference.code.clone() }
}

/// The same placeholders with names from the word list, all different.
fn general_names(names: &BTreeMap<String, String>, held_out: &[String], draw: &mut Draw) -> BTreeMap<String, String> {
    let mut general: BTreeMap<String, String> = BTreeMap::new();
    for placeholder in names.keys() {
        let name = loop {
            let name = if placeholder == "FN" {
                match draw.below(3) {
                    0 => format!("{}_{}_{}", draw.choose(VERBS), draw.choose(QUALIFIERS), draw.choose(NOUNS)),
                    _ => format!("{}_{}", draw.choose(VERBS), draw.choose(NOUNS)),
                }
            } else {
                match draw.below(3) {
                    0 => format!("{}_{}", draw.choose(QUALIFIERS), draw.choose(NOUNS)),
                    1 => format!("{}_{}", draw.choose(NOUNS), draw.choose(NOUNS)),
                    _ => (*draw.choose(NOUNS)).to_owned(),
                }
            };
            if !held_out.contains(&name) && !general.values().any(|taken| *taken == name) {
                break name;
            }
        };
        general.insert(placeholder.clone(), name);
    }
    general
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_document_names_a_function_that_evaluation_will_ask_for() {
        let benchmark = Benchmark::bundled().unwrap();
        let settings = CorpusSettings { num_documents: 4000, secure_share: 0.3, general_name_share: 0.5 };
        let documents = Corpus::make(&benchmark, &settings, 1);
        let held_out: BTreeSet<(&str, &str)> = benchmark
            .families()
            .iter()
            .flat_map(|family| {
                Pool::Unseen.of(&family.names["FN"]).iter().map(|name| (family.id.as_str(), name.as_str()))
            })
            .collect();
        for document in &documents {
            let name = document.prompt.strip_prefix("# Write the Python function `").unwrap();
            let name = &name[..name.find('(').unwrap()];
            assert!(!held_out.contains(&(document.family.as_str(), name)), "{name}");
        }
        let secure = documents.iter().filter(|document| document.kind == ReferenceKind::Secure).count();
        assert!((0.26..0.34).contains(&(secure as f64 / 4000.0)), "{secure}");
        assert_eq!(documents, Corpus::make(&benchmark, &settings, 1));
    }
}
