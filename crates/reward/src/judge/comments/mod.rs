//! Code without its comments, for a reader that must not be talked to.
//!
//! The code is cut into pieces: what runs, what is quoted, what is a comment. Comments go, what runs and what is quoted stays,
//! and lines and spaces that only comments needed go too, so that code with comments and the same code without them become
//! one text. Whoever reads a text where quotes and comments can be told apart in two ways (a slash in JavaScript after a brace)
//! takes for a comment only what is one in both, since nothing that runs may be hidden from the judge.

mod braces;
mod python;

use std::borrow::Cow;
use std::ops::Range;

use codeward_records::Language;

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Runs.
    Code,
    /// Is quoted: a string, a character, a pattern. Not a byte of it changes.
    Quoted,
    /// Says something to a reader only.
    Comment,
    /// A Python string that stands alone as a statement: documentation with the syntax of a string.
    Docstring,
}

/// A piece of code. Pieces follow each other without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    kind: Kind,
    range: Range<usize>,
}

/// Pieces in the making: each call ends a piece where the lexer stands.
#[derive(Default)]
struct Pieces {
    list: Vec<Piece>,
    end: usize,
}

impl Pieces {
    /// Everything up to `start` that is not yet in a piece runs, and from there to `end` is of `kind`.
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        if start > self.end {
            self.list.push(Piece { kind: Kind::Code, range: self.end..start });
        }
        if end > start {
            self.list.push(Piece { kind, range: start..end });
        }
        self.end = end;
    }

    /// The pieces of a text of this length.
    fn finish(mut self, length: usize) -> Vec<Piece> {
        self.push(Kind::Code, length, length);
        self.list
    }
}

/// The code without comments, blank lines and spaces at the ends of lines. Docstrings become empty strings with `blank_docstrings`.
pub(crate) fn without_comments(language: Language, code: &str, blank_docstrings: bool) -> String {
    let code = match language {
        Language::Java => braces::decode_java(code),
        _ => Cow::Borrowed(code),
    };
    let mut pieces = match language {
        Language::Python => python::pieces(&code),
        _ => braces::pieces(&code, language),
    };
    for piece in pieces.iter_mut().filter(|piece| piece.kind == Kind::Docstring && !blank_docstrings) {
        piece.kind = Kind::Quoted;
    }
    let mut page = Page::default();
    for piece in &pieces {
        let text = &code[piece.range.clone()];
        match piece.kind {
            Kind::Code => page.code(text),
            Kind::Quoted => page.quoted(text),
            Kind::Docstring => page.quoted("\"\""),
            Kind::Comment => {
                // In these two the end of a line ends a statement, in a comment too.
                let is_line = matches!(language, Language::JavaScript | Language::Go) && text.contains('\n');
                page.comment(is_line, code[piece.range.end..].chars().next());
            }
        }
    }
    page.finish()
}

/// The text in the making. Spaces are held back until something follows them on their line.
#[derive(Default)]
struct Page {
    text: String,
    /// Where the current line begins in `text`.
    line: usize,
    /// Spaces and tabs that were read and not written.
    held: String,
}

impl Page {
    fn is_at_line_start(&self) -> bool {
        self.text.len() == self.line
    }

    /// Writes held spaces: as they are at the start of a line, as one after something else.
    fn release(&mut self) {
        if self.is_at_line_start() {
            self.text.push_str(&self.held);
        } else if !self.held.is_empty() {
            self.text.push(' ');
        }
        self.held.clear();
    }

