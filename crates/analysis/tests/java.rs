//! Java: what is read, what is not, and where findings stand in a method without its class.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use codeward_analysis::{Analysis, Content, Language, analyse};
use proptest::prelude::*;

fn read(source: &str) -> Analysis {
    analyse(Language::Java, source).unwrap()
}

/// The rules that find something, with the text that they found it in.
fn found(source: &str) -> Vec<(String, &str)> {
    let findings = read(source).findings.into_iter();
    findings.map(|finding| (finding.rule, &source[finding.start_byte..finding.end_byte])).collect()
}

const SHOP: &str = r#"
package com.example.shop;

import java.io.*;
import java.util.*;
import java.util.stream.Collectors;
import static java.util.Objects.requireNonNull;

/** A shop. */
@Service
public class Shop<T extends Comparable<T>> implements Closeable, Iterable<T> {
    private static final Map<String, List<Integer>> STOCK = new HashMap<>();
    private final T[] items;
    protected volatile int count = 0, limit = 10;

    static { STOCK.put("a", List.of(1, 2, 3)); }

    public enum Kind { SMALL(1), LARGE(2) { @Override int size() { return 3; } }; private final int n; Kind(int n) { this.n = n; } int size() { return n; } }

    record Point(int x, int y) { Point { if (x < 0) throw new IllegalArgumentException("x"); } }

    @SafeVarargs
    public Shop(T... items) { super(); this.items = items; }

    @Override
    public Iterator<T> iterator() {
        return new Iterator<T>() {
            int at = 0;
            @Override public boolean hasNext() { return at < items.length; }
            @Override public T next() { return items[at++]; }
        };
    }

    int sum(Object value) throws IOException {
        int total = 0;
        outer:
        for (int i = 0, j = 1; i < 10; i++, j += 2) {
            do { total += j; if (total > 100) break outer; } while (total % 7 != 0);
        }
        for (final var entry : STOCK.entrySet()) { total ^= entry.getValue().size(); }
        switch (total) { case 1: case 2: total = 3; break; default: total = 4; }
        String name = switch (value) { case Integer n when n > 3 -> "int"; case String s -> s; default -> { yield "x"; } };
        if (value instanceof String text && !text.isEmpty()) { total += text.length(); }
        synchronized (this) { count = limit = total; }
        try (BufferedReader in = new BufferedReader(new FileReader("a")); in) { in.readLine(); }
        catch (FileNotFoundException | UncheckedIOException e) { throw new IOException(e); }
        finally { count--; }
        Runnable run = () -> { System.out.println(name); };
        Comparator<String> order = Comparator.comparing(String::length).thenComparing((a, b) -> a.compareTo(b));
        int[][] grid = new int[3][4]; int[] row = {1, 2}; grid[0] = new int[] {1};
        long big = 0xFFL + 0b11 + 017 + 1_000L; char c = '\u0041'; double d = 1e3 + .5f;
        String block = """
            text "quoted"
            """;
        return (int) big >>> 2 + (c == 'a' ? ~row[0] : -1);
    }

    @Override public void close() {}
}
"#;

#[test]
fn an_ordinary_file_is_read_to_its_end_and_has_no_finding() {
    let analysis = read(SHOP);
    assert_eq!(analysis.syntax_error, None);
    assert_eq!(analysis.content, Content::Functions);
    assert_eq!(found(SHOP), []);
}

#[test]
fn a_constructor_or_method_without_its_class_is_read_and_findings_stand_where_they_are_written() {
    let method = "private static byte[] f(byte[] data) throws Exception {\n  return MessageDigest.getInstance(\"MD5\").digest(data);\n}\n";
    assert_eq!(read(method).syntax_error, None);
    assert_eq!(found(method), [("java/weak-hash".to_owned(), "\"MD5\"")]);
    let constructor =
        "public Hasher(String kind) throws Exception {\n  this.digest = MessageDigest.getInstance(\"MD5\");\n}\n";
    assert_eq!(read(constructor).syntax_error, None);
    assert_eq!(found(constructor), [("java/weak-hash".to_owned(), "\"MD5\"")]);
    assert_eq!(read(constructor).findings[0].line, 2);
}

