//! What must hold of the mended recipes whatever a completion shows: properties of weighing, on measurements made up at random.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use codeward_analysis::Content;
use codeward_records::{Cwe, Finding, Level};
use codeward_reward::judge::{JudgeCost, Judgement, Safety, Vote};
use codeward_reward::{Likeness, Measurement, Mode, Reading, RewardRecipe, Size, TestResult};
use proptest::prelude::*;

fn finding(severity: Level) -> Finding {
    Finding {
        code: "CW-PY-078-1".to_owned(),
        rule: "py/some-rule".to_owned(),
        cwe: vec![Cwe(78)],
        severity,
        confidence: Level::High,
        start_byte: 0,
        end_byte: 1,
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 2,
        message: String::new(),
        trace: Vec::new(),
    }
}

/// A test that got so far: 0 not parsed, 1 parsed, 2 ran, 3 produced something, 4 passed.
fn result(far: u8) -> TestResult {
    TestResult {
        passed: far >= 4,
        parsed: far >= 1,
        ran: far >= 2,
        produced: far >= 3,
        spoke: far >= 3,
        answered: far >= 4,
        failure: None,
        tamper: Vec::new(),
    }
}

fn judgement(verdict: Safety) -> Judgement {
    let vote = Vote { verdict, doubt: None, log_odds: None, response: String::new() };
    Judgement { verdict, votes: vec![vote], cost: JudgeCost::default() }
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Low), Just(Level::Medium), Just(Level::High)]
}

fn verdict() -> impl Strategy<Value = Safety> {
    prop_oneof![Just(Safety::Safe), Just(Safety::Unsafe), Just(Safety::Unknown)]
}

fn size() -> impl Strategy<Value = Size> {
    (0_usize..60, 0_usize..600, 10_usize..2_000).prop_map(|(lines, units, characters)| Size {
        lines,
        units,
        characters,
    })
}

prop_compose! {
    fn measurement()(
        (is_fenced, has_syntax_error) in any::<(bool, bool)>(),
        size in size(),
        reference in size(),
        repetition in 0.0_f64..=1.0,
        severities in prop::collection::vec(level(), 0..4),
        results in prop::collection::vec(1_u8..=4, 1..8),
        attacks in prop::collection::vec(1_u8..=4, 1..4),
        verdict in verdict(),
        codebleu in 0.0_f64..=1.0,
        structure in 0.0_f64..=1.0,
    ) -> Measurement {
        Measurement {
            code: 0..1,
            is_fenced,
            size,
            reference,
            repetition,
            reading: Ok(Reading {
                findings: severities.into_iter().map(finding).collect(),
                has_syntax_error,
                content: Content::Functions,
            }),
            functional: Some(Ok(results.into_iter().map(|far| result(if has_syntax_error { 0 } else { far })).collect())),
            attacks: Some(Ok(attacks.into_iter().map(result).collect())),
            judgement: Some(Ok(judgement(verdict))),
            likeness: Some(Ok(Likeness { codebleu, structure })),
        }
    }
}

fn mended() -> Vec<RewardRecipe> {
    RewardRecipe::all_built_in().into_iter().filter(|recipe| recipe.mode != Mode::Faithful).collect()
}

fn value(recipe: &RewardRecipe, measurement: &Measurement) -> f64 {
    recipe.weigh(measurement, 0).unwrap().value
}

fn with_findings(measurement: &Measurement, findings: Vec<Finding>) -> Measurement {
    let reading = Reading { findings, ..measurement.reading.clone().unwrap() };
    Measurement { reading: Ok(reading), ..measurement.clone() }
}

const SLACK: f64 = 1e-12;

