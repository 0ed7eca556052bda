//! Chat templates against what transformers makes of them, and hostile ones.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::{Path, PathBuf};

use codeward_lm::{ChatError, ChatRequest, ChatTemplate, ChatTemplates, Moment};
use serde_json::{Map, Value, json};

const NOW: Moment = Moment { year: 2026, month: 11, day: 3, hour: 13, minute: 5, second: 9 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chat").join(name)
}

fn read_json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Ten templates, ten conversations each, with and without the beginning of an answer.
#[test]
fn conversations_read_as_transformers_renders_them() {
    let fixture_json = read_json("conversations.json");
    let cases = fixture_json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 200);
    for case in cases {
        let file = case["template"].as_str().unwrap();
        let source = std::fs::read_to_string(fixture("templates").join(file)).unwrap();
        let template = ChatTemplate::parse(&source).unwrap();
        let conversation = &fixture_json["conversations"][case["conversation"].as_str().unwrap()];
        let mut variables: Map<String, Value> = fixture_json["special_tokens"].as_object().unwrap().clone();
        variables.extend(conversation["variables"].as_object().cloned().unwrap_or_default());
        let found = template.render(&ChatRequest {
            messages: &conversation["messages"],
            add_generation_prompt: case["add_generation_prompt"].as_bool().unwrap(),
            tools: conversation.get("tools"),
            documents: None,
            variables: Some(&variables),
            now: Some(&NOW),
        });
        let what = format!("{file} with {}", case["conversation"]);
        match (found, case["text"].as_str()) {
            (Ok(found), Some(expected)) => assert_eq!(found, expected, "{what}"),
            (Err(ChatError::Raised { .. }), None) => assert_eq!(case["error"], "TemplateError", "{what}"),
            (Err(_), None) => assert_ne!(case["error"], "TemplateError", "{what}"),
            (found, expected) => panic!("{what}: {found:?} against {expected:?}"),
        }
    }
}

/// Small templates, one for each trait of the language, with what Python makes of them.
#[test]
fn expressions_mean_what_they_mean_in_python() {
    let messages = json!([
        {"role": "system", "content": "Be brief. \"Quotes\" and 'marks'."}, {"role": "user", "content": "  Write a function.\n"},
    ]);
    let mut wrong = Vec::new();
    for case in read_json("expressions.json").as_array().unwrap() {
        let source = case["template"].as_str().unwrap();
        let request = ChatRequest { messages: &messages, now: Some(&NOW), ..ChatRequest::default() };
        let found = ChatTemplate::parse(source).and_then(|template| template.render(&request));
        match (found, case["text"].as_str()) {
            (Ok(found), Some(expected)) if found == expected => {}
            (Err(ChatError::Syntax { .. }), None) => {
                // Jinja sees unknown filters and includes at once, which here is late or early.
                let known = ["TemplateSyntaxError", "TypeError"];
                assert!(known.contains(&case["error"].as_str().unwrap()), "{source}: {case}");
            }
            (Err(_), None) => {}
            (found, expected) => wrong.push(format!("{source}:\n{found:?}\n{expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn render(source: &str) -> Result<String, ChatError> {
    let messages = json!([{"role": "user", "content": "hello"}]);
    ChatTemplate::parse(source)?.render(&ChatRequest { messages: &messages, ..ChatRequest::default() })
}

fn limit(source: &str) -> &'static str {
    match render(source) {
        Err(ChatError::Limit { what, .. }) => what,
        other => panic!("{source}: {:?}", other.map(|text| text.len())),
    }
}

#[test]
fn what_never_ends_is_stopped() {
    let nested = "{% for a in range(99999) %}".repeat(3) + &"{% endfor %}".repeat(3);
    assert!(["steps", "memory"].contains(&limit(&nested)));
    assert_eq!(limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), "nesting");
    assert_eq!(
        limit("{% macro m() %}{{ n() }}{% endmacro %}{% macro n() %}{{ m() }}{% endmacro %}{{ m() }}"),
        "nesting"
    );
    assert_eq!(limit("{{ range(10 ** 12) }}"), "length of a range");
    let search = "{% set x = 'a' * 1000000 %}{% for i in range(99999) %}{{ 'b' in x }}{% endfor %}";
    assert_eq!(limit(search), "steps");
    let replace = "{% set x = 'ab' * 100000 %}{% for i in range(9999) %}{% set y = x.replace('z', '') %}{% endfor %}";
    assert!(["steps", "memory"].contains(&limit(replace)));
}

#[test]
fn what_grows_without_end_is_stopped() {
    for grow in [
        "x ~ x",
        "x + x",
        "x * 2",
        "[x, x] | join",
        "x.replace('a', 'aa')",
        "x | replace('a', 'aa')",
        "'%s%s' % (x, x)",
        "'{}{}'.format(x, x)",
        "x | indent(1000000, true)",
        "(x ~ x) | upper",
        "x | tojson ~ x",
        "x.join([x, x, x])",
    ] {
        let source = format!(
            "{{% set ns = namespace(x='a') %}}{{% for i in range(99) %}}{{% set x = ns.x %}}{{% set ns.x = {grow} %}}{{% endfor %}}"
        );
        assert!(["steps", "memory"].contains(&limit(&source)), "{grow}");
    }
    assert_eq!(limit("{{ 'a' * 10 ** 15 }}"), "memory");
    assert_eq!(limit("{{ [1] * 10 ** 15 }}"), "memory");
    assert_eq!(limit("{{ 'a'.zfill(10 ** 15) }}"), "memory");
    let lists = "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
    assert!(["steps", "memory"].contains(&limit(lists)));
    let output = "{% for i in range(99999) %}".to_owned() + &"y".repeat(10_000) + "{% endfor %}";
    assert_eq!(limit(&output), "memory");
    let block = "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}";
    assert_eq!(limit(block), "memory");
}

/// A small text that means an enormous one: lists that share their parts.
#[test]
fn shared_parts_are_paid_for_each_time() {
    let bomb = "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
    for end in ["{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x == [ns.x[0], ns.x[1]] }}"] {
        assert!(["steps", "memory"].contains(&limit(&format!("{bomb}{end}"))), "{end}");
    }
}

#[test]
fn what_nests_too_deep_is_refused() {
    let refused = |source: &str| {
        let error = render(source).unwrap_err().to_string();
        assert!(error.contains("nest too deep") || error.contains("nesting"), "{error}");
    };
    refused(&format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)));
    refused(&format!("{{{{ {}1{} }}}}", "[".repeat(100_000), "]".repeat(100_000)));
    refused(&format!("{{{{ {}1 }}}}", "-".repeat(100_000)));
    refused(&format!("{{{{ {}1 }}}}", "not ".repeat(100_000)));
    refused(&format!("{{{{ 1{} }}}}", " + 1".repeat(100_000)));
    refused(&format!("{{{{ 1{} }}}}", " | abs".repeat(100_000)));
    refused(&format!("{{{{ a{} }}}}", ".b".repeat(100_000)));
    refused(&format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(50_000)));
    refused(&format!("{{{{ {}1 }}}}", "1 if ".repeat(50_000)));
    refused(&"{% if 1 %}".repeat(50_000));
    refused(&format!("{{% for {}a{} in b %}}{{% endfor %}}", "(".repeat(100_000), ")".repeat(100_000)));
    refused("{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}");
}

