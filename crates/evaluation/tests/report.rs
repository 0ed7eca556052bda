//! The report of whole run folders: sound ones, thin ones, broken ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has to stop")]

mod sample;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use codeward_evaluation::Summary;
use codeward_evaluation::report::{ReportError, write_report};
use codeward_records::{Judged, Step, UnscoredReason, Verdict, jsonl};

/// Writes the report of `run` and returns it.
fn report(run: &Path) -> String {
    let path = write_report(run).unwrap();
    assert_eq!(path, run.join("report.html"));
    assert!(!run.join("report.html.partial").exists());
    fs::read_to_string(path).unwrap()
}

/// A start tag, as an HTML parser would see it.
struct StartTag {
    name: String,
    attributes: Vec<(String, String)>,
}

/// Splits the page into its tags and checks that they nest. The page escapes every `<` and `"` of its content, so this needs
/// no real parser; if it met anything that it does not know, it would panic.
fn start_tags(page: &str) -> Vec<StartTag> {
    let mut rest = page.strip_prefix("<!doctype html>").unwrap().to_owned();
    let sheet_start = rest.find("<style>").unwrap() + "<style>".len();
    let sheet_end = rest.find("</style>").unwrap();
    rest.replace_range(sheet_start..sheet_end, "");
    let mut open: Vec<String> = Vec::new();
    let mut tags = Vec::new();
    for piece in rest.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("every tag ends");
        assert!(!text.contains('>'), "a bare > in {text:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let is_empty = tag.ends_with('/');
        let tag = tag.strip_suffix('/').unwrap_or(tag);
        let (name, mut attributes_text) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !attributes_text.is_empty() {
            let (key, after) = attributes_text.split_once("=\"").expect("attributes are quoted");
            let (value, after) = after.split_once('"').expect("quotes are closed");
            attributes.push((key.to_owned(), value.to_owned()));
            attributes_text = after.strip_prefix(' ').unwrap_or(after);
        }
        tags.push(StartTag { name: name.to_owned(), attributes });
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    tags
}

/// The part of the page from `from` up to `to`.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("{from} is not in the page"));
    let end = page[start..].find(to).unwrap_or_else(|| panic!("{to} is not in the page after {from}"));
    &page[start..start + end]
}

/// Checks what holds of every page: it loads nothing, runs nothing, and every reference within it leads somewhere.
fn check_page(page: &str) {
    let tags = start_tags(page);
    let known: BTreeSet<&str> = [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "section",
        "aside",
        "article",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "p",
        "span",
        "strong",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "details",
        "summary",
        "pre",
        "code",
        "mark",
        "svg",
        "desc",
        "line",
        "polyline",
        "polygon",
        "rect",
        "circle",
        "text",
    ]
    .into();
    let mut ids = BTreeSet::new();
    for tag in &tags {
        assert!(known.contains(tag.name.as_str()), "unexpected element {}", tag.name);
        for (key, value) in &tag.attributes {
            assert!(!key.starts_with("on"), "{key} on {}", tag.name);
            assert!(!["href", "src", "style", "srcdoc", "action"].contains(&key.as_str()), "{key} on {}", tag.name);
            assert!(key != "id" || ids.insert(value.clone()), "id {value} is there twice");
        }
    }
    for (_, value) in tags.iter().flat_map(|tag| &tag.attributes).filter(|(key, _)| key == "aria-labelledby") {
        assert!(value.split(' ').all(|id| ids.contains(id)), "{value} leads nowhere");
    }
    assert!(page.contains("default-src &#39;none&#39;"));
}

#[test]
fn a_whole_run_gives_the_same_page_every_time() {
    let run = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample-run");
    sample::write(&run, "tests");
    let page = report(&run);
    check_page(&page);
    assert_eq!(page, report(&run));
    assert!(
        page.contains("Security here is judged by attack tests that ran the code; the reward came from functional tests and the analyser.")
    );
    assert!(!page.contains("class=\"notice\""));
    insta::assert_snapshot!("headline", between(&page, "<header>", "<section"));
    insta::assert_snapshot!("splits", between(&page, "<section aria-labelledby=\"splits\">", "</section>"));
    insta::assert_snapshot!("agreement", between(&page, "<section aria-labelledby=\"agreement\">", "</section>"));
    insta::assert_snapshot!("pair", between(&page, "<article class=\"pair\">", "</article>"));
    insta::assert_snapshot!("making", between(&page, "<section aria-labelledby=\"making\">", "</section>"));
}

