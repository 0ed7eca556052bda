//! Training curves: small multiples over steps, and the same numbers as a table.

use std::collections::BTreeMap;

use codeward_records::StepMetrics;

use super::chart::{LineChart, Series, significant};
use super::markup::Html;
use super::results::write_heads;
use super::section;

/// Areas that stand for shares of completions; their keys share one chart.
const SHARED_AREAS: [&str; 2] = ["probe/", "eval/"];

/// Keys that come first, in this order. Others follow by name.
const FIRST: [&str; 5] =
    ["reward/mean", "reward/unscored_fraction", "policy/entropy", "kl/approx", "policy/clip_fraction"];

/// Most series in one chart of shares.
const MOST_SERIES: usize = 4;

/// What a metric is, for the definitions and the charts.
pub(super) fn describe_metric(key: &str) -> Option<&'static str> {
    let text = match key {
        "reward/mean" => "mean reward of the step's scored rollouts, in the recipe's units",
        "reward/std" => "standard deviation of the rewards of the step's scored rollouts",
        "reward/unscored_fraction" => {
            "share of the step's rollouts that could not be scored; they are in no other number"
        }
        "reward/functional" => "mean of the functional part: how far completions get, then tests passed",
        "reward/security" => "mean of the security part: 1 where the analyser finds nothing of weight",
        "reward/syntax" => "share of scored rollouts that compile",
        "reward/all_tests_fraction" => "share of scored rollouts that pass every functional test",
        "reward/flat_group_fraction" => "share of groups whose rewards are all equal; they take no part in the update",
        "policy/entropy" => {
            "mean entropy of the policy's next-token distribution, in nats; near 0 the model has stopped exploring"
        }
        "kl/approx" => "estimated divergence of the policy from its reference, in nats per token",
        "policy/clip_fraction" => "share of sampled tokens whose probability ratio met the clipping bounds",
        _ => {
            return match (SHARED_AREAS.iter().any(|area| key.starts_with(area)), key.rsplit('/').next()?) {
                (true, "functional" | "func") => Some("share of probe completions that pass every functional test"),
                (true, "secure") => Some("share of probe completions that pass every security test"),
                (true, "func_secure") => Some("share of probe completions that pass both"),
                _ => None,
            };
        }
    };
    Some(text)
}

/// True for metrics that the page draws.
pub(super) fn is_drawn(key: &str) -> bool {
    FIRST.contains(&key) || ["reward/", "probe/", "eval/"].iter().any(|area| key.starts_with(area))
}

pub(super) fn write(html: &mut Html, metrics: &[StepMetrics]) {
    section(html, "curves", "Training", |html| {
        let charts = charts(metrics);
        if charts.is_empty() {
            html.tag("p").class("empty").text("No training step has been logged.");
            return;
        }
        html.tag("div").class("multiples").within(|html| {
            for (at, chart) in charts.iter().enumerate() {
                html.tag("figure").within(|html| {
                    html.tag("figcaption").within(|html| {
                        html.tag("strong").text(&chart.title);
                        if let [only] = chart.series.as_slice()
                            && let Some(description) = describe_metric(&only.name)
                        {
                            html.tag("span").class("quiet").text(format_args!(" {description}"));
                        }
                    });
                    chart.write(html, &format!("curve-{at}"));
                });
            }
        });
        html.line();
        write_table(html, metrics);
    });
}

fn charts(metrics: &[StepMetrics]) -> Vec<LineChart> {
    let mut series: BTreeMap<&str, Vec<(u64, f64)>> = BTreeMap::new();
    for row in metrics {
        for (key, value) in row.values.iter().filter(|(key, value)| is_drawn(key) && value.is_finite()) {
            series.entry(key).or_default().push((row.step, *value));
        }
    }
    for points in series.values_mut() {
        points.sort_by_key(|(step, _)| *step);
    }
    let mut charts = Vec::new();
    let single = |key: &str, points: &Vec<(u64, f64)>| LineChart {
        title: key.to_owned(),
        is_share: key.ends_with("_fraction") && points.iter().any(|point| point.1 > 0.25),
        series: vec![Series { name: key.to_owned(), points: points.clone() }],
    };
    charts.extend(series.get_key_value("reward/mean").map(|(key, points)| single(key, points)));
    charts.extend(shared_charts(&series));
    let rest = FIRST[1..].iter().filter_map(|key| series.get_key_value(key));
    charts.extend(rest.map(|(key, points)| single(key, points)));
    let others = series.iter().filter(|(key, _)| key.starts_with("reward/") && !FIRST.contains(key));
    charts.extend(others.map(|(key, points)| single(key, points)));
    charts
}

/// Charts of the areas whose keys belong together, named by what their keys have in common.
fn shared_charts(series: &BTreeMap<&str, Vec<(u64, f64)>>) -> Vec<LineChart> {
    let mut groups: BTreeMap<&str, Vec<Series>> = BTreeMap::new();
    for (key, points) in series {
        if SHARED_AREAS.iter().any(|area| key.starts_with(area))
            && let Some((area, name)) = key.rsplit_once('/')
        {
            groups.entry(area).or_default().push(Series { name: name.to_owned(), points: points.clone() });
        }
    }
    let mut charts = Vec::new();
    for (area, group) in groups {
        if let [only] = group.as_slice() {
            let key = format!("{area}/{}", only.name);
            let points = only.points.clone();
            let is_share = points.iter().all(|point| (0.0..=1.0).contains(&point.1));
            charts.push(LineChart { title: key.clone(), is_share, series: vec![Series { name: key, points }] });
            continue;
        }
        for series in group.chunks(MOST_SERIES) {
            let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
            charts.push(LineChart {
                title: format!("{area}/…"),
                is_share: values().all(|value| (0.0..=1.0).contains(&value)),
                series: series.to_vec(),
            });
        }
    }
    charts
}

fn write_table(html: &mut Html, metrics: &[StepMetrics]) {
    let mut keys: Vec<&str> = metrics.iter().flat_map(|row| row.values.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    html.tag("details").within(|html| {
        html.tag("summary").text("Every logged metric as numbers");
        html.tag("div")
            .class("scroll tall")
            .attr("tabindex", 0)
            .attr("role", "region")
            .attr("aria-label", "Metrics by step")
            .within(|html| {
                html.tag("table").class("steps").within(|html| {
                    html.tag("caption").class("unseen").text("Metrics by step");
                    let heads: Vec<&str> = std::iter::once("step").chain(keys.iter().copied()).collect();
                    write_heads(html, &heads);
                    html.tag("tbody").within(|html| {
                        for row in metrics {
                            html.tag("tr").within(|html| {
                                html.tag("th").attr("scope", "row").text(row.step);
                                for key in &keys {
                                    let value = row
                                        .values
                                        .get(*key)
                                        .map_or_else(|| "–".to_owned(), |value| significant(*value));
                                    html.tag("td").class("number").text(value.replace('-', "\u{2212}"));
                                }
                            });
                            html.line();
                        }
                    });
                });
            });
    });
    html.line();
}
