//! Signs that several rules look for.

use crate::flow::{Call, Classes, Operand, Piece, Shape, SourceKind, ValueRef};
use crate::syntax::Span;

/// Words that say a value is a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "passcode",
    "pass",
];

/// Words that say a value must not be guessed.
const UNGUESSABLE_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "key",
    "code",
    "otp",
    "pin",
    "salt",
    "nonce",
    "session",
    "reset",
    "csrf",
    "credential",
    "voucher",
    "coupon",
    "invite",
    "captcha",
    "cookie",
    "iv",
    "license",
    "licence",
    "ticket",
    "apikey",
];

/// Words that a password goes by.
const PASSWORD_WORDS: &[&str] = &["password", "passwd", "pwd", "passphrase", "pass", "passcode"];

/// The words of a name in snake or camel case, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let lower = |word: &str| if word.is_ascii() { word.to_ascii_lowercase() } else { word.to_lowercase() };
    written_words(name).map(lower).collect()
}

/// The words of a name as they are written.
fn written_words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|letter: char| !letter.is_alphanumeric());
    parts.flat_map(humps)
}

/// The words of a part without separators: a capital after a small letter starts one.
fn humps(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let mut was_lower = false;
        let hump = |(_, letter): &(usize, char)| {
            let starts = was_lower && letter.is_uppercase();
            was_lower = letter.is_lowercase();
            starts
        };
        let end = rest.char_indices().find(hump).map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn has_word(name: &str, list: &[&str]) -> bool {
    written_words(name).any(|word| {
        if word.is_ascii() {
            list.iter().any(|known| known.eq_ignore_ascii_case(word))
        } else {
            list.contains(&word.to_lowercase().as_str())
        }
    })
}

/// Whether a name is that of a secret: `db_password`, `API_KEY`, `authToken`, but not `token_url` or `password_field`.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    if SECRET_WORDS.contains(&last.as_str()) {
        return true;
    }
    let is_key = |word: &str| matches!(word, "key" | "salt" | "pepper");
    let qualifier = [
        "api",
        "secret",
        "access",
        "private",
        "signing",
        "encryption",
        "auth",
        "hmac",
        "jwt",
        "aes",
        "crypto",
        "master",
    ];
    is_key(last) && words.iter().any(|word| qualifier.contains(&word.as_str()))
        || last == "id" && words.iter().any(|word| word == "secret")
}

/// Whether a name says that a value must not be guessed.
pub(super) fn must_be_unguessable(name: &str) -> bool {
    has_word(name, UNGUESSABLE_WORDS)
}

/// Whether a name is that of a password.
pub(super) fn is_password_name(name: &str) -> bool {
    has_word(name, PASSWORD_WORDS)
}

/// Whether a name is that of an address on the network.
pub(super) fn is_address_name(name: &str) -> bool {
    has_word(
        name,
        &[
            "url", "uri", "href", "link", "address", "endpoint", "webhook", "hook", "callback", "location", "source",
            "receiver", "site", "webpage",
        ],
    )
}

/// Whether a text reads as a statement of SQL.
pub(super) fn looks_like_sql(outline: &str) -> bool {
    let text = outline.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(').to_ascii_uppercase();
    let mut words = text.split_whitespace();
    let Some(verb) = words.next() else { return false };
    let has = |word: &str| text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|found| found == word);
    match verb {
        "SELECT" => has("FROM") || has("WHERE"),
        "INSERT" | "REPLACE" => has("INTO"),
        "UPDATE" => has("SET"),
        "DELETE" => has("FROM"),
        "CREATE" | "DROP" | "ALTER" | "TRUNCATE" => {
            ["TABLE", "INDEX", "VIEW", "DATABASE", "USER", "SCHEMA"].iter().any(|word| has(word))
        }
        "WITH" => has("SELECT"),
        "PRAGMA" | "ATTACH" => true,
        "GRANT" => has("ON"),
        _ => false,
    }
}

/// The first hole of a text whose input can do harm in these classes, with what stands before it.
pub(super) fn culpable_hole(text: &ValueRef, span: Span, classes: Classes) -> Option<(ValueRef, Span, String)> {
    let mut before = String::new();
    for piece in text.pieces(span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                if value.is_tainted(classes) {
                    return Some((value, span, before));
                }
                before.push('\0');
            }
        }
    }
    None
}

