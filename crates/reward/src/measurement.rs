//! What was seen of a completion, before any recipe weighs it.

use std::collections::HashSet;
use std::ops::Range;

use codeward_analysis::similarity::{
    Mode as SimilarityMode, Prepared, SimilarityError, Weights, ast_similarity, codebleu,
};
use codeward_analysis::{AnalysisError, Content, analyse};
use codeward_records::{Finding, Language, ReferenceKind, Step, Task, UnscoredReason};

use crate::code::code_span;
use crate::credit::lexical_units;
use crate::judge::Judgement;
use crate::partial_credit::Stage;
use crate::recipe::SimilarityRules;
use crate::result::TestResult;

/// Why something could not be measured. It is never a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unscored {
    /// The kind of failure.
    pub reason: UnscoredReason,
    /// What happened, for a person.
    pub detail: String,
    /// True when trying again may help.
    pub retryable: bool,
}

/// What was looked for, or why it is not known. None where nobody asked.
pub type Seen<T> = Option<Result<T, Unscored>>;

/// Sizes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Lines, blank ones and comments included.
    pub lines: usize,
    /// Lexical units, comments and white space left out.
    pub units: usize,
    /// Unicode characters.
    pub characters: usize,
}

/// How like its reference a text is, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// CodeBLEU.
    pub codebleu: f64,
    /// Shared structure of the syntax trees.
    pub structure: f64,
}

/// What reading the code showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Findings of the analyser that the recipe asked for, in bytes of the completion.
    pub findings: Vec<Finding>,
    /// It is not in its language.
    pub has_syntax_error: bool,
    /// How much there is to read.
    pub content: Content,
}

/// What was seen of one completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Where in the completion the code is, in bytes.
    pub code: Range<usize>,
    /// It stands in a fenced block.
    pub is_fenced: bool,
    /// The code's size.
    pub size: Size,
    /// The size of the first secure reference; zeros where there is none.
    pub reference: Size,
    /// Share of the code beyond what ordinary code repeats, from 0 to 1.
    pub repetition: f64,
    /// What reading it showed.
    pub reading: Result<Reading, Unscored>,
    /// Its functional tests.
    pub functional: Seen<Vec<TestResult>>,
    /// Its attack tests.
    pub attacks: Seen<Vec<TestResult>>,
    /// What the judge says.
    pub judgement: Seen<Judgement>,
    /// Likeness to the reference.
    pub likeness: Seen<Likeness>,
}

/// The secure references of a task, read once for all its completions.
#[derive(Debug)]
pub struct References {
    language: Language,
    /// Of the first.
    size: Size,
    compared: Option<Comparison>,
}

/// What completions are compared with, or why they cannot be.
#[derive(Debug)]
struct Comparison {
    task: String,
    mode: SimilarityMode,
    weights: Result<Weights, Unscored>,
    prepared: Vec<Result<Prepared, SimilarityError>>,
}

impl References {
    /// The references of a task, for comparing where there are rules for that.
    pub fn of(task: &Task, similarity: Option<&SimilarityRules>) -> Self {
        Self {
            language: task.language,
            size: secure(task).next().map(|code| size(code, &lexical_units(task.language, code))).unwrap_or_default(),
            compared: similarity.map(|rules| Comparison::of(task, rules)),
        }
    }
}

impl Measurement {
    /// What the text alone shows; everything else has not been asked for.
    pub fn of_text(completion: &str, references: &References) -> Self {
        let language = references.language;
        let code = code_span(completion);
        let text = &completion[code.clone()];
        let units = lexical_units(language, text);
        Self {
            is_fenced: code != (0..completion.len()),
            size: size(text, &units),
            reference: references.size,
            repetition: repetition(text, &units),
            reading: read(language, completion, &code),
            functional: None,
            attacks: None,
            judgement: None,
            likeness: references.compared.as_ref().map(|compared| compared.likeness(language, text)),
            code,
        }
    }