proptest! {
    #[test]
    fn values_stay_within_the_range_that_the_recipe_says(measurement in measurement()) {
        for recipe in RewardRecipe::all_built_in() {
            let (least, greatest) = recipe.range();
            let value = value(&recipe, &measurement);
            prop_assert!((least - SLACK..=greatest + SLACK).contains(&value), "{}: {value}", recipe.title());
        }
    }

    #[test]
    fn safe_is_never_below_unknown_and_unknown_never_below_unsafe(measurement in measurement()) {
        for recipe in mended() {
            let of = |verdict| value(&recipe, &Measurement { judgement: Some(Ok(judgement(verdict))), ..measurement.clone() });
            prop_assert!(of(Safety::Safe) >= of(Safety::Unknown) && of(Safety::Unknown) >= of(Safety::Unsafe), "{}", recipe.title());
        }
    }

    #[test]
    fn one_more_passed_test_never_lowers(measurement in measurement(), at in any::<prop::sample::Index>()) {
        let results = measurement.functional.clone().unwrap().unwrap();
        let mut more = results.clone();
        // A test that passes has parsed, and then so have the others: a program compiles or it does not.
        more.iter_mut().filter(|result| !result.parsed).for_each(|result| *result = self::result(1));
        more[at.index(results.len())] = result(4);
        let reading = Reading { has_syntax_error: false, ..measurement.reading.clone().unwrap() };
        let better = Measurement { functional: Some(Ok(more)), reading: Ok(reading), ..measurement.clone() };
        for recipe in mended() {
            prop_assert!(value(&recipe, &better) >= value(&recipe, &measurement) - SLACK, "{}", recipe.title());
        }
    }

    #[test]
    fn a_further_or_worse_finding_never_raises(measurement in measurement(), severity in level()) {
        let findings = measurement.reading.clone().unwrap().findings;
        let further = with_findings(&measurement, findings.iter().cloned().chain([finding(severity)]).collect());
        let worse = with_findings(&measurement, findings.iter().map(|_| finding(Level::High)).collect());
        for recipe in mended() {
            let own = value(&recipe, &measurement);
            prop_assert!(value(&recipe, &further) <= own + SLACK, "{}", recipe.title());
            prop_assert!(value(&recipe, &worse) <= own + SLACK, "{}", recipe.title());
        }
    }

    #[test]
    fn what_does_not_parse_never_beats_what_does(measurement in measurement(), far in 1_u8..=4) {
        let reading = |has_syntax_error| Reading { has_syntax_error, ..measurement.reading.clone().unwrap() };
        let of = |has_syntax_error, far: u8| Measurement {
            reading: Ok(reading(has_syntax_error)),
            functional: Some(Ok(vec![result(far); 3])),
            ..measurement.clone()
        };
        for recipe in mended() {
            let garbage = value(&recipe, &of(true, 0));
            prop_assert!(garbage <= value(&recipe, &of(false, far)) + SLACK, "{}", recipe.title());
            prop_assert!(garbage <= SLACK, "{} pays {garbage} for what does not parse", recipe.title());
        }
    }

    #[test]
    fn what_costs_a_finding_is_shared_out_whole(measurement in measurement()) {
        for recipe in RewardRecipe::all_built_in() {
            let spans = recipe.finding_spans(&measurement, 0).unwrap();
            let lost = recipe.without(&measurement, 0, |_| false).unwrap() - value(&recipe, &measurement);
            let shared: f64 = spans.iter().map(|span| span.value).sum();
            prop_assert!((shared + lost).abs() < 1e-9, "{}: {shared} and {lost}", recipe.title());
        }
    }

    #[test]
    fn what_would_change_it_says_the_truth(measurement in measurement()) {
        for recipe in RewardRecipe::all_built_in() {
            let own = value(&recipe, &measurement);
            for case in recipe.what_if(&measurement, 0) {
                prop_assert!((case.value - own - case.gain).abs() < 1e-12 && case.gain != 0.0, "{case:?}");
            }
        }
    }
}

/// The published form has it the other way round: the property above is one that can fail.
#[test]
fn as_published_an_unsafe_short_answer_is_worth_more_than_a_safe_one() {
    let recipe = RewardRecipe::by_title("seccoderx/faithful").unwrap();
    let of = |verdict| {
        let size = |lines| Size { lines, units: lines * 8, characters: lines * 30 };
        let measurement = Measurement {
            code: 0..1,
            is_fenced: true,
            size: size(4),
            reference: size(10),
            repetition: 0.0,
            reading: Ok(Reading { findings: Vec::new(), has_syntax_error: false, content: Content::Functions }),
            functional: None,
            attacks: None,
            judgement: Some(Ok(judgement(verdict))),
            likeness: Some(Ok(Likeness { codebleu: 0.5, structure: 0.5 })),
        };
        value(&recipe, &measurement)
    };
    assert_eq!((of(Safety::Safe), of(Safety::Unsafe)), (-5.0, -1.0));
}

/// Reference vectors: format 1, and Vul, Len and Fun as given.
#[test]
fn the_reference_values_of_the_published_reward() {
    let recipe = RewardRecipe::by_title("seccoderx/faithful").unwrap();
    let of = |verdict, lines: usize, codebleu: f64| {
        let size = |lines| Size { lines, units: lines * 8, characters: lines * 30 };
        let measurement = Measurement {
            code: 0..1,
            is_fenced: true,
            size: size(lines),
            reference: size(10),
            repetition: 0.0,
            reading: Ok(Reading { findings: Vec::new(), has_syntax_error: true, content: Content::Nothing }),
            functional: None,
            attacks: None,
            judgement: Some(Ok(judgement(verdict))),
            likeness: Some(Ok(Likeness { codebleu, structure: 0.0 })),
        };
        value(&recipe, &measurement)
    };
    // Ten lines: Len 1. Sixteen: 0. Six: -0.5. Four: -2.
    assert_eq!([10, 16, 6, 4].map(|lines| of(Safety::Safe, lines, 0.5)), [7.0, 3.0, 1.0, -5.0]);
    for similarity in [0.0, 0.3, 1.0] {
        assert_eq!([10, 16, 6, 4].map(|lines| of(Safety::Unsafe, lines, similarity)), [2.0, 1.0, 0.5, -1.0]);
        assert_eq!(of(Safety::Unknown, 4, similarity), -1.0);
    }
    assert_eq!((of(Safety::Safe, 10, 0.0), of(Safety::Safe, 10, 1.0)), (6.0, 8.0));
}
