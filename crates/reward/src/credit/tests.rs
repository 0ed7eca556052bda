//! The definition as a whole: values by hand, then what must always hold.

use codeward_records::{Cwe, Language};
use proptest::prelude::*;

use super::*;

fn pair(vulnerable: &str, secure: &str) -> RepairPair {
    RepairPair {
        vulnerable: vulnerable.to_owned(),
        secure: secure.to_owned(),
        cwe: Some("CWE-78".parse::<Cwe>().unwrap()),
    }
}

fn patterns(vulnerable: &str, secure: &str, rules: &CreditRules) -> RepairPatterns {
    RepairPatterns::new(Language::Python, &[pair(vulnerable, secure)], rules, None).unwrap()
}

/// What is marked and with how much.
fn marked<'a>(patterns: &RepairPatterns, completion: &'a str) -> Vec<(&'a str, f64)> {
    let credit = patterns.credit(completion, Gate::Open);
    credit.spans.iter().map(|span| (&completion[span.start..span.end], span.value)).collect()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-12
}

/// `a0 a1 a2 ...`, with this many units.
fn names(letter: char, count: usize) -> String {
    (0..count).flat_map(|index| [letter.to_string(), index.to_string(), " ".to_owned()]).collect()
}

const VULNERABLE: &str = "def f(cmd):\n    return subprocess.call(cmd, shell=True)\n";
const SECURE: &str = "def f(cmd):\n    return subprocess.call(cmd, shell=False)\n";

#[test]
fn a_replaced_unit_takes_in_its_neighbours() {
    // `True` became `False`; the runs are `= True )` and `= False )`.
    for rules in [CreditRules::plain(), CreditRules::default()] {
        let patterns = patterns(VULNERABLE, SECURE, &rules);
        assert_eq!(marked(&patterns, SECURE), [("=", 0.2), ("False", 0.2), (")", 0.2)]);
        assert_eq!(marked(&patterns, VULNERABLE), [("=", -0.4), ("True", -0.4), (")", -0.4)]);
        assert!(close(patterns.credit(SECURE, Gate::Open).total(), 0.6));
        assert!(close(patterns.credit(VULNERABLE, Gate::Open).total(), -1.2));
        assert_eq!(marked(&patterns, "def f(cmd):\n    return subprocess.run(cmd)\n"), []);
        assert_eq!(marked(&patterns, ""), []);
        let credit = patterns.credit(VULNERABLE, Gate::Open);
        assert_eq!((credit.num_secure, credit.num_vulnerable), (0, 3));
        assert_eq!(credit.spans[0].rule, "credit/vulnerable-run");
        assert_eq!(credit.spans[0].cwe.map(|cwe| cwe.to_string()).as_deref(), Some("CWE-78"));
    }
}

#[test]
fn only_code_in_the_fence_counts() {
    let completion = format!("Use shell=False) here:\n```python\n{SECURE}```\n");
    let credit = patterns(VULNERABLE, SECURE, &CreditRules::default()).credit(&completion, Gate::Open);
    let shown: Vec<_> = credit.spans.iter().map(|span| &completion[span.start..span.end]).collect();
    assert_eq!(shown, ["=", "False", ")"]);
    assert!(credit.spans[0].start > completion.find("```").unwrap());
}

#[test]
fn a_closed_gate_takes_the_bonus_and_leaves_the_penalty() {
    let patterns = patterns(VULNERABLE, SECURE, &CreditRules::default());
    let credit = patterns.credit(SECURE, Gate::Closed);
    assert_eq!((credit.total(), credit.num_secure), (0.0, 3));
    assert!(close(patterns.credit(VULNERABLE, Gate::Closed).total(), -1.2));
    let both = format!("{SECURE}{VULNERABLE}");
    assert!(close(patterns.credit(&both, Gate::Open).total(), 0.6 - 1.2));
    assert!(close(patterns.credit(&both, Gate::Closed).total(), -1.2));
}

