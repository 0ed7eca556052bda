//! Why a rollout got its reward, as a compiler would say it: the place, the rule, the points, and what would change them.

use std::fmt::Write as _;
use std::path::Path;

use codeward_analysis::rules;
use codeward_records::{Reward, RolloutGroup, SpanReward, Task};
use codeward_reward::recipe::WhatIf;
use codeward_reward::{Asking, Engine, Measurement, Part, TestResult};
use serde_json::{Value, json};

use super::super::rescore::Stored;
use super::super::scan::excerpt::{excerpt, visible};
use super::super::scan::text::level;
use crate::Ending;
use crate::arguments::Explain;
use crate::failure::Failure;
use crate::{output, workbench};

/// What is known of the rollout.
struct Explained<'a> {
    name: &'a str,
    group: &'a RolloutGroup,
    task: &'a Task,
    completion: &'a str,
    stored: Option<f64>,
    measurement: Measurement,
    reward: Reward,
}

pub(super) fn run(options: &Explain, name: &str) -> Result<Ending, Failure> {
    let folder = Path::new(&options.what);
    let stored = Stored::read(folder, 1)?;
    let (group, at, task) = stored.rollout(name).ok_or_else(|| {
        Failure::new(
            format!("{}: no rollout {name:?}", folder.display()),
            "a rollout is STEP.GROUP.ROLLOUT, each from 1, such as 12.3.1; `codeward rescore` names some",
        )
    })?;
    let recipe = match &options.recipe {
        Some(recipe) => workbench::reward_recipe(recipe)?,
        None => workbench::rl_recipe(&folder.join("recipe.resolved.toml").display().to_string())?.reward,
    };
    let engine = workbench::engine(recipe, None, Some(&options.judge))?;
    let completion = group.rollouts[at].completion.as_str();
    let asking = Asking { step: group.step, ..Asking::default() };
    let measurement = engine.measure_with(&[(task, completion)], &asking).remove(0);
    let reward = engine.reward(task, completion, &measurement, group.step);
    let stored = group.rollouts[at].reward.as_ref().and_then(Reward::value);
    let explained = Explained { name, group, task, completion, stored, measurement, reward };
    if options.json {
        output::print_json(&explained.json(&engine))?;
    } else {
        output::print(&explained.text(&engine))?;
    }
    Ok(Ending::Done)
}

