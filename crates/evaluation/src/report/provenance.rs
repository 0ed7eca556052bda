//! How the run was made, and what each number means.

use std::collections::BTreeSet;

use super::curves::{describe_metric, is_drawn};
use super::markup::Html;
use super::run_folder::RunFolder;
use super::section;

pub(super) fn write(html: &mut Html, run: &RunFolder) {
    section(html, "making", "How this run was made", |html| {
        html.tag("dl").class("facts").within(|html| {
            let mut fact = |name: &str, value: &dyn std::fmt::Display| {
                html.tag("dt").text(name);
                html.tag("dd").text(value);
            };
            match &run.manifest {
                Some(manifest) => {
                    fact("Codeward", &manifest.codeward);
                    fact("Seed", &manifest.seed);
                    fact("Model hash", &manifest.model_hash);
                    fact("Tasks hash", &manifest.tasks_hash);
                    fact("Recipe hash", &manifest.recipe_hash);
                    fact("Threads", &manifest.threads);
                    fact("Sandbox isolation", &manifest.isolation);
                }
                None => fact("Manifest", &"manifest.json is missing"),
            }
            if let Some(last) = run.metrics.iter().flatten().map(|row| row.step).max() {
                fact("Last logged step", &last);
            }
            for (key, seconds) in run.timings.iter().flatten() {
                fact(key, &format_args!("{seconds:.1} in all"));
            }
        });
        html.line();
        match &run.recipe {
            Some(recipe) => html.tag("details").within(|html| {
                html.tag("summary").text("The resolved recipe");
                html.tag("pre").within(|html| html.tag("code").text(&recipe.text));
            }),
            None => html.tag("p").class("empty").text("recipe.resolved.toml is missing."),
        }
        html.line();
    });
}

/// Definitions of the rates and statistics.
const DEFINITIONS: [(&str, &str); 9] = [
    ("func", "Share of scored completions that pass every functional test of their task."),
    (
        "secure",
        "Share of scored completions that pass every security test, each of which attacks the code. Alone it means \
         little: code that does nothing is secure.",
    ),
    ("func_secure", "Share of scored completions that pass both. This is the number to watch."),
    (
        "before, after",
        "The model before and after training, on the same tasks with the same number of samples. Each share is the \
         mean over samples (k = 1).",
    ),
    (
        "[low, high]",
        "95% interval: the middle 95% of 2,000 bootstrap resamples. A resample draws tasks, with all their \
         samples, because samples of one task resemble each other. It says how much the number could move with \
         other tasks of the same kind. When all tasks agree, resampling shows no spread; the interval then allows \
         for the share of other tasks that the exact binomial bound cannot rule out.",
    ),
    (
        "change in points",
        "After minus before in percentage points, over pairs: the same task and sample number on both sides, \
         scored on both. It can differ a little from the difference of the two shares, which also count \
         completions without a scored partner.",
    ),
    (
        "better, worse",
        "The interval of the change lies wholly above or below zero. Everything else is no clear change. No \
         correction is made for the number of rows, so among many rows a few may say so by chance.",
    ),
    (
        "McNemar p",
        "Exact two-sided test on the pairs of which one side alone is functional and secure: how likely a split at \
         least this uneven would be if both directions were equally likely. It takes pairs as independent, which \
         samples of one task are not; where it disagrees with the interval, trust the interval.",
    ),
    ("unscored", "Completions on which our machinery failed. They are counted, and are in no share."),
];

/// What "secure" means when the recipe lets the analyser judge.
const SECURE_BY_ANALYSIS: &str = "Share of scored completions that the analyser passes. No attack was tried.";

pub(super) fn write_definitions(html: &mut Html, run: &RunFolder) {
    let metrics = run.metrics.as_deref().unwrap_or_default();
    section(html, "definitions", "What the numbers mean", |html| {
        html.tag("dl").class("definitions").within(|html| {
            for (name, meaning) in DEFINITIONS {
                html.tag("dt").text(name);
                let by_analysis = name == "secure" && run.is_judged_by_analysis();
                html.tag("dd").text(if by_analysis { SECURE_BY_ANALYSIS } else { meaning });
            }
            let keys: BTreeSet<&str> = metrics.iter().flat_map(|row| row.values.keys()).map(String::as_str).collect();
            for key in keys.into_iter().filter(|key| is_drawn(key)) {
                html.tag("dt").text(key);
                html.tag("dd").text(describe_metric(key).unwrap_or("a value that the recipe logs; see the recipe"));
            }
        });
        html.line();
    });
}