#[test]
fn each_pattern_counts_once() {
    let patterns = patterns(VULNERABLE, SECURE, &CreditRules::default());
    assert_eq!(marked(&patterns, &SECURE.repeat(5)), marked(&patterns, SECURE));
    assert_eq!(marked(&patterns, &VULNERABLE.repeat(5)), marked(&patterns, VULNERABLE));
}

#[test]
fn many_secure_units_share_the_bonus_of_sixteen() {
    // Units put in -> each before the bound: 0.2 / max(1, n / 16); the sum is cut to 3.
    for (count, each) in [(3, 0.2), (10, 0.2), (15, 0.2), (16, 3.0 / 16.0), (20, 3.0 / 20.0), (40, 3.0 / 40.0)] {
        let secure = format!("x; {} ; y", names('a', count));
        let rules = CreditRules::plain();
        let found = marked(&patterns("x; ; y", &secure, &rules), &secure);
        assert_eq!(found.len(), count, "{found:?}");
        assert!(found.iter().all(|&(_, value)| close(value, each)), "{count}: {found:?}");
    }
    // A bonus that leaves room below the bound: 0.1 / (40 / 16).
    let rules = CreditRules { bonus: 0.1, ..CreditRules::plain() };
    let secure = format!("x; {} ; y", names('a', 40));
    assert!(marked(&patterns("x; ; y", &secure, &rules), &secure).iter().all(|&(_, value)| close(value, 0.04)));
}

#[test]
fn penalties_sum_to_three_at_most() {
    for (count, each) in [(3, -0.4), (7, -0.4), (8, -3.0 / 8.0), (30, -0.1)] {
        let vulnerable = format!("x; {} ; y", names('a', count));
        let found = marked(&patterns(&vulnerable, "x; ; y", &CreditRules::plain()), &vulnerable);
        assert_eq!(found.len(), count);
        assert!(found.iter().all(|&(_, value)| close(value, each)), "{count}: {found:?}");
    }
}

#[test]
fn four_fifths_of_a_vulnerable_run_count_as_the_run() {
    // Run of ten: eight in one piece count, seven or eight in two pieces do not. The secure side: any three.
    let patterns =
        patterns(&format!("x; {} ; y", names('a', 10)), &format!("x; {} ; y", names('b', 10)), &CreditRules::plain());
    let num_marked = |completion: &str| marked(&patterns, completion).len();
    assert_eq!(num_marked(&names('a', 10)), 10);
    assert_eq!(num_marked("z a1 a2 a3 a4 a5 a6 a7 a8 z"), 8);
    assert_eq!(num_marked("a3 a4 a5 a6 a7 a8 a9"), 0);
    assert_eq!(num_marked("a0 a1 a2 a3 z a4 a5 a6 a7"), 0);
    assert_eq!(num_marked("b3 b4 b5"), 3);
    assert_eq!(num_marked("b3 b4 z b5"), 0);
    assert_eq!(num_marked("b3 b4 b5 b7 b8 b9 b0"), 6);
    // Five units: four count. A share that is no whole number of units rounds up: 0.8 of four is four.
    let rules = CreditRules::plain();
    assert_eq!([3, 4, 5, 6, 10, 32].map(|length| rules.least_part(length)), [3, 4, 4, 5, 8, 26]);
}

#[test]
fn long_runs_are_cut_and_each_piece_counts_by_itself() {
    // 40 units: two vulnerable runs of 20; the first alone is enough for its own penalty.
    let patterns = patterns(&format!("x; {} ; y", names('a', 40)), "x; ; y", &CreditRules::plain());
    assert_eq!(marked(&patterns, &names('a', 20)).len(), 20);
    assert_eq!(marked(&patterns, &names('a', 15)).len(), 0);
    assert_eq!(marked(&patterns, &names('a', 40)).len(), 40);
}

