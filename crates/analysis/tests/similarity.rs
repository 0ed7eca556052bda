//! Similarity: equal to the package `codebleu` on pairs that it scored, and what holds for any text.

use std::time::{Duration, Instant};

use codeward_analysis::similarity::{
    CodeBleu, LANGUAGES, Mode, Prepared, SimilarityError, Weights, ast_similarity, codebleu, without_comments,
};
use codeward_analysis::{AnalysisError, Language, MAX_BYTES};
use proptest::prelude::*;
use serde::Deserialize;

#[path = "../examples/fuzz_analysis/hostile.rs"]
mod hostile;

/// A pair, and the package's figures with SecCoderX's weights.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    language: Language,
    reference: String,
    candidate: String,
    ngram: f64,
    weighted_ngram: f64,
    syntax: f64,
    data_flow: f64,
    score: f64,
}

fn pairs() -> Vec<Pair> {
    let lines = include_str!("fixtures/codebleu/pairs.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).expect("a row is a pair")).collect()
}

fn compare(language: Language, reference: &str, candidate: &str, mode: Mode) -> CodeBleu {
    let [reference, candidate] =
        [reference, candidate].map(|text| Prepared::new(language, text).expect("the text is within the limits"));
    codebleu(&reference, &candidate, &Weights::SECCODERX, mode).expect("both are in one language")
}

#[test]
fn figures_are_the_package_s() {
    let pairs = pairs();
    for language in LANGUAGES {
        let own: Vec<&Pair> = pairs.iter().filter(|pair| pair.language == language).collect();
        assert!(own.len() >= 80, "{language}: {} pairs", own.len());
        let mut worst: f64 = 0.0;
        for pair in &own {
            let ours = compare(language, &pair.reference, &pair.candidate, Mode::Package);
            let differences = [
                ours.ngram - pair.ngram,
                ours.weighted_ngram - pair.weighted_ngram,
                ours.syntax - pair.syntax,
                ours.data_flow.unwrap_or(0.0) - pair.data_flow,
                ours.score - pair.score,
            ];
            let difference = differences.into_iter().map(f64::abs).fold(0.0, f64::max);
            assert!(difference < 1e-9, "{language}: {ours:?}\n{}\n----\n{}", pair.reference, pair.candidate);
            worst = worst.max(difference);
        }
        println!("{language}: {} pairs, worst difference {worst:e}", own.len());
    }
}

/// What there is beside the package's figures: the strict mode's, and the likeness of the trees.
type Strict = (f64, f64, f64, f64, Option<f64>, f64);

#[test]
fn figures_of_the_strict_mode_and_of_structure_stay() {
    let known = include_str!("fixtures/codebleu/strict.jsonl").lines();
    let known: Vec<Strict> = known.map(|line| serde_json::from_str(line).expect("a row is six figures")).collect();
    let pairs = pairs();
    assert_eq!(known.len(), pairs.len());
    for (pair, known) in pairs.iter().zip(known) {
        let [reference, candidate] =
            [&pair.reference, &pair.candidate].map(|text| Prepared::new(pair.language, text).unwrap());
        let found = codebleu(&reference, &candidate, &Weights::SECCODERX, Mode::Strict).unwrap();
        let likeness = ast_similarity(&reference, &candidate).unwrap();
        let context = format!("{}\n{}\n----\n{}", pair.language, pair.reference, pair.candidate);
        // Counts are the same on any machine; a logarithm's last digit may not be.
        assert_eq!((found.syntax, found.data_flow, likeness), (known.3, known.4, known.5), "{context}");
        for (found, known) in [(found.score, known.0), (found.ngram, known.1), (found.weighted_ngram, known.2)] {
            assert!((found - known).abs() < 1e-14, "{found} {known}: {context}");
        }
    }
}

#[test]
fn fixtures_reach_every_part() {
    let pairs = pairs();
    for language in LANGUAGES {
        let own: Vec<&Pair> = pairs.iter().filter(|pair| pair.language == language).collect();
        let between = |part: fn(&Pair) -> f64| own.iter().filter(|pair| part(pair) > 0.0 && part(pair) < 1.0).count();
        let counts = [between(|pair| pair.ngram), between(|pair| pair.syntax), between(|pair| pair.data_flow)];
        assert!(counts.iter().all(|count| *count > 20), "{language}: {counts:?}");
    }
}

#[test]
fn strict_parts_are_never_above_the_package_s() {
    for pair in pairs() {
        let strict = compare(pair.language, &pair.reference, &pair.candidate, Mode::Strict);
        let [reference, candidate] =
            [&pair.reference, &pair.candidate].map(|text| without_comments(pair.language, text.trim()));
        let package = compare(pair.language, &reference, &candidate, Mode::Package);
        assert_eq!(strict.ngram, package.ngram);
        assert!(strict.weighted_ngram <= package.weighted_ngram + 1e-15, "{strict:?} {package:?}");
        assert!(strict.syntax <= package.syntax, "{strict:?} {package:?}");
        if package.data_flow.is_none_or(|share| share == 0.0) {
            assert!(strict.score <= package.score + 1e-15, "{strict:?} {package:?}");
        }
        for part in [strict.score, strict.ngram, strict.weighted_ngram, strict.syntax, strict.data_flow.unwrap_or(0.0)]
        {
            assert!((0.0..=1.0 + 1e-12).contains(&part), "{strict:?}");
        }
    }
}

#[test]
fn an_empty_answer_gets_free_credit_from_the_package_only() {
    let reference = "def area(w, h):\n    a = w * h\n    return a\n";
    for answer in ["", "pass"] {
        assert_eq!(compare(Language::Python, reference, answer, Mode::Package).score, 0.1);
        assert_eq!(compare(Language::Python, reference, answer, Mode::Strict).score, 0.0);
    }
}

#[test]
fn the_weight_of_a_missing_data_flow_is_shared() {
    let (reference, candidate) = ("import os\nimport sys\n", "import os\n");
    let strict = compare(Language::Python, reference, candidate, Mode::Strict);
    assert_eq!(strict.data_flow, None);
    let others = 0.1 * strict.ngram + 0.1 * strict.weighted_ngram + 0.7 * strict.syntax;
    assert!((strict.score - others / 0.9).abs() < 1e-15);
    // One `import` matches one of two in strict mode, both in the package's; the whole files differ, the names below do not.
    assert_eq!(strict.syntax, 2.0 / 5.0);
    assert_eq!(compare(Language::Python, reference, candidate, Mode::Package).syntax, 4.0 / 5.0);
    let all = |text| Prepared::new(Language::Python, text).unwrap();
    let only_flow = Weights::new(0.0, 0.0, 0.0, 1.0).unwrap();
    assert_eq!(codebleu(&all(reference), &all(reference), &only_flow, Mode::Strict).unwrap().score, 0.0);
}

#[test]
fn a_text_assigned_to_an_attribute_costs_the_package_the_whole_data_flow() {
    let reference = "def f(a):\n    b = a\n    a.name = 'x'\n    return b\n";
    assert_eq!(compare(Language::Python, reference, reference, Mode::Package).data_flow, None);
    assert_eq!(compare(Language::Python, reference, reference, Mode::Strict).data_flow, Some(1.0));
    let other = "def f(a):\n    return a\n";
    let found = compare(Language::Python, reference, other, Mode::Strict).data_flow.unwrap();
    assert!(found > 0.0 && found < 1.0, "{found}");
}

#[test]
fn short_answers_are_punished_in_strict_mode() {
    let reference = "int f(int a) { int b = a + 1 ; b = b * a ; return b ; }";
    let [package, strict] =
        [Mode::Package, Mode::Strict].map(|mode| compare(Language::C, reference, "int b = a + 1 ;", mode));
    assert!(strict.weighted_ngram < package.weighted_ngram / 2.0, "{strict:?} {package:?}");
}

#[test]
fn comments_and_blank_lines_change_nothing_in_strict_mode() {
    let reference =
        "import os\n\ndef read(root, name):\n    path = os.path.join(root, name)\n    return open(path).read()\n";
    let commented = "# secure\nimport os\n\n\ndef read(root, name):\n    # why\n\n    path = os.path.join(root, name)  # nosec\n    return open(path).read()\n";
    let of = |candidate: &str, mode: Mode| compare(Language::Python, reference, candidate, mode);
    assert_eq!(of(commented, Mode::Strict), of(reference, Mode::Strict));
    assert!(of(commented, Mode::Package).score < of(reference, Mode::Package).score);
}

#[test]
fn structure_is_symmetric_and_extra_code_costs() {
    let prepared = |text: &str| Prepared::new(Language::Python, text).unwrap();
    let one = prepared("def f(a):\n    return a + 1\n");
    let renamed = prepared("def g(b):\n    # why\n    return b * 2\n");
    let longer = prepared("def f(a):\n    return a + 1\nimport os\nos.system('x')\n");
    assert_eq!(ast_similarity(&one, &renamed).unwrap(), 1.0);
    let extra = ast_similarity(&one, &longer).unwrap();
    assert_eq!(extra, ast_similarity(&longer, &one).unwrap());
    assert!((0.3..0.9).contains(&extra), "{extra}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let is_unsupported = Prepared::new(Language::TypeScript, "let a = 1").unwrap_err();
    assert_eq!(is_unsupported, SimilarityError::UnsupportedLanguage { language: Language::TypeScript });
    let too_large = Prepared::new(Language::C, &" ".repeat(MAX_BYTES + 1)).unwrap_err();
    assert!(matches!(too_large, SimilarityError::Limit(AnalysisError::TooLarge { .. })), "{too_large}");
    let [c, go] = [Language::C, Language::Go].map(|language| Prepared::new(language, "").unwrap());
    let error = codebleu(&c, &go, &Weights::EQUAL, Mode::Strict).unwrap_err();
    assert_eq!(error.to_string(), "reference is c and candidate is go");
    assert_eq!(ast_similarity(&c, &go).unwrap_err(), error);
    for wrong in [[-0.1, 0.4, 0.4, 0.3], [f64::NAN, 0.0, 0.0, 1.0], [0.0; 4], [f64::MAX; 4]] {
        let [ngram, weighted_ngram, syntax, data_flow] = wrong;
        assert!(Weights::new(ngram, weighted_ngram, syntax, data_flow).is_err(), "{wrong:?}");
    }
}

#[test]
fn nested_loops_end_with_an_error_not_never() {
    let text = format!("int f(int y) {{ {} y = y + 1; }}", "while (y) ".repeat(60));
    let started = Instant::now();
    let error = Prepared::new(Language::C, &text).unwrap_err();
    assert!(matches!(error, SimilarityError::TooComplex { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // The package takes seconds for twenty levels.
    let shallow = format!("int f(int y) {{ {} y = y + 1; }}", "while (y) ".repeat(12));
    assert!(Prepared::new(Language::C, &shallow).unwrap().has_data_flow(Mode::Package));
}

#[test]
fn deep_trees_have_structure_but_no_data_flow() {
    for (depth, has_data_flow) in [(400, true), (5_000, false)] {
        let text = format!("y = x\nz = {}y{}", "(".repeat(depth), ")".repeat(depth));
        let (prepared, _) = on_small_stack(Language::Python, text).unwrap();
        assert_eq!(prepared.has_data_flow(Mode::Package), has_data_flow);
        assert_eq!(ast_similarity(&prepared, &prepared).unwrap(), 1.0);
    }
}

#[test]
fn one_reference_is_compared_by_several_threads() {
    // Both have errors, so that what is made by the first comparison is asked for by all at once.
    let reference = Prepared::new(Language::Java, "class A { int f( { return 1 + ; } }").unwrap();
    let candidate = Prepared::new(Language::Java, "class B { int g( { return 2 + ; } }").unwrap();
    let compare = || codebleu(&reference, &candidate, &Weights::EQUAL, Mode::Package).unwrap();
    let found: Vec<CodeBleu> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(compare)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found[0].syntax > 0.5 && found.iter().all(|other| *other == found[0]), "{found:?}");
}

#[test]
fn hostile_text_neither_crashes_nor_stalls() {
    for language in LANGUAGES {
        for case in hostile::hostile(language, 5_000) {
            let started = Instant::now();
            let answer = on_small_stack(language, case.text.clone());
            assert!(started.elapsed() < Duration::from_secs(20), "{language}, {}: {:?}", case.name, started.elapsed());
            match answer {
                Ok((_, itself)) => {
                    assert_eq!(itself.syntax, 1.0, "{language}, {}", case.name);
                    assert!(itself.data_flow.is_none_or(|share| share == 1.0), "{language}, {}", case.name);
                }
                Err(SimilarityError::Limit(_) | SimilarityError::TooComplex { .. }) => {}
                Err(error) => panic!("{language}, {}: {error}", case.name),
            }
        }
    }
}

/// Prepares a text and compares it with itself on a thread with half of the usual stack.
fn on_small_stack(language: Language, text: String) -> Result<(Prepared, CodeBleu), SimilarityError> {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let work = move || {
        let prepared = Prepared::new(language, &text)?;
        let itself = codebleu(&prepared, &prepared, &Weights::EQUAL, Mode::Strict)?;
        Ok((prepared, itself))
    };
    thread.spawn(work).expect("a thread can be started").join().expect("comparing came back")
}

/// Pieces that code is made of, in no order.
fn any_code() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "x", "y1", "=", "+=", "(", ")", "{", "}", "[", "]", "\n", "\n    ", "\t", " ", ";", ":", ",", "if", "else",
        "for", "while", "in", "def f(", "int ", "return ", "var ", "1", "'", "\"", "'''", "#", "//", "/*", "*/", "\\",
        "\\\n", "ü", "名", "\r\n", "0x", ".5", "b'",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// The text without what could be taken for a comment, even when it was taken away once.
fn bare(language: Language, text: &str) -> String {
    let mut bare = text.trim().to_owned();
    loop {
        let next = without_comments(language, &bare).trim().to_owned();
        if next.len() >= bare.len() {
            return bare;
        }
        bare = next;
    }
}

fn any_language() -> impl Strategy<Value = Language> {
    prop::sample::select(LANGUAGES.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parts_are_shares_and_strict_is_not_above(language in any_language(), reference in any_code(), candidate in any_code()) {
        let with_comments = compare(language, &reference, &candidate, Mode::Strict);
        // A space that a comment leaves at the end may change how broken code is read, so both modes get one text.
        let (reference, candidate) = (bare(language, &reference), bare(language, &candidate));
        let package = compare(language, &reference, &candidate, Mode::Package);
        let strict = compare(language, &reference, &candidate, Mode::Strict);
        for found in [package, strict, with_comments] {
            for part in [found.score, found.ngram, found.weighted_ngram, found.syntax, found.data_flow.unwrap_or(0.0)] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&part), "{found:?}");
            }
        }
        prop_assert!(strict.syntax <= package.syntax);
        prop_assert!(strict.weighted_ngram <= package.weighted_ngram + 1e-15);
        if package.data_flow.is_none_or(|share| share == 0.0) {
            prop_assert!(strict.score <= package.score + 1e-12);
        }
    }

    #[test]
    fn a_text_is_like_itself(language in any_language(), text in any_code()) {
        let prepared = Prepared::new(language, &text).unwrap();
        for mode in [Mode::Package, Mode::Strict] {
            let itself = codebleu(&prepared, &prepared, &Weights::EQUAL, mode).unwrap();
            prop_assert_eq!(itself.syntax, 1.0);
            prop_assert!(itself.data_flow.is_none_or(|share| share == 1.0));
            // Four tokens have one 4-gram; fewer have none to match, and are smoothed. One keyword more than makes up for 0.2.
            let counted = if mode == Mode::Strict { without_comments(language, text.trim()) } else { text.clone() };
            if counted.split_whitespace().count() >= 4 {
                prop_assert!((itself.ngram - 1.0).abs() < 1e-12, "{:?}", itself);
            }
        }
        prop_assert_eq!(ast_similarity(&prepared, &prepared).unwrap(), 1.0);
    }

    #[test]
    fn structure_is_symmetric(language in any_language(), one in any_code(), other in any_code()) {
        let [one, other] = [one, other].map(|text| Prepared::new(language, &text).unwrap());
        let similarity = ast_similarity(&one, &other).unwrap();
        prop_assert!((0.0..=1.0).contains(&similarity));
        prop_assert_eq!(similarity, ast_similarity(&other, &one).unwrap());
    }

    #[test]
    fn names_do_not_matter_to_the_strict_data_flow(seed in 0_usize..1000) {
        let pairs = pairs();
        let text = &pairs[seed % pairs.len()];
        // A prefix for every word changes keywords too, so only words that no language reserves are changed.
        let names = ["count", "total", "value", "path", "name", "items", "index", "data", "key", "node", "s", "t", "k", "a", "b"];
        let renamed = renamed(&text.reference, &names);
        let found = compare(text.language, &text.reference, &renamed, Mode::Strict);
        prop_assert!(found.data_flow.is_none_or(|share| share == 1.0), "{found:?}\n{}\n{renamed}", text.reference);
    }
}

/// The text with a letter before each of some words, outside of texts and comments or not.
fn renamed(text: &str, names: &[&str]) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut changed = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, after) = rest.split_at(start);
        let end = after.find(|character| !is_word(character)).unwrap_or(after.len());
        let (word, behind) = after.split_at(end);
        changed.push_str(before);
        // Behind a backslash it is part of an escape.
        if names.contains(&word) && !before.ends_with('\\') {
            changed.push_str("q_");
        }
        changed.push_str(word);
        rest = behind;
    }
    changed + rest
}
