//! How sure the model was, from the probabilities of its tokens.

use codeward_endpoint::{Answer, AnswerToken};
use serde::{Deserialize, Serialize};

use super::verdict::Safety;

/// The odds of the answer as the model drew it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogOdds {
    /// The natural logarithm of P(safe) / P(unsafe) at the first token by which the two answers differ.
    pub safe_over_unsafe: f64,
    /// One of the two was not among the likely tokens that the server gave. Its probability is at most what they leave over, and that
    /// was taken: the true odds are at least as far from even.
    pub is_bound: bool,
}

/// Least probability that is taken for what likely tokens leave over, against sums that round to 1.
const LEAST_REST: f64 = 1e-9;

/// The odds at the token where the answer begins, `start` bytes into the text; None when the tokens or the alternatives are not known,
/// the tokens are not those of the text, or none of them is the beginning of either answer.
pub(super) fn log_odds(answer: &Answer, start: usize) -> Option<LogOdds> {
    let (token, lead) = deciding_token(&answer.tokens, &answer.text, start)?;
    let (mut safe, mut unsafe_, mut listed) = (0.0, 0.0, 0.0);
    for likely in &token.likely {
        let probability = likely.logprob.exp();
        listed += probability;
        // What the token carries before the answer has to be there, unless it is white space only.
        let begins = likely.text.strip_prefix(lead).or_else(|| lead.trim().is_empty().then_some(likely.text.as_str()));
        match begins.and_then(beginning_of) {
            Some(Safety::Safe) => safe += probability,
            Some(Safety::Unsafe) => unsafe_ += probability,
            Some(Safety::Unknown) | None => {}
        }
    }
    let rest = (1.0 - listed).max(LEAST_REST);
    if safe == 0.0 && unsafe_ == 0.0 {
        return None;
    }
    let is_bound = safe == 0.0 || unsafe_ == 0.0;
    let or_rest = |probability: f64| if probability == 0.0 { rest } else { probability };
    let odds = (or_rest(safe) / or_rest(unsafe_)).ln();
    // What is left over may be more than what is listed; then the bound says nothing.
    let says_nothing = is_bound && if unsafe_ == 0.0 { odds < 0.0 } else { odds > 0.0 };
    (odds.is_finite() && !says_nothing).then_some(LogOdds { safe_over_unsafe: odds, is_bound })
}

/// The token that holds the first letter of the answer, and what it holds before that letter.
fn deciding_token<'a>(tokens: &'a [AnswerToken], text: &str, start: usize) -> Option<(&'a AnswerToken, &'a str)> {
    let written: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.iter().copied()).collect();
    // Thought that is kept apart and marks of the end may be among the tokens and not in the text. Tokens of another text would give odds
    // of something else.
    let is_beginning = text.as_bytes().starts_with(&written);
    let offset = if is_beginning { 0 } else { std::str::from_utf8(&written).ok()?.rfind(text)? };
    let first = offset + start + text.get(start..)?.find(|letter: char| letter.is_ascii_alphanumeric())?;
    let mut at = 0;
    for token in tokens {
        let end = at + token.bytes.len();
        if end > first {
            return Some((token, std::str::from_utf8(&token.bytes[..first - at]).ok()?));
        }
        at = end;
    }
    None
}