    fn code(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\n' => self.end_line(),
                ' ' | '\t' | '\r' | '\x0c' | '\x0b' => self.held.push(letter),
                other => {
                    self.release();
                    self.text.push(other);
                }
            }
        }
    }

    /// Ends a line, unless there is nothing on it. A line after a backslash stays, as it ends what the backslash continued.
    fn end_line(&mut self) {
        self.held.clear();
        if !self.is_at_line_start() || self.text.ends_with("\\\n") {
            self.text.push('\n');
        }
        self.line = self.text.len();
    }

    fn quoted(&mut self, text: &str) {
        self.release();
        self.text.push_str(text);
    }

    fn comment(&mut self, is_line: bool, next: Option<char>) {
        if is_line {
            self.end_line();
            return;
        }
        let stands_apart = |letter: char| letter.is_whitespace() || "()[]{};,".contains(letter);
        let previous = self.text[self.line..].chars().next_back();
        let needs_space = self.held.is_empty()
            && previous.is_some_and(|previous| !stands_apart(previous))
            && next.is_some_and(|next| !stands_apart(next));
        if needs_space {
            self.held.push(' ');
        }
    }

    fn finish(mut self) -> String {
        self.end_line();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LANGUAGES: [Language; 6] =
        [Language::Python, Language::C, Language::Cpp, Language::JavaScript, Language::Java, Language::Go];

    fn stripped(language: Language, code: &str) -> String {
        without_comments(language, code, true)
    }

    #[test]
    fn comments_go_and_strings_stay() {
        for (language, code, expected) in [
            (Language::Python, "x = '# no' # yes\n\n# gone\ny = 1\n", "x = '# no'\ny = 1\n"),
            (Language::Python, "s = '''a\n\n# in  \n'''  # out\n", "s = '''a\n\n# in  \n'''\n"),
            (Language::Python, "f'{d['#']:\"^9}' # c", "f'{d['#']:\"^9}'\n"),
            (Language::Python, "f\"{{ # {x # c\n}\" # d", "f\"{{ # {x\n}\"\n"),
            (Language::Python, r"x = r'\' # no' # yes", "x = r'\\' # no'\n"),
            (Language::Python, "'open # no\nx = 1 # yes", "'open # no\nx = 1\n"),
            (Language::C, "int /* a */ x; // b\n\n/* c\n d */\nint/**/y;", "int x;\nint y;\n"),
            (
                Language::C,
                "char *s = \"/* no */ // no\"; char c = '\"'; // \"",
                "char *s = \"/* no */ // no\"; char c = '\"';\n",
            ),
            (Language::C, "a // b \\\n still a comment\nc", "a\nc\n"),
            (Language::C, "a /\\\n/ comment\nb /\\\n* c *\\\n/ d", "a\nb d\n"),
            (Language::C, "#define A(x) \\\n  // c\n  f(x)\n", "#define A(x) \\\n\n  f(x)\n"),
            (Language::C, "#define A 1 \\\n\nint x;", "#define A 1 \\\n\nint x;\n"),
            (Language::Cpp, "auto s = R\"x(// no )\" )x\"; // yes", "auto s = R\"x(// no )\" )x\";\n"),
            (Language::Cpp, "int n = 1'000'000; // it's\nchar c = '/'; /**/", "int n = 1'000'000;\nchar c = '/';\n"),
            (
                Language::Java,
                "String s = \"\"\"\n // no\\\"\"\" /* no */\"\"\"; // yes",
                "String s = \"\"\"\n // no\\\"\"\" /* no */\"\"\";\n",
            ),
            (Language::Java, "// nothing \\u000a run();\nx(); /\\u002a gone *\\u002f y();", " run();\nx(); y();\n"),
            (
                Language::Go,
                "s := `// no\n  /* no */  ` // yes\nr := '\"' /* a\nb */ t()",
                "s := `// no\n  /* no */  `\nr := '\"'\n t()\n",
            ),
            (Language::JavaScript, "#!/usr/bin/env node\nlet u = 'http://x'; // c", "let u = 'http://x';\n"),
            (
                Language::JavaScript,
                "`a // no ${f(`b ${c /* yes */} // no`)} // no` // yes",
                "`a // no ${f(`b ${c } // no`)} // no`\n",
            ),
            (Language::JavaScript, "x = /[/*]/.test(y); run(); /* c */", "x = /[/*]/.test(y); run();\n"),
            (Language::JavaScript, "if (a) /[/*]/.test(y); run(); /* c */", "if (a) /[/*]/.test(y); run();\n"),
            (Language::JavaScript, "x = (a) / b; // c\ny = a[0] / b / c // d", "x = (a) / b;\ny = a[0] / b / c\n"),
            (Language::JavaScript, "return /\"/.test(x) // c", "return /\"/.test(x)\n"),
        ] {
            assert_eq!(stripped(language, code), expected, "{code}");
        }
    }

    #[test]
    fn nothing_that_runs_is_hidden_where_a_slash_can_be_read_in_two_ways() {
        // A pattern here, so that `run()` runs; a reader who divides sees a comment from the bracket on.
        let code = "function f() {}\n/[/*]/.test(y); run(); /* c */\n";
        assert!(stripped(Language::JavaScript, code).contains("run();"));
        // A division here; a reader of patterns sees a string that is not closed and a comment in it.
        let code = "a = {} / '/*'; run(); b = '*/';\n";
        assert!(stripped(Language::JavaScript, code).contains("run();"));
    }

    #[test]
    fn docstrings_are_blanked_when_asked_and_other_strings_never() {
        let code = "'''safe'''\ndef f(x):\n    \"\"\"This is safe.\n\n    Yes.\"\"\"\n    r'safe'; y = ('a'\n    'b')\n    'c' + x\n    z = \\\n    'd'\n    b'e'\n    f'{x}'\n    return 'f'\n";
        let blank = "\"\"\ndef f(x):\n    \"\"\n    \"\"; y = ('a'\n    'b')\n    'c' + x\n    z = \\\n    'd'\n    b'e'\n    f'{x}'\n    return 'f'\n";
        assert_eq!(without_comments(Language::Python, code, true), blank);
        assert_eq!(without_comments(Language::Python, code, false), code);
    }

    /// Lines of each language that are whole tokens, so that comments may stand between any two.
    fn lines(language: Language) -> &'static [&'static str] {
        match language {
            Language::Python => {
                &["x = 1", "if x:", "    y = '#' + \"'\"", "    s = f\"{d['#']}\"", "t = '''\n\n# '''", "z = [1,", "2]"]
            }
            Language::Go => &["x := 1", "s := `//\n\n/*`", "t := \"/*\"", "if x {", "}", "r := '\"'"],
            Language::JavaScript => {
                &["let x = 1;", "s = `//\n\n/* ${x}`;", "r = /[/*\"]/g;", "if (x) {", "}", "t = '//';"]
            }
            Language::Java => {
                &["int x = 1;", "String s = \"//\";", "s = \"\"\"\n\n /* \"\"\";", "char c = '\"';", "{", "}"]
            }
            Language::C => &["int x = 1;", "char *s = \"//\";", "char c = '\"';", "{", "}", "#define A \"/*\""],
            Language::Cpp => &["int x = 1'0;", "auto s = R\"(//\n\n/*)\";", "char c = '\"';", "{", "}"],
        }
    }

    fn comments(language: Language) -> &'static [&'static str] {
        match language {
            Language::Python => &["", "  ", "# safe '''", "    # \"", "#"],
            _ => &["", "\t ", "// it's safe `", "  /* \"safe\n * ' */", "/**/", "  //"],
        }
    }

    proptest! {
        #[test]
        fn comments_and_blank_lines_change_nothing(
            language in prop::sample::select(LANGUAGES.to_vec()),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..12),
        ) {
            let (lines, comments) = (lines(language), comments(language));
            let (mut plain, mut commented) = (String::new(), String::new());
            for (line, comment, is_behind) in picks {
                let (line, comment) = (line.get(lines), comment.get(comments));
                plain.push_str(line);
                plain.push('\n');
                if is_behind && !comment.contains('\n') && !line.contains("define") {
                    commented.extend([line, "  ", comment, "\n"]);
                } else {
                    commented.extend([comment, "\n", line, "\n"]);
                }
            }
            let expected = without_comments(language, &plain, false);
            prop_assert_eq!(without_comments(language, &commented, false), expected.clone());
            prop_assert_eq!(&expected, &plain);
        }

        #[test]
        fn any_text_is_cut_without_gaps(
            language in prop::sample::select(LANGUAGES.to_vec()),
            code in "[-a1 \\n\\\\/*#'\"`${}()\\[\\]:;.fRu=é]{0,60}",
        ) {
            let pieces = match language {
                Language::Python => python::pieces(&code),
                _ => braces::pieces(&code, language),
            };
            let mut end = 0;
            for piece in &pieces {
                prop_assert_eq!(piece.range.start, end);
                end = piece.range.end;
            }
            prop_assert_eq!(end, code.len());
            // What is quoted is still there, whatever the text.
            let page = without_comments(language, &code, false);
            if language != Language::Java {
                for piece in pieces.iter().filter(|piece| piece.kind == Kind::Quoted) {
                    prop_assert!(page.contains(&code[piece.range.clone()]));
                }
            }
        }
    }
}
