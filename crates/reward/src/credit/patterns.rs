//! What repairs teach, and where a completion repeats it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use codeward_records::{Cwe, Language, SpanReward};

use super::diff::hunks;
use super::lexer::lexical_units;
use super::weight::Corpus;
use super::{CreditError, CreditRules, Specificity, bounded};
use crate::code_span;

/// Two programs further apart are no repair.
const MOST_EDITS: usize = 2_000;
/// The names that spans carry as their rule.
const SECURE_RULE: &str = "credit/secure-run";
const VULNERABLE_RULE: &str = "credit/vulnerable-run";
/// A unit of a completion that no pattern has.
const UNSEEN: u32 = u32::MAX;

/// A vulnerable program and its repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairPair {
    /// The program with the weakness.
    pub vulnerable: String,
    /// The same without it.
    pub secure: String,
    /// The weakness class, when known; spans carry it.
    pub cwe: Option<Cwe>,
}

/// Whether a completion may earn bonuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It parses and its function is worth something.
    Open,
    /// It does not: penalties stay, bonuses do not.
    Closed,
}

/// The patterns of a set of repairs in one language.
#[derive(Debug, Clone)]
pub struct RepairPatterns {
    language: Language,
    rules: CreditRules,
    /// Units of the patterns.
    words: HashMap<String, u32>,
    secure: HashMap<Vec<u32>, Pattern>,
    vulnerable: Vec<VulnerableRun>,
    /// Where an n-gram stands: the vulnerable run and the place in it.
    places: HashMap<Vec<u32>, Vec<(usize, usize)>>,
}

/// What is known of an n-gram or run.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    weight: f64,
    cwe: Option<Cwe>,
}

/// A run of a vulnerable program.
#[derive(Debug, Clone)]
struct VulnerableRun {
    units: Vec<u32>,
    pattern: Pattern,
    /// For each place, the length that a part from there on needs to count as the run.
    least: Vec<usize>,
}

/// What a completion is given, place by place.
#[derive(Debug, Clone, PartialEq)]
pub struct Credit {
    /// One span for each lexical unit that a pattern marks, in order, in bytes of the completion. Values are within
    /// [-[`super::MOST_AT_ONE_PLACE`], [`super::MOST_AT_ONE_PLACE`]].
    pub spans: Vec<SpanReward>,
    /// `|M+|`: units in secure patterns, whether or not the gate let them earn.
    pub num_secure: usize,
    /// `|M-|`: units in vulnerable runs.
    pub num_vulnerable: usize,
}

impl Credit {
    /// The sum of all values, within [-[`super::MOST_IN_TOTAL`], [`super::MOST_IN_TOTAL`]].
    pub fn total(&self) -> f64 {
        self.spans.iter().map(|span| span.value).sum()
    }
}

/// The programs of all pairs, each side as one text.
struct Others {
    vulnerable: Vec<u32>,
    secure: Vec<u32>,
}

/// One program of a pair.
struct Side<'a> {
    texts: Vec<&'a str>,
    units: Vec<u32>,
}

impl RepairPatterns {
    /// Learns the patterns of pairs. With a corpus, runs weigh by how rare they are there.
    ///
    /// # Errors
    /// If a rule is out of range or the programs of a pair have too little in common.
    pub fn new(
        language: Language,
        pairs: &[RepairPair],
        rules: &CreditRules,
        corpus: Option<&Corpus>,
    ) -> Result<Self, CreditError> {
        rules.check()?;
        let mut patterns = Self {
            language,
            rules: rules.clone(),
            words: HashMap::new(),
            secure: HashMap::new(),
            vulnerable: Vec::new(),
            places: HashMap::new(),
        };
        let others = (rules.specificity == Specificity::Set).then(|| Others {
            vulnerable: patterns.joined(pairs.iter().map(|pair| pair.vulnerable.as_str())),
            secure: patterns.joined(pairs.iter().map(|pair| pair.secure.as_str())),
        });
        for (index, pair) in pairs.iter().enumerate() {
            patterns.learn(index, pair, corpus, others.as_ref())?;
        }
        for (run, vulnerable) in patterns.vulnerable.iter().enumerate() {
            for (place, ngram) in vulnerable.units.windows(rules.ngram).enumerate() {
                patterns.places.entry(ngram.to_vec()).or_default().push((run, place));
            }
        }
        Ok(patterns)
    }

