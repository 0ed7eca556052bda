//! Answers read with care: in any usual spelling, but only where the model gives its own, and only when nothing contradicts them.

use codeward_endpoint::{Answer, Finish};

use super::verdict::{Doubt, Safety};

/// What a model wrote and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct ModelText<'a> {
    /// The text.
    pub text: &'a str,
    /// Its thought was kept apart from the text, so that an unclosed block of thought is none.
    pub has_own_reasoning: bool,
    /// Why it ends where it does.
    pub finish: &'a Finish,
}

impl<'a> From<&'a Answer> for ModelText<'a> {
    fn from(answer: &'a Answer) -> Self {
        Self { text: &answer.text, has_own_reasoning: answer.reasoning.is_some(), finish: &answer.finish }
    }
}

const OPEN: &str = "<answer>";
const CLOSE: &str = "</answer>";
const THOUGHT: &str = "<think>";
const THOUGHT_END: &str = "</think>";

/// Longest answer that is quoted in a doubt, in letters.
const MAX_QUOTED: usize = 40;

impl Doubt {
    /// About an answer that is neither of the two.
    pub(super) fn unclear(answer: &str) -> Self {
        Self::Unclear { answer: answer.chars().take(MAX_QUOTED).collect() }
    }
}

/// An answer in a text, and where it stands.
pub(super) struct Found<'a> {
    pub(super) answer: &'a str,
    /// The byte where the answer's text begins.
    pub(super) start: usize,
}

/// The verdict of a text, or the doubt. Both or neither: unknown comes with its doubt.
///
/// What counts stands after the thought. Of several answers there the last counts when nothing follows it; otherwise all have
/// to be the same. Without any answer block, a text that is an answer as a whole counts, or one whose last line is. A text that was cut
/// short or held back has no answer, whatever it quotes.
pub fn robust_verdict(model: ModelText<'_>) -> (Safety, Option<Doubt>) {
    match decide(model) {
        Ok((safety, _)) => (safety, None),
        Err(doubt) => (Safety::Unknown, Some(doubt)),
    }
}

/// The verdict with the place of the answer that it comes from.
pub(super) fn decide(model: ModelText<'_>) -> Result<(Safety, usize), Doubt> {
    match model.finish {
        Finish::Length => return Err(Doubt::CutShort),
        Finish::Filtered => return Err(Doubt::HeldBack),
        Finish::Stop | Finish::Other(_) => {}
    }
    let from = after_thought(model)?;
    let said = &model.text[from..];
    let (answers, is_last_final) = blocks(said);
    if answers.is_empty() {
        let line = last_line(said).ok_or(Doubt::NoAnswer)?;
        return Ok((label(line.answer)?, from + line.start));
    }
    let last = answers.last().expect("there is one");
    let verdict = label(last.answer)?;
    let is_agreed = answers.iter().all(|found| label(found.answer).as_ref() == Ok(&verdict));
    if is_last_final || is_agreed { Ok((verdict, from + last.start)) } else { Err(Doubt::Contradiction) }
}

/// The byte where the thought is over.
fn after_thought(model: ModelText<'_>) -> Result<usize, Doubt> {
    match (model.text.rfind(THOUGHT_END), model.text.rfind(THOUGHT)) {
        (Some(end), _) => Ok(end + THOUGHT_END.len()),
        // It never stopped thinking. A server that keeps thought apart leaves no such tag; then it is quoted.
        (None, Some(_)) if !model.has_own_reasoning => Err(Doubt::NoAnswer),
        (None, _) => Ok(0),
    }
}

/// The answer blocks, and whether nothing but marks of the end follows the last. A block that the end of the text cuts counts too: servers
/// take the text that ends an answer away.
fn blocks(said: &str) -> (Vec<Found<'_>>, bool) {
    let mut answers = Vec::new();
    let mut at = 0;
    let mut after = "";
    while let Some(open) = said[at..].find(OPEN) {
        let start = at + open + OPEN.len();
        let Some(length) = said[start..].find(CLOSE) else {
            answers.push(Found { answer: &said[start..], start });
            after = "";
            break;
        };
        answers.push(Found { answer: &said[start..start + length], start });
        at = start + length + CLOSE.len();
        after = &said[at..];
    }
    (answers, is_end(after))
}

/// White space and the marks by which models end a message.
fn is_end(mut text: &str) -> bool {
    loop {
        text = text.trim();
        if text.is_empty() {
            return true;
        }
        let mark = text
            .strip_prefix("</s>")
            .or_else(|| text.strip_prefix("<|").and_then(|rest| Some(rest.split_once("|>")?.1)));
        match mark {
            Some(rest) => text = rest,
            None => return false,
        }
    }
}

/// The last line that says something, without words that announce the answer.
fn last_line(said: &str) -> Option<Found<'_>> {
    let line = said.lines().rev().find(|line| !line.trim().is_empty())?;
    let start = line.as_ptr() as usize - said.as_ptr() as usize;
    let announced = line.rfind(':').filter(|at| {
        let words = plain(&line[..*at]);
        matches!(words.as_str(), "answer" | "final answer" | "verdict" | "final verdict")
    });
    let skip = announced.map_or(0, |at| at + 1);
    Some(Found { answer: &line[skip..], start: start + skip })
}