    /// Nothing was looked at, for this reason.
    pub(crate) fn not_taken(completion: &str, unscored: &Unscored) -> Self {
        let code = code_span(completion);
        Self {
            is_fenced: code != (0..completion.len()),
            size: Size::default(),
            reference: Size::default(),
            repetition: 0.0,
            reading: Err(unscored.clone()),
            functional: None,
            attacks: None,
            judgement: None,
            likeness: Some(Err(unscored.clone())),
            code,
        }
    }

    /// How far the code got: by its tests where they were run, else by reading it.
    ///
    /// # Errors
    /// If the tests or the reading failed.
    pub fn stage(&self) -> Result<Stage, &Unscored> {
        match &self.functional {
            Some(results) => results.as_ref().map(|results| Stage::of(results)),
            None => self.reading.as_ref().map(|reading| {
                if reading.has_syntax_error || reading.content == Content::Nothing {
                    Stage::Unparseable
                } else {
                    Stage::Parses
                }
            }),
        }
    }

    /// It compiles, the analyser reads it to its end, and there is something in it.
    ///
    /// # Errors
    /// If the tests or the reading failed.
    pub fn parses(&self) -> Result<bool, &Unscored> {
        let reading = self.reading.as_ref()?;
        let is_read = !reading.has_syntax_error && reading.content != Content::Nothing;
        Ok(is_read && self.stage()? > Stage::Unparseable)
    }
}

/// Those that show the careful way. SecCoderX compares with the first.
fn secure(task: &Task) -> impl Iterator<Item = &str> {
    task.references
        .iter()
        .filter(|reference| reference.kind == ReferenceKind::Secure)
        .map(|reference| &reference.code[code_span(&reference.code)])
}

fn size(text: &str, units: &[Range<usize>]) -> Size {
    Size { lines: text.lines().count(), units: units.len(), characters: text.trim().chars().count() }
}

/// Lexical units in a window that may repeat.
const WINDOW: usize = 8;
/// Ordinary code repeats less than this share of its windows.
const ORDINARY: f64 = 0.5;

/// How much of a text repeats itself: the share of windows of eight lexical units that occurred before, of which half is taken for
/// ordinary; from 0 to 1. Ours.
fn repetition(text: &str, units: &[Range<usize>]) -> f64 {
    let units: Vec<&str> = units.iter().map(|unit| &text[unit.clone()]).collect();
    let mut seen = HashSet::new();
    let windows = units.windows(WINDOW);
    let (num_windows, num_new) = (windows.len(), windows.filter(|window| seen.insert(*window)).count());
    if num_windows == 0 {
        return 0.0;
    }
    let share = (num_windows - num_new) as f64 / num_windows as f64;
    ((share - ORDINARY) / (1.0 - ORDINARY)).max(0.0)
}

pub(crate) fn read(language: Language, completion: &str, code: &Range<usize>) -> Result<Reading, Unscored> {
    let analysis = analyse(language.into(), &completion[code.clone()]).map_err(|error| unread(&error))?;
    let lines = completion[..code.start].matches('\n').count();
    Ok(Reading {
        findings: analysis.findings.into_iter().map(|finding| moved(finding, code.start, lines)).collect(),
        has_syntax_error: analysis.syntax_error.is_some(),
        content: analysis.content,
    })
}

fn unread(error: &AnalysisError) -> Unscored {
    Unscored { reason: UnscoredReason::AnalysisFailed, detail: error.to_string(), retryable: false }
}

/// A finding in the code, as one in the completion around it.
pub(crate) fn moved(finding: Finding, bytes: usize, lines: usize) -> Finding {
    let moved_step = |step: Step| Step {
        start_byte: step.start_byte + bytes,
        end_byte: step.end_byte + bytes,
        line: step.line + lines,
        ..step
    };
    Finding {
        start_byte: finding.start_byte + bytes,
        end_byte: finding.end_byte + bytes,
        line: finding.line + lines,
        end_line: finding.end_line + lines,
        trace: finding.trace.into_iter().map(moved_step).collect(),
        ..finding
    }
}