#[test]
fn what_both_sides_have_says_nothing() {
    // `shell = True` is put in where the vulnerable program has it elsewhere: to the letter nothing is left of the run.
    let vulnerable = "f(shell=True); g(a, shell=False)";
    let secure = "f(shell=True); g(a, shell=True)";
    let plain = patterns(vulnerable, secure, &CreditRules::plain());
    assert_eq!(marked(&plain, secure), []);
    assert_eq!(marked(&plain, vulnerable), [("=", -0.4), ("False", -0.4), (")", -0.4)]);
    // A long secure run of which a part is in the vulnerable program too: to the letter that part earns there.
    let (vulnerable, secure) = ("p q r; bad", "p q r; p q r s t");
    assert_eq!(marked(&patterns(vulnerable, secure, &CreditRules::plain()), "p q r").len(), 3);
    let strict = patterns(vulnerable, secure, &CreditRules::default());
    assert_eq!(marked(&strict, "p q r"), []);
    assert_eq!(marked(&strict, "q r s").len(), 3);
}

#[test]
fn a_missing_check_has_a_place() {
    let vulnerable = "def read(name):\n    path = base + name\n    return open(path)\n";
    let secure = "def read(name):\n    path = base + name\n    if not is_below(base, path):\n        raise ValueError\n    return open(path)\n";
    let plain = patterns(vulnerable, secure, &CreditRules::plain());
    assert_eq!(marked(&plain, vulnerable), []);
    assert!(plain.credit(secure, Gate::Open).total() > 0.0);
    let ours = patterns(vulnerable, secure, &CreditRules::default());
    let places: Vec<_> = marked(&ours, vulnerable).into_iter().map(|(text, _)| text).collect();
    assert_eq!(places, ["base", "+", "name", "return", "open", "("]);
    assert!(ours.credit(secure, Gate::Open).spans.iter().all(|span| span.value > 0.0));
}

#[test]
fn rare_runs_weigh_more() {
    let corpus = Corpus::new(Language::Python, 3, std::iter::repeat_n("f(x, shell=True)", 9));
    let patterns =
        RepairPatterns::new(Language::Python, &[pair(VULNERABLE, SECURE)], &CreditRules::default(), Some(&corpus))
            .unwrap();
    // `= True )` is in all nine: the least weight. `= False )` is in none: ln 10, above the greatest.
    assert_eq!(marked(&patterns, VULNERABLE)[0], ("=", -0.2));
    assert_eq!(marked(&patterns, SECURE)[0], ("=", 0.4));
}

#[test]
fn pairs_that_are_no_repairs_are_refused() {
    let unlike = [pair("x", "x"), pair(&names('a', 1500), &names('b', 1500))];
    let error = RepairPatterns::new(Language::Python, &unlike, &CreditRules::default(), None).unwrap_err();
    assert_eq!(error, CreditError::NoRepair { index: 1, most_edits: 2000 });
    assert!(patterns("x = 1", "x  = 1  # the same", &CreditRules::default()).is_empty());
    for (name, rules) in [
        ("bonus", CreditRules { bonus: 1.5, ..CreditRules::default() }),
        ("penalty", CreditRules { penalty: f64::NAN, ..CreditRules::default() }),
        ("whole_share", CreditRules { whole_share: 0.5, ..CreditRules::default() }),
        ("least_run", CreditRules { least_run: 2, ..CreditRules::default() }),
        ("ngram", CreditRules { ngram: 0, ..CreditRules::default() }),
        ("longest_run", CreditRules { longest_run: 5, ..CreditRules::default() }),
        ("context_of_nothing", CreditRules { context_of_nothing: 2, ..CreditRules::default() }),
        ("full_bonus_units", CreditRules { full_bonus_units: 0.0, ..CreditRules::default() }),
    ] {
        assert_eq!(rules.check(), Err(CreditError::OutOfRange { name }));
    }
    let rules: CreditRules = toml::from_str("bonus = 0.1").unwrap();
    assert_eq!(rules, CreditRules { bonus: 0.1, ..CreditRules::default() });
    assert!(toml::from_str::<CreditRules>("bonos = 0.1").is_err());
}

