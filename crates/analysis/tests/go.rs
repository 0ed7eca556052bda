//! Go as a whole: ordinary files are read to their end, broken ones are said to be broken, hostile ones do no harm.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use codeward_analysis::{Analysis, Language, State, analyse};

fn read(source: &str) -> Analysis {
    analyse(Language::Go, source).unwrap()
}

/// The findings as pairs of rule and text.
fn found(source: &str) -> Vec<(String, String)> {
    let findings = read(source).findings.into_iter();
    findings.map(|finding| (finding.rule, source[finding.start_byte..finding.end_byte].to_owned())).collect()
}

const SERVICE: &str = r#"// Package shop sells things.
package shop

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	cmd "os/exec"
	"sync"
)

type Item[T any] struct {
	Name  string `json:"name"`
	Value T
}

type Store interface {
	Find(ctx context.Context, name string) (*Item[int], error)
}

const (
	first = iota
	second
)

var (
	lock  sync.Mutex
	names = map[string]int{"a": first, "b": second}
	pairs = []struct{ A, B int }{{1, 2}, {A: 3}}
)

type Server struct {
	db *sql.DB
}

func Map[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

func (s *Server) find(name string) (count int, err error) {
	row := s.db.QueryRow("SELECT count(*) FROM items WHERE name = '" + name + "'")
	err = row.Scan(&count)
	return
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if problem := recover(); problem != nil {
			log.Println("failed")
		}
	}()
	done := make(chan struct{})
	go func(name string) {
		cmd.Command("sh", "-c", "echo "+name).Run()
		close(done)
	}(r.FormValue("name"))
	select {
	case <-done:
	case <-r.Context().Done():
		return
	}
outer:
	for i := 0; i < 3; i++ {
		for range names {
			continue outer
		}
	}
	switch kind := r.Method; {
	case kind == "GET":
		fallthrough
	case kind == "POST", kind == "PUT":
		fmt.Fprintf(w, "<b>%s</b>", r.URL.Path)
	default:
		http.Error(w, "no", http.StatusMethodNotAllowed)
	}
	var any interface{} = pairs
	switch value := any.(type) {
	case nil:
	case []int:
		_ = value[1:2:3]
	}
}
"#;

#[test]
fn an_ordinary_file_is_read_to_its_end() {
    let analysis = read(SERVICE);
    assert_eq!(analysis.syntax_error, None);
    let found = found(SERVICE);
    let pairs: Vec<_> = found.iter().map(|(rule, text)| (rule.as_str(), text.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("go/sql-string-built", "\"SELECT count(*) FROM items WHERE name = '\" + name + \"'\""),
            ("go/shell-command", "\"echo \"+name"),
            ("go/html-response", "r.URL.Path"),
        ]
    );
}

#[test]
fn a_lone_function_is_read_as_if_the_usual_imports_were_there() {
    let source = "func f(host string) error {\n\treturn exec.Command(\"bash\", \"-c\", host).Run()\n}\n";
    assert_eq!(found(source), [("go/shell-command".to_owned(), "host".to_owned())]);
}

#[test]
fn imports_name_packages_and_not_their_last_word() {
    let secure = "package p\nimport \"crypto/rand\"\nfunc token(b []byte) {\n\trand.Read(b)\n}\n";
    let weak = "package p\nimport \"math/rand\"\nfunc token(b []byte) {\n\trand.Read(b)\n}\n";
    let local = "package p\nfunc token(exec runner, name string) {\n\texec.Command(\"sh\", \"-c\", name)\n}\n";
    assert_eq!(found(secure), []);
    assert_eq!(found(weak), [("go/weak-random".to_owned(), "rand.Read".to_owned())]);
    assert_eq!(found(local), []);
}

#[test]
fn what_an_error_rules_out_is_known_where_there_is_none() {
    let checked = "func check(name string) error {\n\tif !regexp.MustCompile(`^[a-z]+$`).MatchString(name) {\n\t\treturn errors.New(\"bad\")\n\t}\n\treturn nil\n}\n";
    let before = "func f(name string) {\n\tif err := check(name); err != nil {\n\t\treturn\n\t}\n\texec.Command(\"sh\", \"-c\", name).Run()\n}\n";
    let without = "func f(name string) {\n\texec.Command(\"sh\", \"-c\", name).Run()\n}\n";
    assert_eq!(found(&format!("{checked}{before}")), []);
    assert_eq!(found(&format!("{checked}{without}")).len(), 1);
}

#[test]
fn broken_text_is_said_to_be_broken() {
    for source in
        ["func f( {\n", "package p\nfunc f() {\n\tif x {\n", "def f():\n    return 1\n", "func f() { return ) }\n"]
    {
        assert_eq!(read(source).state(), State::NotParseable, "{source}");
    }
    assert_eq!(read("// nothing\n").state(), State::Nothing);
}

#[test]
fn hostile_nesting_neither_crashes_nor_stalls() {
    let nested = |open: &str, close: &str, count: usize| format!("{}{}", open.repeat(count), close.repeat(count));
    let sources = [
        format!("func f() int {{ return {}1{} }}", "(".repeat(5000), ")".repeat(5000)),
        format!("func f() {{ {} }}", nested("{", "}", 5000)),
        format!("func f() {{ {} }}", nested("if a { ", "}", 3000)),
        format!("func f() {{ if a {{}} {} }}", "else if b := c; b {} ".repeat(2000)),
        format!("var x = {}", nested("func() { return ", "}", 2000)),
        format!("var x = {}", nested("[]T{", "}", 5000)),
        format!("var x = a{}", ".b()".repeat(8000)),
        format!("var x = {}1", "-".repeat(5000)),
    ];
    let reader = std::thread::Builder::new().stack_size(2 << 20);
    let handle = reader.spawn(move || {
        for source in &sources {
            // One of our limits, or an analysis: both are answers.
            let _ = analyse(Language::Go, source);
        }
    });
    handle.unwrap().join().unwrap();
}