impl Explained<'_> {
    fn what_if(&self, engine: &Engine) -> Vec<WhatIf> {
        engine.recipe().what_if(&self.measurement, self.group.step)
    }

    fn spans(&self) -> &[SpanReward] {
        match &self.reward {
            Reward::Scored { spans, .. } => spans,
            Reward::Unscored { .. } => &[],
        }
    }

    /// The tests that failed, with the test's name.
    fn failures(&self) -> Vec<(&str, &TestResult)> {
        let tests = self.task.tests.iter().filter(|test| test.kind == codeward_records::TestKind::Functional);
        let results = self.measurement.functional.iter().flatten().flatten();
        tests
            .zip(results)
            .filter(|(_, result)| !result.passed)
            .map(|(test, result)| (test.name.as_str(), result))
            .collect()
    }

    fn json(&self, engine: &Engine) -> Value {
        let what_if: Vec<Value> = self
            .what_if(engine)
            .into_iter()
            .map(|case| json!({ "clause": case.clause, "value": case.value, "gain": case.gain }))
            .collect();
        let failures: Vec<Value> = self
            .failures()
            .into_iter()
            .map(|(name, result)| json!({ "test": name, "failure": result.failure, "tamper": result.tamper }))
            .collect();
        let findings = self.measurement.reading.as_ref().map(|reading| reading.findings.clone()).unwrap_or_default();
        json!({
            "rollout": self.name, "task_id": self.task.id, "recipe": engine.recipe().title(),
            "hash": engine.recipe().content_hash(), "stored": self.stored, "reward": self.reward, "findings": findings,
            "failed_tests": failures, "what_if": what_if,
        })
    }

    fn text(&self, engine: &Engine) -> String {
        let recipe = engine.recipe();
        let mut out = format!(
            "rollout {} of {}, step {}, by {} ({})\n",
            self.name,
            visible(&self.task.id),
            self.group.step,
            recipe.title(),
            recipe.content_hash()
        );
        match &self.reward {
            Reward::Scored { value, .. } => {
                let _ = writeln!(out, "value {value:.3}");
            }
            Reward::Unscored { reason, detail, .. } => {
                let _ = writeln!(out, "unscored: {}: {}", json!(reason).as_str().unwrap_or_default(), visible(detail));
            }
        }
        if let Some(stored) = self.stored
            && self.reward.value().is_none_or(|value| (value - stored).abs() > 1e-9)
        {
            let _ = writeln!(out, "the run has {stored:.3} for it, by its own recipe");
        }
        out.push('\n');
        self.write_places(&mut out);
        self.write_failures(&mut out);
        self.write_terms(&mut out, engine);
        let cases = self.what_if(engine);
        if !cases.is_empty() {
            out.push_str("\nwhat would change it\n");
        }
        for case in cases {
            let _ = writeln!(out, "  {:+.3} to {:.3}  {}", case.gain, case.value, case.clause);
        }
        out
    }

    /// The findings with what they cost, then the places that earn or cost something else.
    fn write_places(&self, out: &mut String) {
        let findings = self.measurement.reading.as_ref().map_or(&[][..], |reading| &reading.findings);
        let mut shown = Vec::new();
        for finding in findings {
            let is_of = |span: &&SpanReward| span.rule == finding.rule;
            // Not the sum of none, which is a negative zero.
            let points = self.spans().iter().filter(is_of).fold(0.0, |sum, span| sum + span.value);
            shown.push(finding.rule.as_str());
            let cwe = finding.cwe.first().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(
                out,
                "{}[{}]: {} ({cwe}, {points:+.3})\n  --> completion:{}:{}",
                level(finding.severity),
                finding.code,
                visible(&finding.message),
                finding.line,
                finding.column
            );
            out.push_str(&excerpt(self.completion, finding.start_byte, finding.end_byte, "   "));
            for step in finding.trace.iter().filter(|step| step.start_byte != finding.start_byte) {
                let _ = writeln!(out, "   = {}:{}: {}", step.line, step.column, visible(&step.note));
            }
            if let Some(rule) = rules().find(|rule| rule.code == finding.code) {
                let _ = writeln!(out, "   = help: {}", rule.fix.trim_end().replace('\n', "\n           "));
            }
            out.push('\n');
        }
        for span in self.spans().iter().filter(|span| !shown.contains(&span.rule.as_str())) {
            let line = self.completion[..span.start].matches('\n').count() + 1;
            let kind = if span.value > 0.0 { "credit" } else { "cost" };
            let _ = writeln!(out, "{kind}[{}]: {:+.3}\n  --> completion:{line}", span.rule, span.value);
            out.push_str(&excerpt(self.completion, span.start, span.end, "   "));
        }
    }

    fn write_failures(&self, out: &mut String) {
        for (name, result) in self.failures() {
            let reason = result.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "failed test {}: {}", visible(name), visible(&reason));
            for sign in &result.tamper {
                let _ = writeln!(out, "   = looks like meddling: {}", visible(&sign.detail));
            }
        }
    }

    fn write_terms(&self, out: &mut String, engine: &Engine) {
        let recipe = engine.recipe();
        let parts = recipe.measure(&self.measurement, self.group.step);
        let _ = writeln!(out, "\n{:<20}{:>8}  what it is", "part", "value");
        for part in Part::ALL {
            let value = parts.get(part).map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
            let _ = writeln!(out, "{:<20}{value:>8}  {}", part.name(), part.explanation());
        }
        if let Ok(weighed) = recipe.weigh(&self.measurement, self.group.step) {
            let _ = writeln!(out, "\n{:<8}  term", "adds");
            for (term, value) in recipe.terms.iter().zip(&weighed.terms) {
                let _ = writeln!(out, "{value:<+8.3}  {term}");
            }
        }
    }
}