#[test]
fn the_table_of_a_whole_run() {
    let summary = Summary::from_rows(&sample::rows(0), &sample::rows(1), 7);
    insta::assert_snapshot!("table", summary.table());
    let json = serde_json::to_value(&summary).unwrap();
    let before = &json["before"]["splits"]["rewarded-unseen"];
    insta::assert_json_snapshot!("summary_split", before);
    assert!(json["change"]["splits"]["unrewarded"]["func_secure"]["low"].is_f64());
}

#[test]
fn the_table_of_one_side() {
    insta::assert_snapshot!("table_one_side", Summary::from_rows(&sample::rows(0), &[], 7).table());
    assert_eq!(Summary::from_rows(&[], &[], 7).table(), "nothing was evaluated\n");
}

#[test]
fn a_judge_that_is_the_analyser_is_called_out() {
    let folder = tempfile::tempdir().unwrap();
    sample::write(folder.path(), "analysis");
    let page = report(folder.path());
    check_page(&page);
    assert!(page.contains(
        "<p class=\"judge warning\" role=\"note\"><strong>Warning: </strong>Security here is judged by the analyser"
    ));
    assert!(!page.contains("the reward came from functional tests and the analyser"));
    assert!(page.contains("Completions that work and satisfy the analyser rose"));
    assert!(!page.contains("Analyser against attack tests") && page.contains("No attack was tried."));

    sample::write(folder.path(), "vibes");
    assert!(report(folder.path()).contains("The recipe names the judge &quot;vibes&quot;"));
    fs::remove_file(folder.path().join("recipe.resolved.toml")).unwrap();
    assert!(report(folder.path()).contains("nothing here confirms that security was judged by attack tests"));
}

#[test]
fn thin_runs_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path();
    sample::write(run, "tests");
    fs::remove_file(run.join("evaluation/after.jsonl")).unwrap();
    fs::write(run.join("metrics.jsonl"), "").unwrap();
    let page = report(run);
    check_page(&page);
    assert!(page.contains("evaluation/after.jsonl is not there yet: only the model before training is shown."));
    assert!(page.contains("metrics.jsonl is empty: there are no training curves."));
    assert!(page.contains("Before training, "));
    assert!(page.contains("Works and is insecure"));

    fs::write(run.join("evaluation/before.jsonl"), "\n").unwrap();
    fs::remove_file(run.join("timings.jsonl")).unwrap();
    let page = report(run);
    check_page(&page);
    assert!(page.contains("Nothing has been judged yet"));
    assert!(page.contains("evaluation/before.jsonl is empty"));

    for name in ["metrics.jsonl", "manifest.json", "evaluation/before.jsonl"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    let page = report(run);
    check_page(&page);
    assert!(page.contains("manifest.json is missing"));
}

#[test]
fn rows_without_a_verdict_or_a_partner_are_announced() {
    let folder = tempfile::tempdir().unwrap();
    sample::write(folder.path(), "tests");
    let mut after = sample::rows(1);
    after.truncate(100);
    for row in &mut after[..20] {
        row.verdict = Verdict::Unscored { reason: UnscoredReason::NoTests, detail: "no security tests".to_owned() };
    }
    jsonl::write(&folder.path().join("evaluation/after.jsonl"), &after).unwrap();
    let page = report(folder.path());
    check_page(&page);
    assert!(page.contains(" of 100 completions after training have no verdict."));
    assert!(page.contains("no partner on the other side"));
    assert!(page.contains(
        "the task has no tests of the kind needed</td><td class=\"number\"><span class=\"value\">0</span>\
         </td><td class=\"number\"><span class=\"value\">20</span></td>"
    ));
}

