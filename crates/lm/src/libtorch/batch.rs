//! Sequences on a device: one after the other without padding, except inside of attention.
//!
//! Attention wants rectangles. Sequences lie longest first, and those of about one length are a group that is padded to its
//! longest; everything else works on the rows alone.

use std::ops::Range;

use tch::Tensor;

use super::device::{Attempt, Place};
use crate::config::ModelConfig;
use crate::trainer::Sequence;

/// How short a sequence may be beside the longest of its group.
const SHORTEST_SHARE: f64 = 0.75;

/// Sequences that are padded to one length in attention.
pub(super) struct Group {
    pub(super) first_row: i64,
    pub(super) num_rows: i64,
    pub(super) num_sequences: i64,
    pub(super) length: i64,
    /// Nothing where all have the same length.
    pub(super) padding: Option<Padding>,
}

pub(super) struct Padding {
    /// For each place in the rectangle the row in the group that stands there; any where none does.
    pub(super) rows: Tensor, // [sequences * length]
    /// For each row of the group its place.
    pub(super) places: Tensor, // [rows]
}

/// Sequences one after the other.
pub(super) struct Rows {
    pub(super) tokens: Tensor,    // [rows]
    pub(super) positions: Tensor, // [rows]
    pub(super) groups: Vec<Group>,
    /// For each sequence, in the order in which they were given, its rows.
    pub(super) spans: Vec<Range<usize>>,
    pub(super) longest: usize,
}

impl Rows {
    /// Packs texts; empty ones have no rows.
    pub(super) fn new(texts: &[&[u32]], config: &ModelConfig, place: Place) -> Attempt<Self> {
        for text in texts {
            let (length, most) = (text.len(), config.max_position_embeddings);
            assert!(length <= most, "a sequence of {length} tokens fits the model's {most} positions");
            assert_known(text, config);
        }
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(texts[index].len()));
        let mut spans = vec![0..0; texts.len()];
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        let mut lengths: Vec<usize> = Vec::new();
        for index in order {
            let text = texts[index];
            spans[index] = tokens.len()..tokens.len() + text.len();
            tokens.extend(text.iter().map(|&token| i64::from(token)));
            positions.extend(0..text.len() as i64);
            lengths.extend((!text.is_empty()).then_some(text.len()));
        }
        let longest = lengths.first().copied().unwrap_or(0);
        let mut groups = Vec::new();
        let (mut first_row, mut rest) = (0, lengths.as_slice());
        while let Some(&length) = rest.first() {
            let fits = |&&other: &&usize| other as f64 >= SHORTEST_SHARE * length as f64;
            let (own, others) = rest.split_at(rest.iter().take_while(fits).count());
            rest = others;
            groups.push(Group::new(first_row, own, place)?);
            first_row += own.iter().sum::<usize>();
        }
        Ok(Self { tokens: place.integers(&tokens)?, positions: place.integers(&positions)?, groups, spans, longest })
    }
}

impl Group {
    /// `lengths` falls.
    fn new(first_row: usize, lengths: &[usize], place: Place) -> Attempt<Self> {
        let (length, num_rows) = (lengths[0], lengths.iter().sum::<usize>());
        let padding = if lengths.iter().all(|&other| other == length) {
            None
        } else {
            let mut rows = vec![0; lengths.len() * length];
            let mut places = Vec::with_capacity(num_rows);
            for (sequence, &own) in lengths.iter().enumerate() {
                for position in 0..own {
                    rows[sequence * length + position] = places.len() as i64;
                    places.push((sequence * length + position) as i64);
                }
            }
            Some(Padding { rows: place.integers(&rows)?, places: place.integers(&places)? })
        };
        Ok(Self {
            first_row: first_row as i64,
            num_rows: num_rows as i64,
            num_sequences: lengths.len() as i64,
            length: length as i64,
            padding,
        })
    }
}

/// Sequences whose completions are scored.
pub(super) struct ScoredRows {
    pub(super) rows: Rows,
    /// The row that predicts each scored token, in the order of the sequences.
    pub(super) scored: Tensor, // [scored]
    pub(super) targets: Tensor, // [scored]
    /// Scored tokens of each sequence.
    pub(super) counts: Vec<usize>,
}

impl ScoredRows {
    /// The last token of each sequence predicts nothing, so it is not computed.
    pub(super) fn new(batch: &[Sequence<'_>], config: &ModelConfig, place: Place) -> Attempt<Self> {
        for Sequence { tokens, num_prompt } in batch {
            let length = tokens.len();
            assert!((1..=length).contains(num_prompt), "a prompt of {num_prompt} tokens in a sequence of {length}");
            assert_known(tokens, config);
        }
        let texts: Vec<&[u32]> = batch.iter().map(|sequence| &sequence.tokens[..sequence.tokens.len() - 1]).collect();
        let rows = Rows::new(&texts, config, place)?;
        let (mut scored, mut targets) = (Vec::new(), Vec::new());
        let mut counts = Vec::with_capacity(batch.len());
        for (sequence, span) in batch.iter().zip(&rows.spans) {
            let completion = sequence.num_prompt..sequence.tokens.len();
            counts.push(completion.len());
            scored.extend(completion.clone().map(|position| (span.start + position - 1) as i64));
            targets.extend(sequence.tokens[completion].iter().map(|&token| i64::from(token)));
        }
        Ok(Self { rows, scored: place.integers(&scored)?, targets: place.integers(&targets)?, counts })
    }

    pub(super) fn num_scored(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Numbers for all scored tokens as rows for each sequence.
    pub(super) fn split(&self, numbers: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = numbers;
        let mut take = |count: usize| {
            let (own, others) = rest.split_at(count);
            rest = others;
            own.to_vec()
        };
        self.counts.iter().map(|&count| take(count)).collect()
    }
}

fn assert_known(tokens: &[u32], config: &ModelConfig) {
    for &token in tokens {
        assert!((token as usize) < config.vocab_size, "token {token} is in the vocabulary of {}", config.vocab_size);
    }
}