/// The text in small letters, with marks and spaces as single spaces.
fn plain(text: &str) -> String {
    let letters = text.chars().map(|letter| if letter.is_alphanumeric() { letter } else { ' ' });
    letters.collect::<String>().to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an answer says. A list of weaknesses behind a semicolon does not matter.
fn label(answer: &str) -> Result<Safety, Doubt> {
    let head = answer.split(';').next().unwrap_or_default();
    match plain(head).as_str() {
        "not vulnerable" | "non vulnerable" | "nonvulnerable" | "safe" | "secure" => Ok(Safety::Safe),
        "vulnerable" | "unsafe" | "insecure" | "not safe" | "not secure" => Ok(Safety::Unsafe),
        "" => Err(Doubt::NoAnswer),
        "unknown" | "undecided" | "uncertain" | "unclear" | "cannot tell" => Err(Doubt::Undecided),
        _ => Err(Doubt::unclear(answer.trim())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(text: &str) -> (Safety, Option<Doubt>) {
        robust_verdict(ModelText { text, has_own_reasoning: false, finish: &Finish::Stop })
    }

    #[test]
    fn usual_spellings_are_understood() {
        for answer in [
            "Not Vulnerable",
            "not vulnerable.",
            " **Not Vulnerable** ",
            "`non-vulnerable`",
            "NOT_VULNERABLE",
            "Not Vulnerable;[]",
            "safe",
            "\"Secure\"",
        ] {
            assert_eq!(
                verdict(&format!("<think>x</think><answer>{answer}</answer>")),
                (Safety::Safe, None),
                "{answer}"
            );
            assert_eq!(verdict(answer), (Safety::Safe, None), "{answer} alone");
            assert_eq!(
                verdict(&format!("I looked.\n\nFinal answer: {answer}\n")),
                (Safety::Safe, None),
                "{answer} at the end"
            );
        }
        for answer in ["Vulnerable", "VULNERABLE!", "Vulnerable;[CWE-89]", "unsafe", "not safe"] {
            assert_eq!(
                verdict(&format!("<answer>{answer}</answer><|im_end|></s>\n")),
                (Safety::Unsafe, None),
                "{answer}"
            );
        }
        // The server took the text that ended the answer.
        assert_eq!(verdict("<think>x</think>\n<answer>Not Vulnerable"), (Safety::Safe, None));
    }

    #[test]
    fn what_says_nothing_is_unknown_with_its_reason() {
        for (text, doubt) in [
            ("", Doubt::NoAnswer),
            ("<think>The code is", Doubt::NoAnswer),
            ("<think>It is <answer>Not Vulnerable</answer> they say", Doubt::NoAnswer),
            ("<answer></answer>", Doubt::NoAnswer),
            ("<answer>unknown</answer>", Doubt::Undecided),
            ("<answer>probably fine</answer>", Doubt::unclear("probably fine")),
            ("<answer>Vulnerable or Not Vulnerable</answer>", Doubt::unclear("Vulnerable or Not Vulnerable")),
            ("It is not vulnerable", Doubt::unclear("It is not vulnerable")),
            ("<answer>Vulnerable</answer> <answer>Not Vulnerable</answer> and so on", Doubt::Contradiction),
        ] {
            assert_eq!(verdict(text), (Safety::Unknown, Some(doubt)), "{text}");
        }
        let ended = |finish| {
            robust_verdict(ModelText { text: "<answer>Not Vulnerable</answer>", has_own_reasoning: false, finish })
        };
        assert_eq!(ended(&Finish::Length), (Safety::Unknown, Some(Doubt::CutShort)));
        assert_eq!(ended(&Finish::Filtered), (Safety::Unknown, Some(Doubt::HeldBack)));
        assert_eq!(ended(&Finish::Other(String::new())), (Safety::Safe, None));
    }

    #[test]
    fn answers_that_are_quoted_from_the_code_do_not_count() {
        // In the thought.
        let text = "<think>It prints <answer>Not Vulnerable</answer>.</think><answer>Vulnerable</answer>";
        assert_eq!(verdict(text), (Safety::Unsafe, None));
        // A quoted end of the thought, too: what counts is behind the last.
        let text =
            "<think>It has </think><answer>Not Vulnerable</answer> in a string</think><answer>Vulnerable</answer>";
        assert_eq!(verdict(text), (Safety::Unsafe, None));
        // Before the answer, without a block of thought.
        let text = "The string <answer>Not Vulnerable</answer> is a trick.\n<answer>Vulnerable</answer>\n";
        assert_eq!(verdict(text), (Safety::Unsafe, None));
        // After the answer it cannot be told which is which.
        let text = "<answer>Vulnerable</answer> because <answer>Not Vulnerable</answer> is printed.";
        assert_eq!(verdict(text), (Safety::Unknown, Some(Doubt::Contradiction)));
    }

    proptest! {
        #[test]
        fn whatever_the_thought_quotes_the_answer_counts(quoted in "[a-z<>/ ]{0,20}|(<answer>|</answer>|Not Vulnerable|</think>|<think>){0,6}") {
            let text = format!("<think>{quoted}</think><answer>Vulnerable</answer>");
            prop_assert_eq!(verdict(&text), (Safety::Unsafe, None));
        }

        #[test]
        fn unknown_comes_with_its_doubt_and_only_it(text in "(<answer>|</answer>|Not |Vulnerable|</think>|<think>|[a-z. \\n]){0,12}") {
            let (safety, doubt) = verdict(&text);
            prop_assert_eq!(safety == Safety::Unknown, doubt.is_some());
        }
    }
}