#[test]
fn broken_files_are_named_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path();
    sample::write(run, "tests");
    let failure = || {
        let error = write_report(run).unwrap_err();
        (error.to_string().replace(&run.display().to_string(), "RUN"), error.hint())
    };
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    fs::write(run.join("metrics.jsonl"), &metrics[..metrics.len() - 40]).unwrap();
    let (text, hint) = failure();
    assert!(text.starts_with("RUN/metrics.jsonl:120: EOF while parsing"), "{text}");
    assert!(hint.contains("resume the run"), "{hint}");

    fs::write(run.join("metrics.jsonl"), "{\"step\": 1}\n{\"step\": \"two\"}\n{\"step\": 3}\n").unwrap();
    let (text, hint) = failure();
    assert!(text.starts_with("RUN/metrics.jsonl:2: invalid type"), "{text}");
    assert!(hint.contains("changed after the run"), "{hint}");
    fs::write(run.join("metrics.jsonl"), metrics).unwrap();

    fs::write(run.join("recipe.resolved.toml"), "seed = 7\n\n[evaluation\n").unwrap();
    let (text, _) = failure();
    assert!(text.starts_with("RUN/recipe.resolved.toml:3: "), "{text}");
    fs::write(run.join("recipe.resolved.toml"), "").unwrap();

    fs::write(run.join("manifest.json"), "{\"format\": 99, \"shape\": \"of the future\"}").unwrap();
    assert_eq!(failure().0, "RUN/manifest.json: format 99, but this version reads format 1");
    fs::write(run.join("manifest.json"), [0xff, 0xfe]).unwrap();
    assert!(matches!(write_report(run), Err(ReportError::Read { .. })));
    assert!(!run.join("report.html").exists());

    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(write_report(nothing.path()), Err(ReportError::NotARun { .. })));
    assert!(matches!(write_report(&nothing.path().join("absent")), Err(ReportError::NotARun { .. })));
}

/// Everything that a run folder can carry, turned against the page.
#[test]
fn hostile_content_stays_text() {
    const ATTACK: &str = "</pre></style></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>]]>--><svg onload=alert(3)>&lt;b>\u{202e}\0";
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run \"><img src=x onerror=alert(0)>");
    sample::write(&run, "\\\"><script>alert(4)</script>");
    let poison = |mut row: Judged| {
        for field in [&mut row.split, &mut row.task_id, &mut row.family, &mut row.prompt, &mut row.completion] {
            *field = format!("{ATTACK}{field}");
        }
        for finding in &mut row.findings {
            (finding.start_byte, finding.end_byte) = (3, 40);
            for field in [&mut finding.code, &mut finding.rule, &mut finding.message] {
                field.push_str(ATTACK);
            }
            let note = ATTACK.to_owned();
            finding.trace.push(Step { start_byte: 3, end_byte: 40, line: 1, column: 4, note });
        }
        match &mut row.verdict {
            Verdict::Scored { failed_tests, .. } => failed_tests.push(ATTACK.to_owned()),
            Verdict::Unscored { detail, .. } => detail.push_str(ATTACK),
        }
        row
    };
    for (side, name) in ["evaluation/before.jsonl", "evaluation/after.jsonl"].into_iter().enumerate() {
        let rows: Vec<Judged> = sample::rows(side).into_iter().map(poison).collect();
        jsonl::write(&run.join(name), &rows).unwrap();
    }
    let mut metrics = sample::metrics();
    for area in ["probe", "reward", "eval/x"] {
        metrics[3].values.insert(format!("{area}/{ATTACK}"), 0.5);
    }
    jsonl::write(&run.join("metrics.jsonl"), &metrics).unwrap();
    let mut manifest = sample::manifest();
    manifest.isolation = ATTACK.to_owned();
    fs::write(run.join("manifest.json"), serde_json::to_string(&manifest).unwrap()).unwrap();
    let timing = serde_json::json!({ "step": 1, ATTACK: 2.0 });
    fs::write(run.join("timings.jsonl"), timing.to_string()).unwrap();

    let page = report(&run);
    check_page(&page);
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(page.contains("&lt;/pre&gt;"), "the attack is shown as text");
    assert!(page.contains("[U+202E]") && !page.contains('\u{202e}') && !page.contains('\0'));
    assert_eq!(page.matches("</style>").count(), 1);
}