#[test]
fn cycles_cannot_be_made() {
    for source in [
        "{% set ns = namespace() %}{% set ns.x = ns %}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}",
        "{% set ns = namespace() %}{{ {'a': ns} }}",
        "{% set a = namespace() %}{% set b = namespace(a=a) %}",
    ] {
        assert!(render(source).unwrap_err().to_string().contains("cannot be part"), "{source}");
    }
}

/// Every prefix of a real template is a template or an error, and so is one with a piece left out.
#[test]
fn broken_templates_are_errors() {
    for entry in std::fs::read_dir(fixture("templates")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for (at, _) in source.char_indices() {
            let _ = render(&source[..at]);
            let rest: String = source[at..].chars().skip(3).collect();
            let _ = render(&format!("{}{rest}", &source[..at]));
        }
    }
}

#[test]
fn errors_say_where() {
    let error = render("one\n{{ 1 +\n 'a' }}\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2 of the chat template: an int + a str has no meaning");
    let error = render("one\n\n{% nothing %}").unwrap_err();
    assert_eq!(error.to_string(), "line 3 of the chat template: the block \"nothing\" is not known here");
    assert_eq!(render("{{ raise_exception('no') }}").unwrap_err().to_string(), "the chat template refuses: no");
    assert!(matches!(render("{{ strftime_now('%Y') }}"), Err(ChatError::NoMoment { line: 1 })));
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn templates_come_from_the_files_of_a_checkpoint() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    let request = ChatRequest { messages: &messages, ..ChatRequest::default() };
    let settings = json!({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"});
    let one = folder(&[("tokenizer_config.json", &settings.to_string())]);
    assert_eq!(ChatTemplates::load(one.path()).unwrap().render(None, &request).unwrap(), "<b>hi<e>");
    // A file of its own goes first.
    let own =
        folder(&[("tokenizer_config.json", &settings.to_string()), ("chat_template.jinja", "own {{ bos_token }}\n")]);
    assert_eq!(ChatTemplates::load(own.path()).unwrap().render(None, &request).unwrap(), "own <b>");

    let named =
        json!({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]});
    let named = ChatTemplates::load(folder(&[("tokenizer_config.json", &named.to_string())]).path()).unwrap();
    assert_eq!(named.names().collect::<Vec<_>>(), ["default", "tool_use"]);
    assert_eq!(named.render(None, &request).unwrap(), "plain");
    assert_eq!(named.render(Some("tool_use"), &request).unwrap(), "tools");
    let tools = json!([]);
    assert_eq!(named.render(None, &ChatRequest { tools: Some(&tools), ..request }).unwrap(), "tools");
    let error = named.render(Some("other"), &request).unwrap_err().to_string();
    assert_eq!(error, "there is no chat template \"other\", only [\"default\", \"tool_use\"]");

    let load = |text: &str| ChatTemplates::load(folder(&[("tokenizer_config.json", text)]).path()).unwrap_err();
    assert!(matches!(load("{}"), ChatError::NoTemplate { .. }));
    assert!(matches!(load("{\"chat_template\": 3}"), ChatError::Invalid { .. }));
    assert!(matches!(load("{\"chat_template\": [{}]}"), ChatError::Invalid { .. }));
    assert!(matches!(load("{\"chat_template\": \"{{\"}"), ChatError::Syntax { .. }));
    assert!(matches!(load("{"), ChatError::Load(_)));
    assert!(matches!(ChatTemplates::load(Path::new("/nowhere")), Err(ChatError::Load(_))));
}