#[test]
fn broken_text_is_reported_where_it_breaks() {
    for broken in ["class A { void f( { } }", "int f() { return 1; ", "def f(): pass", "void f() { if (x { y(); } }"] {
        assert!(read(broken).syntax_error.is_some(), "{broken}");
    }
    let torn = "  return x;\n }\n}\nbyte[] f(byte[] d) throws Exception {\n  return MessageDigest.getInstance(\"MD5\").digest(d);\n}\n";
    assert!(read(torn).syntax_error.is_some());
    assert_eq!(found(torn), [("java/weak-hash".to_owned(), "\"MD5\"")]);
}

#[test]
fn deep_nesting_neither_overflows_nor_stalls() {
    let depth = 5_000;
    let parentheses = format!("int f(int x) {{ return {}x{}; }}", "(".repeat(depth), ")".repeat(depth));
    read(&parentheses);
    let sums = format!("String f(String x) {{ return x{}; }}", " + x".repeat(depth));
    assert_eq!(read(&sums).syntax_error, None);
    let blocks = format!("void f() {{ {} {} }}", "{".repeat(depth), "}".repeat(depth));
    assert!(read(&blocks).syntax_error.is_some());
    let calls = format!("Object f(Object x) {{ return x{}; }}", ".g()".repeat(depth));
    read(&calls);
}

#[test]
fn imports_decide_what_a_name_means() {
    let library = "import java.util.Random;\nclass A { int newToken() { return new Random().nextInt(); } }";
    let other = "import com.example.safe.Random;\nclass A { int newToken() { return new Random().nextInt(); } }";
    let own =
        "class Random { int nextInt() { return 4; } }\nclass A { int newToken() { return new Random().nextInt(); } }";
    assert_eq!(found(library).len(), 1);
    assert_eq!(found(other), []);
    assert_eq!(found(own), []);
}

#[test]
fn comments_that_suppress_are_ignored() {
    let quiet = "@SuppressWarnings(\"all\")\nbyte[] f(byte[] d) throws Exception {\n  return MessageDigest.getInstance(\"MD5\").digest(d); // NOSONAR NOLINT nosec\n}\n";
    assert_eq!(found(quiet).len(), 1);
}

#[test]
fn input_is_followed_through_fields_builders_and_methods_of_the_file() {
    let source = "class A extends HttpServlet {\n  private Connection connection;\n  private static final String START = \"SELECT * FROM users WHERE name = '\";\n  private String wrap(String name) {\n    StringBuilder text = new StringBuilder(START);\n    text.append(name).append(\"'\");\n    return text.toString();\n  }\n  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws Exception {\n    String name = request.getParameter(\"name\");\n    connection.createStatement().executeQuery(wrap(name));\n  }\n}\n";
    let rules: Vec<_> = found(source).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["java/sql-built"]);
}

#[test]
fn cut_programs_never_panic() {
    for end in (0..SHOP.len()).filter(|end| SHOP.is_char_boundary(*end)) {
        read(&SHOP[..end]);
        read(&SHOP[end..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_tokens_never_panic(picks in prop::collection::vec(0..TOKENS.len(), 0..60)) {
        let text: Vec<&str> = picks.into_iter().map(|pick| TOKENS[pick]).collect();
        read(&text.join(" "));
    }
}

const TOKENS: &[&str] = &[
    "class",
    "A",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    ".",
    "::",
    "->",
    "new",
    "int",
    "x",
    "=",
    "+=",
    "++",
    "\"s\"",
    "'c'",
    "1",
    "if",
    "else",
    "for",
    "while",
    "do",
    "switch",
    "case",
    "default",
    ":",
    "try",
    "catch",
    "finally",
    "return",
    "throw",
    "@B",
    "<",
    ">",
    "?",
    "&&",
    "!",
    "instanceof",
    "this",
    "super",
    "static",
    "final",
    "import",
    "enum",
    "record",
    "yield",
    "interface",
    "break",
    "synchronized",
    "String",
    "f",
    "null",
    "true",
    "-",
    "assert",
];