impl Comparison {
    fn of(task: &Task, rules: &SimilarityRules) -> Self {
        let wanted = if rules.mode == SimilarityMode::Package { 1 } else { usize::MAX };
        Self {
            task: task.id.clone(),
            mode: rules.mode,
            weights: rules
                .checked_weights()
                .map_err(|error| not_compared(UnscoredReason::AnalysisFailed, error.to_string())),
            prepared: secure(task).take(wanted).map(|code| Prepared::new(task.language.into(), code)).collect(),
        }
    }

    /// In the package's mode with the first secure reference, as published; strictly with the secure reference that is most alike, since
    /// a task may be solved in several ways.
    fn likeness(&self, language: Language, text: &str) -> Result<Likeness, Unscored> {
        let weights = self.weights.as_ref().map_err(Clone::clone)?;
        let nothing = Likeness { codebleu: 0.0, structure: 0.0 };
        let candidate = Prepared::new(language.into(), text);
        let compare = |reference: &Result<Prepared, SimilarityError>| {
            let reference = reference.as_ref().map_err(Clone::clone)?;
            let candidate = candidate.as_ref().map_err(Clone::clone)?;
            Ok::<_, SimilarityError>(Likeness {
                codebleu: codebleu(reference, candidate, weights, self.mode)?.score,
                structure: ast_similarity(reference, candidate)?,
            })
        };
        let mut best: Option<Likeness> = None;
        for reference in &self.prepared {
            let found = match compare(reference) {
                Ok(found) => found,
                // As published: whatever goes wrong is 0.
                Err(_) if self.mode == SimilarityMode::Package => nothing,
                Err(error) => return Err(not_compared(UnscoredReason::AnalysisFailed, error.to_string())),
            };
            if best.is_none_or(|best| found.codebleu > best.codebleu) {
                best = Some(found);
            }
        }
        match (best, self.mode) {
            (Some(best), _) => Ok(best),
            (None, SimilarityMode::Package) => Ok(nothing),
            (None, SimilarityMode::Strict) => Err(not_compared(
                UnscoredReason::NoReference,
                format!("task {} has no secure reference to compare with", self.task),
            )),
        }
    }
}

fn not_compared(reason: UnscoredReason, detail: String) -> Unscored {
    Unscored { reason, detail, retryable: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_and_their_steps_point_into_the_completion() {
        let completion = "Sure:\n```python\nimport os\ndef f(x):\n    os.system('ls ' + x)\n```\n";
        let reading = read(Language::Python, completion, &code_span(completion)).unwrap();
        let finding = &reading.findings[0];
        assert_eq!(&completion[finding.start_byte..finding.end_byte], "'ls ' + x");
        assert_eq!((finding.line, finding.column, finding.end_line), (5, 15, 5));
        let places: Vec<_> = finding
            .trace
            .iter()
            .map(|step| (&completion[step.start_byte..step.end_byte], step.line, step.column))
            .collect();
        assert_eq!(places, [("x", 4, 7), ("'ls ' + x", 5, 15)]);
    }

    #[test]
    fn only_what_repeats_beyond_ordinary_code_is_repetition() {
        let repetition = |text: &str| repetition(text, &lexical_units(Language::Python, text));
        let ordinary = "def f(a, b):\n    x = a + 1\n    y = b + 1\n    return x * y\n";
        assert_eq!(repetition(ordinary), 0.0);
        assert_eq!(repetition(""), 0.0);
        let stuck = "x = compute(a, b)\n".repeat(40);
        assert!(repetition(&stuck) > 0.9);
        // Comments and blank lines are no repetition.
        let commented = format!("{ordinary}{}", "# the same\n\n".repeat(50));
        assert_eq!(repetition(&commented), 0.0);
    }
}
