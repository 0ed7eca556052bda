//! What a rule says of itself, from its entry and from the headings of its file.

use std::fmt::Write as _;

use super::RuleInfo;
use crate::Language;

/// The sections of a rule's file that people who get a finding want to read.
#[derive(Debug, Clone, Copy)]
struct Document {
    does: &'static str,
    why: &'static str,
}

/// By name, in order.
static DOCUMENTS: &[(&str, Document)] = include!(concat!(env!("OUT_DIR"), "/rule_documents.rs"));

const NO_DOCUMENT: Document = Document { does: "", why: "" };

impl RuleInfo {
    /// The language whose code the rule reads: JavaScript for the rules that JavaScript and TypeScript share, C for those that C and C++ share.
    ///
    /// # Panics
    ///
    /// When the code does not name a language.
    pub fn language(&self) -> Language {
        match self.code.split('-').nth(1) {
            Some("PY") => Language::Python,
            Some("JS") => Language::JavaScript,
            Some("TS") => Language::TypeScript,
            Some("JAVA") => Language::Java,
            Some("GO") => Language::Go,
            Some("C") => Language::C,
            Some("CPP") => Language::Cpp,
            _ => panic!("{} names no language", self.code),
        }
    }

    fn document(&self) -> Document {
        match DOCUMENTS.binary_search_by_key(&self.name, |(name, _)| name) {
            Ok(at) => DOCUMENTS[at].1,
            Err(_) => NO_DOCUMENT,
        }
    }

    /// What the rule reports, in Markdown.
    pub fn does(&self) -> &'static str {
        self.document().does
    }

    /// Why what it reports is bad, in Markdown.
    pub fn why(&self) -> &'static str {
        self.document().why
    }

    /// Pages that describe the weakness classes.
    pub fn links(&self) -> Vec<String> {
        self.cwe.iter().map(|class| format!("https://cwe.mitre.org/data/definitions/{}.html", class.0)).collect()
    }

    /// Everything that there is to say of the rule, in Markdown without a heading.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let mut paragraph = |text: &str| {
            if !text.is_empty() {
                let _ = write!(out, "{text}\n\n");
            }
        };
        paragraph(&format!("{}.", self.summary));
        paragraph(self.does());
        if !self.why().is_empty() {
            paragraph(&format!("**Why it matters.** {}", self.why()));
        }
        paragraph(&format!("**What to do.** {}.", capitalised(self.fix)));
        let language = self.language().name();
        for example in self.examples {
            paragraph(&format!("Weak:\n\n```{language}\n{}\n```", example.weak_text().trim_end()));
            paragraph(&format!("Sound:\n\n```{language}\n{}\n```", example.sound.trim_end()));
        }
        let links =
            self.cwe.iter().zip(self.links()).map(|(class, link)| format!("[{class}]({link}) {}", class.name()));
        paragraph(&format!("References: {}.", links.collect::<Vec<_>>().join(", ")));
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

/// The text with a capital letter first.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl super::Example {
    /// The weak text without the marks, as code.
    pub fn weak_text(&self) -> String {
        self.weak.replace(['«', '»'], "")
    }

    /// The marked spans of [`Self::weak_text`], in bytes, in the order in which they end.
    pub fn spans(&self) -> Vec<(usize, usize)> {
        let (mut at, mut open, mut spans) = (0, Vec::new(), Vec::new());
        for letter in self.weak.chars() {
            match letter {
                '«' => open.push(at),
                '»' => spans.extend(open.pop().map(|start| (start, at))),
                _ => at += letter.len_utf8(),
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::{Example, rules};

    #[test]
    fn the_marks_of_an_example_are_spans_of_its_text() {
        let example = Example { weak: "f(«é + «b»»)", sound: "f(b)" };
        assert_eq!(example.weak_text(), "f(é + b)");
        assert_eq!(example.spans(), [(7, 8), (2, 8)]);
    }

    #[test]
    fn each_rule_is_explained_by_the_headings_of_its_file() {
        for rule in rules() {
            assert!(!rule.does().is_empty(), "{}: no `## What it does`", rule.name);
            assert!(!rule.why().is_empty(), "{}: no `## Why this is bad`", rule.name);
        }
        let rule = rules().find(|rule| rule.name == "py/sql-string-built").unwrap();
        assert_eq!(rule.why(), "The input can end the literal that it stands in and change the statement.");
    }
}