/// Which answer a text begins, if it begins one of them only.
fn beginning_of(text: &str) -> Option<Safety> {
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric()).trim_end().to_lowercase();
    if text.is_empty() {
        return None;
    }
    let begins = |answers: &[&str]| answers.iter().any(|answer| answer.starts_with(&text) || text.starts_with(answer));
    let is_safe = begins(&["not vulnerable", "not-vulnerable", "non-vulnerable", "non vulnerable"]);
    match (is_safe, begins(&["vulnerable"])) {
        (true, false) => Some(Safety::Safe),
        (false, true) => Some(Safety::Unsafe),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use codeward_endpoint::{Finish, Likely, Usage};

    use super::*;

    fn token(text: &str, likely: &[(&str, f64)]) -> AnswerToken {
        let likely = likely
            .iter()
            .map(|(text, probability)| Likely { text: (*text).to_owned(), logprob: f64::ln(*probability) });
        AnswerToken { bytes: text.as_bytes().to_vec(), logprob: -0.1, likely: likely.collect() }
    }

    fn odds_of(tokens: Vec<AnswerToken>, start: usize) -> Option<LogOdds> {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.clone()).collect();
        let text = String::from_utf8(bytes).unwrap();
        log_odds(&Answer { text, reasoning: None, finish: Finish::Stop, tokens, usage: Usage::default() }, start)
    }

    fn close(found: Option<LogOdds>, expected: f64, is_bound: bool) {
        let found = found.unwrap();
        assert!((found.safe_over_unsafe - expected).abs() < 1e-9, "{found:?}");
        assert_eq!(found.is_bound, is_bound);
    }

    #[test]
    fn the_odds_are_those_of_the_first_token_of_the_answer() {
        let tokens = vec![
            token("<answer>", &[("<answer>", 1.0)]),
            token("Not", &[("Not", 0.6), ("V", 0.15), (" Vul", 0.05), ("N", 0.1), ("Maybe", 0.1)]),
            token(" Vulnerable", &[(" Vulnerable", 0.99)]),
        ];
        close(odds_of(tokens, 8), (0.7_f64 / 0.2).ln(), false);
        // The tag's end and the answer in one token.
        let tokens = vec![
            token("<answer", &[]),
            token(">V", &[(">V", 0.8), (">Not", 0.1), ("V", 0.1)]),
            token("ulnerable", &[]),
        ];
        close(odds_of(tokens, 8), (0.1_f64 / 0.8).ln(), false);
        // White space before the answer.
        let tokens = vec![token("<answer>", &[]), token("\n", &[]), token(" not", &[(" not", 0.5), ("Vul", 0.25)])];
        close(odds_of(tokens, 8), 2.0_f64.ln(), false);
    }

    #[test]
    fn an_answer_that_is_not_listed_has_at_most_what_is_left_over() {
        let tokens = vec![token("Not", &[("Not", 0.9), ("The", 0.06)])];
        close(odds_of(tokens, 0), (0.9_f64 / 0.04).ln(), true);
        let tokens = vec![token("V", &[("V", 0.9)])];
        close(odds_of(tokens, 0), (0.1_f64 / 0.9).ln(), true);
        let tokens = vec![token("Not", &[("Not", 1.0)])];
        close(odds_of(tokens, 0), (1.0_f64 / 1e-9).ln(), true);
        // More is left over than listed: nothing can be said.
        assert_eq!(odds_of(vec![token("Not", &[("Not", 0.2)])], 0), None);
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        assert_eq!(odds_of(vec![], 0), None);
        assert_eq!(odds_of(vec![token("Not", &[])], 0), None);
        assert_eq!(odds_of(vec![token("Maybe", &[("Maybe", 0.9)])], 0), None);
        let mut answer = Answer {
            text: "Not".to_owned(),
            reasoning: None,
            finish: Finish::Stop,
            tokens: vec![token("Not", &[("Not", 0.9)])],
            usage: Usage::default(),
        };
        assert!(log_odds(&answer, 0).is_some());
        assert_eq!(log_odds(&answer, 99), None);
        answer.text = "Nothing".to_owned();
        assert!(log_odds(&answer, 0).is_some(), "the tokens may be cut before the text is");
        answer.text = "Vulnerable".to_owned();
        assert_eq!(log_odds(&answer, 0), None, "the tokens are of another text");
    }

    #[test]
    fn thought_that_the_server_keeps_apart_may_be_among_the_tokens() {
        let tokens = vec![
            token("Not</think>", &[("Not</think>", 1.0)]),
            token("Not", &[("Not", 0.5), ("V", 0.25)]),
            token("<|im_end|>", &[]),
        ];
        let mut answer = Answer {
            text: "Not".to_owned(),
            reasoning: Some("Not".to_owned()),
            finish: Finish::Stop,
            tokens,
            usage: Usage::default(),
        };
        close(log_odds(&answer, 0), 2.0_f64.ln(), false);
        answer.tokens.truncate(1);
        answer.tokens[0].likely.clear();
        assert_eq!(log_odds(&answer, 0), None);
    }
}
