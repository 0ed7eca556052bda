//! How the judge is asked.

use serde::{Deserialize, Serialize};

/// Whether the judge works as published or with its known defects mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JudgeMode {
    /// As published: raw code, exact answers, one vote.
    Faithful,
    /// Comments stripped, delimiters that cannot be guessed, answers read with care, unknown apart from unsafe.
    #[default]
    Corrected,
}

/// How the judge is asked. What is asked, and of whom, is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeSettings {
    /// Published or mended.
    pub mode: JudgeMode,
    /// How often the model is asked about one piece of code. In corrected mode each vote has delimiters of its own.
    pub votes: u32,
    /// Of the draw; 0 takes the likeliest token.
    pub temperature: f64,
    /// Share of the probability that is drawn from.
    pub top_p: f64,
    /// Longest answer in tokens, the thought included.
    pub max_tokens: u32,
    /// Of delimiters and of draws.
    pub seed: u64,
    /// Asks for the probabilities of this many tokens at each place, for a graded verdict.
    pub top_logprobs: Option<u8>,
    /// The model was trained for this question and knows the two answers. One that was not is told them. In corrected mode it always is.
    pub is_trained: bool,
    /// Python docstrings are blanked in corrected mode: they are comments with the syntax of a string.
    pub blank_docstrings: bool,
    /// The message in which the model was trained to be asked, instead of ours. Holds `{{code}}` and may hold `{{language}}` (`python`), `{{suffix}}` (`py`) and
    /// `{{weaknesses}}`.
    /// In corrected mode `{{code}}` stands between two `{{delimiter}}`, or between two `{{fence}}`, which are more backticks than the code has.
    pub template: Option<String>,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self {
            mode: JudgeMode::Corrected,
            votes: 1,
            temperature: 0.0,
            top_p: 1.0,
            max_tokens: 4096,
            seed: 0,
            top_logprobs: None,
            is_trained: false,
            blank_docstrings: true,
            template: None,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("judge setting {name}: {problem}")]
pub struct JudgeSettingsError {
    /// The setting.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Most votes.
const MAX_VOTES: u32 = 64;

/// Most alternatives that servers give.
const MAX_TOP_LOGPROBS: u8 = 20;

impl JudgeSettings {
    /// Checks that the settings can be used.
    ///
    /// # Errors
    /// With the first setting that cannot.
    pub fn check(&self) -> Result<(), JudgeSettingsError> {
        let wrong = |name, problem| Err(JudgeSettingsError { name, problem });
        if !(1..=MAX_VOTES).contains(&self.votes) {
            return wrong("votes", "is not from 1 to 64");
        }
        if self.mode == JudgeMode::Faithful && self.votes != 1 {
            return wrong("votes", "is not 1, and the published judge has one");
        }
        if !(self.temperature.is_finite() && (0.0..=2.0).contains(&self.temperature)) {
            return wrong("temperature", "is not from 0 to 2");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", "is not above 0 and up to 1");
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", "is 0");
        }
        if self.top_logprobs.is_some_and(|number| !(2..=MAX_TOP_LOGPROBS).contains(&number)) {
            return wrong("top_logprobs", "is not from 2 to 20");
        }
        if let Some(template) = &self.template {
            if !template.contains("{{code}}") {
                return wrong("template", "does not hold {{code}}");
            }
            let is_around_code = |mark: &str| {
                let code = template.find("{{code}}");
                template.find(mark) < code && template.rfind(mark) > code && template.contains(mark)
            };
            if self.mode == JudgeMode::Corrected
                && !["{{delimiter}}", "{{fence}}"].iter().any(|mark| is_around_code(mark))
            {
                return wrong("template", "has neither {{delimiter}} nor {{fence}} on both sides of {{code}}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let problem = |toml: &str| {
            let settings: JudgeSettings = toml::from_str(toml).unwrap();
            settings.check().err().map(|error| error.name)
        };
        assert_eq!(problem(""), None);
        assert_eq!(problem("votes = 3\ntemperature = 0.7\ntop_logprobs = 5"), None);
        assert_eq!(problem("mode = 'faithful'"), None);
        assert_eq!(problem("mode = 'faithful'\ntemplate = '{{code}}'"), None);
        assert_eq!(problem("template = '{{fence}} {{code}} {{fence}}'"), None);
        assert_eq!(problem("template = '{{delimiter}} {{code}} {{delimiter}}'"), None);
        for (toml, name) in [
            ("votes = 0", "votes"),
            ("votes = 65", "votes"),
            ("mode = 'faithful'\nvotes = 3", "votes"),
            ("temperature = nan", "temperature"),
            ("temperature = -0.1", "temperature"),
            ("top_p = 0.0", "top_p"),
            ("max_tokens = 0", "max_tokens"),
            ("top_logprobs = 1", "top_logprobs"),
            ("template = 'Is it safe?'", "template"),
            ("template = '{{code}}'", "template"),
            ("template = '{{fence}} {{code}} {{delimiter}}'", "template"),
            ("template = '{{fence}} {{fence}} {{code}}'", "template"),
        ] {
            assert_eq!(problem(toml), Some(name), "{toml}");
        }
        assert!(toml::from_str::<JudgeSettings>("vote = 1").is_err());
    }
}
