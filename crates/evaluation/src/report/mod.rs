//! The HTML report: one file that needs nothing else, built from the run folder alone.
//!
//! Sections follow the questions of a sceptical reader: what came out, who judged it, where it helped and where it did not,
//! how training went, what the code looks like, how it was made, and what each number means. The page holds no scripts and
//! its content policy forbids them, so a hostile completion has nothing to run in even if escaping failed.

mod chart;
mod code;
mod curves;
mod markup;
mod provenance;
mod results;
mod run_folder;
mod samples;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use codeward_records::Judged;

use self::markup::Html;
pub use self::run_folder::ReportError;
use self::run_folder::RunFolder;
use crate::number::count;
use crate::summary::Summary;

/// Forbids everything but the page's own styles: no scripts, no requests, no forms, no embedding by `base`.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A share of unscored rows above which the page says so at the top.
const NOTABLE_UNSCORED: f64 = 0.05;

/// Reads `run` and writes its `report.html`, replacing an older one in one move. Returns the report's path.
///
/// What the run has not written yet is named in the page. The same files give the same bytes.
///
/// # Errors
/// When the folder is no run, a file of it is not sound (the error names file and line), or the report cannot be written.
pub fn write_report(run: &Path) -> Result<PathBuf, ReportError> {
    let page = render(&RunFolder::read(run)?);
    let path = run.join("report.html");
    let partial = run.join("report.html.partial");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(page.as_bytes())?;
        file.sync_all()
    });
    match written.and_then(|()| fs::rename(&partial, &path)) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::Write { path, source }),
    }
}

fn render(run: &RunFolder) -> String {
    let before = run.before.as_deref().unwrap_or_default();
    let after = run.after.as_deref().unwrap_or_default();
    let seed = run.manifest.as_ref().map_or(0, |manifest| manifest.seed);
    let summary = Summary::from_rows(before, after, seed);

    let mut html = Html::default();
    html.doctype();
    html.tag("html").attr("lang", "en").within(|html| {
        html.line();
        write_head(html, run);
        html.tag("body").within(|html| {
            html.tag("main").within(|html| {
                html.line();
                results::write_headline(html, run, &summary);
                write_notices(html, &notices(run, before, after, &summary));
                results::write_judge(html, run.recipe.as_ref());
                results::write_splits(html, &summary);
                results::write_classes(html, &summary);
                results::write_disagreement(html, run);
                curves::write(html, run.metrics.as_deref().unwrap_or_default());
                samples::write(html, run);
                results::write_unscored(html, before, after);
                provenance::write(html, run);
                provenance::write_definitions(html, run);
            });
        });
    });
    html.line();
    html.into_string()
}

fn write_head(html: &mut Html, run: &RunFolder) {
    html.tag("head").within(|html| {
        html.line();
        html.tag("meta").attr("charset", "utf-8").empty();
        html.tag("meta").attr("http-equiv", "Content-Security-Policy").attr("content", CONTENT_POLICY).empty();
        html.tag("meta").attr("name", "referrer").attr("content", "no-referrer").empty();
        let viewport = html.tag("meta").attr("name", "viewport");
        viewport.attr("content", "width=device-width, initial-scale=1").empty();
        html.tag("meta").attr("name", "color-scheme").attr("content", "light dark").empty();
        html.line();
        html.tag("title").text(format_args!("Codeward report: {}", run.name));
        html.line();
        html.style(include_str!("page.css"));
    });
    html.line();
}

/// Writes a section with its heading.
fn section(html: &mut Html, id: &'static str, heading: &str, content: impl FnOnce(&mut Html)) {
    html.tag("section").attr("aria-labelledby", id).within(|html| {
        html.line();
        html.tag("h2").attr("id", id).text(heading);
        html.line();
        content(html);
    });
    html.line();
}

/// What a reader has to know about the data before trusting the numbers.
fn notices(run: &RunFolder, before: &[Judged], after: &[Judged], summary: &Summary) -> Vec<String> {
    let mut notices = Vec::new();
    for (file, rows, consequence) in [
        ("evaluation/before.jsonl", run.before.as_deref(), "there is nothing to compare the trained model with"),
        ("evaluation/after.jsonl", run.after.as_deref(), "only the model before training is shown"),
    ] {
        match rows {
            None => notices.push(format!("{file} is not there yet: {consequence}.")),
            Some([]) => notices.push(format!("{file} is empty: {consequence}.")),
            Some(_) => {}
        }
    }
    match run.metrics.as_deref() {
        None => notices.push("metrics.jsonl is not there yet: there are no training curves.".to_owned()),
        Some([]) => notices.push("metrics.jsonl is empty: there are no training curves.".to_owned()),
        Some(_) => {}
    }
    if run.manifest.is_none() {
        notices
            .push("manifest.json is missing: nothing says which model, tasks and seed these numbers belong to.".into());
    }
    for (side, rows) in [("before", before), ("after", after)] {
        let unscored = rows.iter().filter(|row| crate::metrics::Outcome::of(row).is_none()).count();
        if unscored as f64 > NOTABLE_UNSCORED * rows.len() as f64 {
            notices.push(format!(
                "{unscored} of {} {side} training have no verdict. They are left out of every share, \
                 which is only fair if what made them fail has nothing to do with the code.",
                count(rows.len(), "completion")
            ));
        }
    }
    let unpaired: usize = summary.change.splits.values().map(|change| change.unpaired).sum();
    if unpaired > 0 {
        notices.push(format!(
            "{} no partner on the other side and {} left out of the changes: the two evaluations did not sample the same \
             tasks equally often.",
            if unpaired == 1 { "1 completion has".to_owned() } else { format!("{unpaired} completions have") },
            if unpaired == 1 { "is" } else { "are" },
        ));
    }
    notices
}

fn write_notices(html: &mut Html, notices: &[String]) {
    if notices.is_empty() {
        return;
    }
    html.tag("aside").class("notice").attr("aria-label", "Notices about the data").within(|html| {
        html.tag("p").within(|html| html.tag("strong").text("Note"));
        html.tag("ul").within(|html| {
            for notice in notices {
                html.tag("li").text(notice);
            }
        });
    });
    html.line();
}