#[test]
fn a_snippet_and_its_repair_of_every_rule() {
    // The analyser's own pairs: short, real, in every language that tasks have.
    let (mut num_pairs, mut num_secure, mut num_vulnerable) = (0, 0, 0);
    for rule in codeward_analysis::rules() {
        let language = match rule.code.split('-').nth(1) {
            Some("PY") => Language::Python,
            Some("C" | "CPP") => Language::Cpp,
            Some("JS") => Language::JavaScript,
            Some("JAVA") => Language::Java,
            Some("GO") => Language::Go,
            other => panic!("{other:?} is no language of rules"),
        };
        for example in rule.examples {
            let pair = pair(&example.weak.replace(['«', '»'], ""), example.sound);
            let patterns =
                RepairPatterns::new(language, std::slice::from_ref(&pair), &CreditRules::default(), None).unwrap();
            let of_secure = patterns.credit(&pair.secure, Gate::Open);
            let of_vulnerable = patterns.credit(&pair.vulnerable, Gate::Open);
            assert!(of_secure.spans.iter().all(|span| span.value > 0.0), "{}", rule.name);
            assert!(of_vulnerable.spans.iter().all(|span| span.value < 0.0), "{}", rule.name);
            num_pairs += 1;
            num_secure += usize::from(of_secure.total() > 0.0);
            // Where only the start or the end of the program is new, nothing says that it is missing.
            let is_part = pair.secure.contains(pair.vulnerable.trim());
            num_vulnerable += usize::from(of_vulnerable.total() < 0.0 || is_part);
        }
    }
    assert!(num_pairs > 400, "{num_pairs}");
    assert_eq!((num_secure, num_vulnerable), (num_pairs, num_pairs));
}

/// Programs of few kinds of units, so that runs meet by chance.
fn program() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..9, 0..40)
}

fn spelled(units: &[usize]) -> String {
    const WORDS: [&str; 9] = ["open", "(", ")", "path", "=", "'a b'", ";", "12", "check"];
    units.iter().flat_map(|&unit| [WORDS[unit], " "]).collect()
}

/// A program with a part replaced.
fn repair() -> impl Strategy<Value = (String, String)> {
    (program(), any::<prop::sample::Index>(), 0usize..12, program()).prop_map(|(old, at, taken, put)| {
        let at = at.index(old.len() + 1);
        let new = [&old[..at], &put[..put.len().min(14)], &old[(at + taken).min(old.len())..]].concat();
        (spelled(&old), spelled(&new))
    })
}

fn any_rules() -> impl Strategy<Value = CreditRules> {
    (0.0f64..=1.0, 0.0f64..=1.0, 1usize..5, 0usize..3, 0.51f64..=1.0, any::<bool>(), 0usize..9).prop_map(
        |(bonus, penalty, ngram, more, whole_share, is_plain, context)| CreditRules {
            bonus,
            penalty,
            ngram,
            least_run: ngram + more,
            longest_run: 2 * (ngram + more) + 3,
            whole_share,
            specificity: if is_plain { Specificity::Run } else { Specificity::Match },
            context_of_nothing: if context < ngram + more { 0 } else { context },
            ..CreditRules::plain()
        },
    )
}