    fn side<'a>(&mut self, program: &'a str) -> Side<'a> {
        let texts: Vec<&str> = lexical_units(self.language, program).into_iter().map(|span| &program[span]).collect();
        let units = texts
            .iter()
            .map(|&text| {
                let next = self.words.len() as u32;
                *self.words.entry(text.to_owned()).or_insert(next)
            })
            .collect();
        Side { texts, units }
    }

    /// The units of several programs, with a unit between them that no pattern has.
    fn joined<'a>(&mut self, programs: impl Iterator<Item = &'a str>) -> Vec<u32> {
        programs.flat_map(|program| self.side(program).units.into_iter().chain([UNSEEN])).collect()
    }

    fn learn(
        &mut self,
        index: usize,
        pair: &RepairPair,
        corpus: Option<&Corpus>,
        others: Option<&Others>,
    ) -> Result<(), CreditError> {
        let (old, new) = (self.side(&pair.vulnerable), self.side(&pair.secure));
        let all_old = others.map_or(&old.units, |others| &others.vulnerable);
        let all_new = others.map_or(&new.units, |others| &others.secure);
        let is_of_match = self.rules.specificity != Specificity::Run;
        let edit =
            hunks(&old.units, &new.units, MOST_EDITS).ok_or(CreditError::NoRepair { index, most_edits: MOST_EDITS })?;
        let pattern = |side: &Side<'_>, run: &Range<usize>| Pattern {
            weight: corpus.map_or(1.0, |corpus| corpus.weight(&side.texts[run.clone()])),
            cwe: pair.cwe,
        };
        let secure = self.runs(edit.iter().map(|hunk| &hunk.new), new.units.len(), None);
        for run in secure.into_iter().filter(|run| !occurs(&new.units[run.clone()], all_old)) {
            let pattern = pattern(&new, &run);
            for ngram in new.units[run].windows(self.rules.ngram) {
                if is_of_match && occurs(ngram, all_old) {
                    continue;
                }
                let known = self.secure.entry(ngram.to_vec()).or_insert(pattern);
                if known.weight < pattern.weight {
                    *known = pattern;
                }
            }
        }
        let of_match = is_of_match.then_some((&old.units[..], &all_new[..]));
        let vulnerable = self.runs(edit.iter().map(|hunk| &hunk.old), old.units.len(), of_match);
        for run in vulnerable.into_iter().filter(|run| !occurs(&old.units[run.clone()], all_new)) {
            let units = old.units[run.clone()].to_vec();
            let least = self.least_lengths(&units, all_new);
            if self.vulnerable.iter().all(|known| known.units != units || known.least != least) {
                self.vulnerable.push(VulnerableRun { units, pattern: pattern(&old, &run), least });
            }
        }
        Ok(())
    }

    /// One side's runs, grown to the least and cut to the greatest length. Given this side and the other, a run that occurs on the
    /// other side grows on until it does not.
    fn runs<'a>(
        &self,
        changed: impl Iterator<Item = &'a Range<usize>>,
        num_units: usize,
        sides: Option<(&[u32], &[u32])>,
    ) -> Vec<Range<usize>> {
        let rules = &self.rules;
        let run = |range: &Range<usize>| {
            let least = if range.is_empty() { rules.context_of_nothing } else { rules.least_run };
            let run = grown(range.clone(), num_units, least);
            let is_specific = |run: &Range<usize>| sides.is_none_or(|(own, other)| !occurs(&own[run.clone()], other));
            let longer = (run.len() + 1..=rules.longest_run).map(|length| grown(range.clone(), num_units, length));
            let specific = std::iter::once(run.clone()).chain(longer).find(is_specific);
            (least > 0).then(|| specific.unwrap_or(run))
        };
        let pieces = changed.filter_map(run).flat_map(|run| pieces(run, rules.longest_run));
        pieces.filter(|run| run.len() >= rules.least_run).collect()
    }

    /// For each place in a vulnerable run, the length from there on that counts as the run. A part that the secure program has does
    /// not, where matches have to be specific.
    fn least_lengths(&self, run: &[u32], other: &[u32]) -> Vec<usize> {
        let least = self.rules.least_part(run.len());
        let specific = |place: usize| match self.rules.specificity {
            Specificity::Run => least,
            Specificity::Match | Specificity::Set => (least..=run.len() - place)
                .find(|&length| !occurs(&run[place..place + length], other))
                .unwrap_or(usize::MAX),
        };
        (0..run.len()).map(specific).collect()
    }

    /// True when the pairs differ in nothing that could be recognised; such patterns give no credit to anything.
    pub fn is_empty(&self) -> bool {
        self.secure.is_empty() && self.vulnerable.is_empty()
    }

    /// The credit of a completion. Only its code counts: the first fenced block, or all of it.
    pub fn credit(&self, completion: &str, gate: Gate) -> Credit {
        let code = code_span(completion);
        let spans: Vec<Range<usize>> = lexical_units(self.language, &completion[code.clone()])
            .into_iter()
            .map(|span| span.start + code.start..span.end + code.start)
            .collect();
        let units: Vec<u32> =
            spans.iter().map(|span| self.words.get(&completion[span.clone()]).copied().unwrap_or(UNSEEN)).collect();

        let (secure, vulnerable) = (self.secure_marks(&units), self.vulnerable_marks(&units));
        let count = |marks: &[Option<Pattern>]| marks.iter().flatten().count();
        let (num_secure, num_vulnerable) = (count(&secure), count(&vulnerable));
        let share = match gate {
            Gate::Open => self.rules.bonus / (num_secure as f64 / self.rules.full_bonus_units).max(1.0),
            Gate::Closed => 0.0,
        };
        let weight = |mark: &Option<Pattern>| mark.map_or(0.0, |pattern| pattern.weight);
        let mut values: Vec<f64> = secure
            .iter()
            .zip(&vulnerable)
            .map(|(plus, minus)| share * weight(plus) - self.rules.penalty * weight(minus))
            .collect();
        bounded(&mut values);

        let marks = secure.iter().zip(&vulnerable);
        let rewarded = spans.into_iter().zip(values).zip(marks).filter(|((_, value), _)| *value != 0.0);
        let spans = rewarded
            .map(|((span, value), (plus, minus))| {
                let (rule, pattern) = if value > 0.0 { (SECURE_RULE, plus) } else { (VULNERABLE_RULE, minus) };
                let cwe = pattern.and_then(|pattern| pattern.cwe);
                SpanReward { start: span.start, end: span.end, value, cwe, rule: rule.to_owned() }
            })
            .collect();
        Credit { spans, num_secure, num_vulnerable }
    }

    /// `M+`: units in the first occurrence of an n-gram of a secure run, with the weightiest pattern that marks them.
    fn secure_marks(&self, units: &[u32]) -> Vec<Option<Pattern>> {
        let mut marks = vec![None; units.len()];
        let mut seen = BTreeSet::new();
        for (at, ngram) in units.windows(self.rules.ngram).enumerate() {
            if let Some(pattern) = self.secure.get(ngram)
                && seen.insert(ngram)
            {
                mark(&mut marks[at..at + self.rules.ngram], pattern);
            }
        }
        marks
    }

    /// `M-`: units in the first occurrence of each vulnerable run.
    fn vulnerable_marks(&self, units: &[u32]) -> Vec<Option<Pattern>> {
        let mut marks = vec![None; units.len()];
        let mut seen = BTreeSet::new();
        for (at, ngram) in units.windows(self.rules.ngram).enumerate() {
            for &(run, place) in self.places.get(ngram).into_iter().flatten() {
                let VulnerableRun { units: whole, pattern, least } = &self.vulnerable[run];
                // A longer match has been looked at where it starts.
                let continues = at > 0 && place > 0 && units[at - 1] == whole[place - 1];
                if continues || seen.contains(&run) {
                    continue;
                }
                let length = units[at..].iter().zip(&whole[place..]).take_while(|(one, other)| one == other).count();
                if length >= least[place] {
                    seen.insert(run);
                    mark(&mut marks[at..at + length], pattern);
                }
            }
        }
        marks
    }
}

fn mark(marks: &mut [Option<Pattern>], pattern: &Pattern) {
    for mark in marks {
        if mark.is_none_or(|known| known.weight < pattern.weight) {
            *mark = Some(*pattern);
        }
    }
}

fn occurs(part: &[u32], whole: &[u32]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// With neighbours, left and right in turns, until it has this length or there are none.
fn grown(mut run: Range<usize>, num_units: usize, least: usize) -> Range<usize> {
    let least = least.min(num_units);
    let mut is_left_next = true;
    while run.len() < least {
        if run.start > 0 && (is_left_next || run.end == num_units) {
            run.start -= 1;
        } else {
            run.end += 1;
        }
        is_left_next = !is_left_next;
    }
    run
}

/// The fewest pieces of at most this length, as equal as can be, the longer ones first.
fn pieces(run: Range<usize>, longest: usize) -> impl Iterator<Item = Range<usize>> {
    let num_pieces = run.len().div_ceil(longest).max(1);
    let place = move |piece: usize| run.start + (run.len() * piece).div_ceil(num_pieces);
    (0..num_pieces).map(move |piece| place(piece)..place(piece + 1))
}