/// Whether a value is a parameter as it came, at most read as a path or stripped.
pub(super) fn is_parameter_itself(value: &ValueRef) -> bool {
    let mut value = value;
    loop {
        if value.taints.iter().any(|taint| taint.source.kind == SourceKind::Outside) {
            return false;
        }
        if value.taints.iter().any(|taint| taint.enters_as(value)) {
            return true;
        }
        match &value.shape {
            Shape::Called { receiver, positional, .. } => {
                let is_wrapper = matches!(
                    value.path_text(),
                    "pathlib.Path()"
                        | "os.path.realpath()"
                        | "os.path.abspath()"
                        | "os.path.expanduser()"
                        | "str()"
                        | "os.fspath()"
                        | "os.path.normpath()"
                        | "path/filepath.Clean()"
                        | "path/filepath.Abs()"
                        | "path/filepath.EvalSymlinks()"
                );
                match (is_wrapper, positional.as_ref(), receiver) {
                    (true, [only], _) => value = only,
                    (_, [], Some(receiver)) => value = receiver,
                    _ => return false,
                }
            }
            Shape::Attribute(owner, _) => value = owner,
            _ => return false,
        }
    }
}

/// The first argument, or the one under one of these keywords.
pub(super) fn subject<'a>(call: &'a Call<'_>, keywords: &[&str]) -> Option<&'a Operand> {
    keywords.iter().find_map(|keyword| call.keyword(keyword)).or_else(|| call.first())
}

/// Whether an argument is literally true, or not known to be false.
pub(super) fn may_be_true(operand: &Operand) -> bool {
    operand.value.constant.as_ref().is_none_or(crate::syntax::Constant::is_truthy)
}

/// Whether an argument is literally false, zero or none.
pub(super) fn is_literally_false(operand: &Operand) -> bool {
    operand.value.constant.as_ref().is_some_and(|constant| !constant.is_truthy())
}

/// Texts that stand where a secret is to go.
const PLACEHOLDERS: &[&str] =
    &["none", "null", "true", "false", "password", "secret", "token", "string", "str", "bearer", "basic"];

/// Whether a literal may be a secret: not empty, no sentence, no placeholder.
pub(super) fn is_secret_literal(value: &ValueRef, name: &str) -> bool {
    let Some(text) = value.characters() else { return false };
    let plain = text.trim().to_ascii_lowercase();
    plain.len() >= 3
        && !plain.contains(char::is_whitespace)
        && !plain.contains(['<', '{', '%', '/'])
        && !PLACEHOLDERS.contains(&plain.as_str())
        && plain != name.to_ascii_lowercase()
        && !is_secret_name(text)
}

/// Names of elements.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "article",
    "b",
    "blockquote",
    "body",
    "br",
    "button",
    "caption",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "label",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "script",
    "section",
    "select",
    "small",
    "span",
    "strong",
    "style",
    "table",
    "tbody",
    "td",
    "textarea",
    "th",
    "thead",
    "title",
    "tr",
    "u",
    "ul",
    "!doctype",
];

/// Whether a text holds a tag of HTML.
pub(super) fn has_tag(outline: &str) -> bool {
    // `(?P<name>` names a group of a regular expression.
    outline.replace("?P<", "").split('<').skip(1).any(|rest| {
        let name = rest.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '!').unwrap_or(name.len());
        name[end..].starts_with(['>', ' ', '/', '\n', '\t', '\0'])
            && TAGS.contains(&name[..end].to_ascii_lowercase().as_str())
    })
}

/// What a value can do harm with after this much of a page.
pub(super) fn needed_in_page(before: &str) -> Classes {
    let inside_tag = match (before.rfind('<'), before.rfind('>')) {
        (Some(open), Some(close)) => open > close,
        (open, _) => open.is_some(),
    };
    if !inside_tag {
        return Classes::HTML_TAG;
    }
    let tag = &before[before.rfind('<').unwrap_or(0)..];
    let is_open = |quote: char| tag.matches(quote).count() % 2 == 1;
    match (is_open('"'), is_open('\'')) {
        (true, _) => Classes::HTML_DOUBLE_QUOTE,
        (false, true) => Classes::HTML_SINGLE_QUOTE,
        _ => Classes::HTML,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_words() {
        assert_eq!(words("dbPassword_2"), ["db", "password", "2"]);
        assert_eq!(words("__HTTPServer.größeÄhnlich_"), ["httpserver", "größe", "ähnlich"]);
        assert!(words("._").is_empty() && has_word("x.dbPASSWORD", &["password"]) && has_word("straßeÖl", &["öl"]));
        assert!(is_secret_name("API_KEY") && is_secret_name("authToken") && is_secret_name("db_password"));
        assert!(!is_secret_name("token_url") && !is_secret_name("key") && !is_secret_name("passage"));
    }

    #[test]
    fn statements_of_sql_are_told_from_prose() {
        assert!(looks_like_sql("select * from t where a = \0") && looks_like_sql("  INSERT INTO t VALUES (\0)"));
        assert!(!looks_like_sql("select a colour, \0") && !looks_like_sql("Update: \0 done") && !looks_like_sql(""));
    }
}