proptest! {
    #[test]
    fn the_secure_side_earns_and_the_vulnerable_side_pays((vulnerable, secure) in repair()) {
        let patterns = patterns(&vulnerable, &secure, &CreditRules::default());
        let of_secure = patterns.credit(&secure, Gate::Open);
        let of_vulnerable = patterns.credit(&vulnerable, Gate::Open);
        prop_assert!(of_secure.spans.iter().all(|span| span.value > 0.0));
        prop_assert!(of_vulnerable.spans.iter().all(|span| span.value < 0.0));
        // Something that can be recognised on a side is recognised there.
        prop_assert_eq!(of_secure.num_vulnerable + of_vulnerable.num_secure, 0);
        prop_assert_eq!(patterns.is_empty(), of_secure.spans.is_empty() && of_vulnerable.spans.is_empty());
        // The pair turned round has the patterns turned round.
        let turned = super::tests::patterns(&secure, &vulnerable, &CreditRules::default());
        prop_assert!(turned.credit(&secure, Gate::Open).total() <= 0.0);
    }

    #[test]
    fn what_is_new_is_always_seen(
        program in program(),
        at in any::<prop::sample::Index>(),
        taken in 1usize..50,
        put in 1usize..50,
        rules in any_rules(),
    ) {
        prop_assume!(program.len() >= rules.least_run);
        let rules = CreditRules { specificity: Specificity::Match, ..rules };
        let at = at.index(program.len() + 1);
        let around = |middle: String| format!("{}{middle}{}", spelled(&program[..at]), spelled(&program[at..]));
        let (vulnerable, secure) = (around(names('v', taken)), around(names('s', put)));
        let patterns = patterns(&vulnerable, &secure, &rules);
        // All of the new units, and neighbours only if they are fewer than the least run.
        let of_secure = patterns.credit(&secure, Gate::Open);
        prop_assert_eq!(of_secure.num_vulnerable, 0);
        prop_assert!(of_secure.num_secure >= put && of_secure.num_secure <= put.max(rules.least_run));
        prop_assert!(of_secure.spans.iter().all(|span| span.value > 0.0));
        let of_vulnerable = patterns.credit(&vulnerable, Gate::Open);
        prop_assert_eq!(of_vulnerable.num_secure, 0);
        prop_assert!(of_vulnerable.num_vulnerable >= taken && of_vulnerable.num_vulnerable <= taken.max(rules.least_run));
        prop_assert!(of_vulnerable.spans.iter().all(|span| span.value < 0.0));
        prop_assert!((of_secure.total() > 0.0) == (rules.bonus > 0.0) && (of_vulnerable.total() < 0.0) == (rules.penalty > 0.0));
    }

    #[test]
    fn rewards_are_bounded_whatever_the_rules(pair in repair(), rules in any_rules(), completion in program(), closed in any::<bool>()) {
        let patterns = patterns(&pair.0, &pair.1, &rules);
        let gate = if closed { Gate::Closed } else { Gate::Open };
        for text in [spelled(&completion), pair.0.clone(), pair.1.clone(), format!("{}{}", pair.0, pair.1)] {
            let credit = patterns.credit(&text, gate);
            prop_assert!(credit.spans.iter().all(|span| span.value.abs() <= MOST_AT_ONE_PLACE));
            prop_assert!(credit.total().abs() <= MOST_IN_TOTAL + 1e-9);
            prop_assert!(!closed || credit.spans.iter().all(|span| span.value < 0.0));
            prop_assert!(credit.spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }

    #[test]
    fn text_without_a_pattern_has_no_reward(pair in repair(), completion in "[a-f]{1,8}( [a-f]{1,8}){0,20}") {
        prop_assert_eq!(marked(&patterns(&pair.0, &pair.1, &CreditRules::default()), &completion), []);
    }

    #[test]
    fn white_space_and_comments_change_nothing(pair in repair(), completion in program()) {
        let patterns = patterns(&pair.0, &pair.1, &CreditRules::default());
        let wide = |text: &str| text.replace("'a b'", "'a\u{1}b'").replace(' ', "  # it's open ( )\n\t").replace('\u{1}', " ");
        let respelled = super::tests::patterns(&wide(&pair.0), &wide(&pair.1), &CreditRules::default());
        let text = spelled(&completion);
        let same = marked(&patterns, &text);
        let wide_text = wide(&text);
        prop_assert_eq!(&marked(&patterns, &wide_text), &same);
        prop_assert_eq!(&marked(&respelled, &text), &same);
    }

    #[test]
    fn repeating_does_not_pay(pair in repair(), times in 2usize..6) {
        let patterns = patterns(&pair.0, &pair.1, &CreditRules::default());
        // Where two copies meet, n-grams of the seam may count, each once.
        let twice = patterns.credit(&pair.1.repeat(2), Gate::Open).total();
        prop_assert_eq!(patterns.credit(&pair.1.repeat(times), Gate::Open).total(), twice);
    }
}
