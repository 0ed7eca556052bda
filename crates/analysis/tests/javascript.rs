//! JavaScript and TypeScript: what is read, what input goes through, and what must not stall.

use codeward_analysis::{AnalysisError, Content, Language, analyse};

/// The rules that find something, with the text they point at.
fn found(language: Language, source: &str) -> Vec<(String, String)> {
    let analysis = analyse(language, source).expect("the text is within the limits");
    let pointed = |start: usize, end: usize| source[start..end].to_owned();
    analysis
        .findings
        .into_iter()
        .map(|finding| (finding.rule.clone(), pointed(finding.start_byte, finding.end_byte)))
        .collect()
}

fn rules(source: &str) -> Vec<String> {
    found(Language::JavaScript, source).into_iter().map(|(rule, _)| rule).collect()
}

const SERVER: &str = r#"
'use strict';
const express = require('express');
const { readFile } = require('node:fs/promises');
import path, { join as joinPath } from 'path';
import * as util from 'util';

class Store extends Map {
  static #count = 0;
  name = 'store';
  constructor(items = [], ...rest) { super(items); this.rest = rest; }
  get size2() { return super.size ?? 0; }
  async *each() { for await (const item of this) yield* [item]; }
  ['computed'](x) { return x?.y?.[0]?.(); }
}

const app = express();
label: for (let i = 0, n = 10; i < n; i++) { if (i === 3) continue label; else break; }
do { var k = (k | 0) + 1; } while (k < 3);
switch (k) { case 1: case 2: k = 5; break; default: k = 6; }
const { a: { b = 1, ...others } = {}, [util.name]: c } = { a: { b: 2 } };
const [first, , third = 3, ...tail] = [1, 2];
[k, c.d] = [c, k];
app.get('/:id', async ({ params, query: { page } }, res, next) => {
  try { res.json(await readFile(joinPath('data', 'x'), 'utf8')); }
  catch { next(new Error(`no ${page}`)); }
  finally { console.error(`done ${tag`a${1}b`}`); }
});
const view = (items) => (<ul className="x" {...items}>{items.map((item) => <li key={item.id}>{item.name} &amp; more</li>)}<></></ul>);
module.exports = { app, view, Store, async run() {}, get x() { return 1; }, 'quoted-key': /[/\]]+/giu, 0x10: 1_000n };
"#;

const TYPED: &str = r"
import type { Request } from 'express';
import fs = require('fs');
export interface Item { readonly id: number; name?: string; [key: string]: unknown }
type Names<T extends Item = Item> = { [K in keyof T]: T[K] extends string ? K : never }[keyof T];
enum Level { Low = 1, High = Low << 2 }
declare function later(x: number): void;
namespace Inner { export const value = 1 as const; }
abstract class Base<T> implements Iterable<T> {
  private items: T[] = [];
  constructor(protected readonly name: string, public level?: Level) {}
  abstract run(this: Base<T>, item: T): Promise<void>;
  *[Symbol.iterator](): Iterator<T> { yield this.items[0]!; }
}
function isItem(x: unknown): x is Item { return (<Item>x).id !== undefined; }
export default async function <T>(list: Array<T>, make: (x: T) => string = String): Promise<string[]> {
  return list.map((x) => make(x satisfies T)) as string[];
}
";

#[test]
fn ordinary_files_are_in_their_language() {
    for (language, text) in [(Language::JavaScript, SERVER), (Language::TypeScript, TYPED)] {
        let analysis = analyse(language, text).expect("within the limits");
        assert_eq!((analysis.syntax_error, analysis.content), (None, Content::Functions), "{language}");
        assert_eq!(analysis.findings, []);
    }
}

#[test]
fn broken_text_is_reported_with_its_place_and_read_all_the_same() {
    let text = "function f(x) { eval(x); }\nfunction g( { return 1; }\n";
    let analysis = analyse(Language::JavaScript, text).expect("within the limits");
    assert_eq!(analysis.syntax_error.map(|error| error.line), Some(2));
    assert_eq!(analysis.findings.len(), 1);
}

#[test]
fn a_member_of_an_object_is_read_in_place() {
    let text = "  run: function(code) {\n    return eval(code);\n  },\n";
    let analysis = analyse(Language::JavaScript, text).expect("within the limits");
    assert!(analysis.syntax_error.is_some());
    let finding = &analysis.findings[0];
    assert_eq!((&text[finding.start_byte..finding.end_byte], finding.line, finding.column), ("code", 2, 17));
}

#[test]
fn modules_are_the_same_however_they_are_named() {
    for head in [
        "const cp = require('child_process'); const run = cp.exec;",
        "const { exec: run } = require('node:child_process');",
        "import { exec as run } from 'child_process';",
        "import cp from 'child_process'; const run = cp['exec'];",
        "const run = require('util').promisify(require('child_process').exec);",
    ] {
        let text = format!("{head}\nexport function f(name) {{ return run('ls ' + name); }}\n");
        assert_eq!(rules(&text), ["js/shell-command"], "{text}");
    }
}

#[test]
fn input_goes_through_functions_callbacks_and_patterns() {
    for body in [
        "const { cmd } = req.query; exec(cmd);",
        "const parts = [req.body.a, 'b']; exec(parts.join(' '));",
        "exec(['ls'].concat(req.body.a).join(' '));",
        "let all = ''; req.body.names.forEach((name) => { all += ' ' + name; }); exec('ls' + all);",
        "new Promise((resolve) => exec(`ls ${req.params.id}`, resolve));",
        "Promise.resolve(req.query.a).then((value) => exec(value));",
        "const helper = (text) => `ls ${text.trim()}`; exec(helper(req.query.a));",
        "const options = {}; options.command = req.query.a; exec(options.command);",
        "exec(req.query.a || 'ls');",
        "(() => { exec(String(req.headers['x-cmd'])); })();",
    ] {
        let text =
            format!("const {{ exec }} = require('child_process');\nmodule.exports = (req, res) => {{ {body} }};\n");
        assert_eq!(rules(&text), ["js/shell-command"], "{text}");
    }
}

#[test]
fn checked_and_converted_input_is_harmless() {
    for body in [
        "if (!/^[a-z0-9]+$/.test(req.query.a)) return; exec('ls ' + req.query.a);",
        "const a = req.query.a; if (!['x', 'y'].includes(a)) { res.end(); return; } exec('ls ' + a);",
        "const a = req.query.a; if (['x', 'y'].indexOf(a) === -1) return; exec('ls ' + a);",
        "exec('kill ' + Number(req.query.a));",
        "exec('kill ' + parseInt(req.query.a, 10));",
        "exec('ls ' + (req.query.a === 'all' ? '-a' : '-l'));",
        "switch (req.query.a) { case 'one': case 'two': exec('ls ' + req.query.a); break; default: res.end(); }",
        "const table = { one: 'ls', two: 'pwd' }; exec(table[req.query.a]);",
        "const a = req.query.a.replace(/[^a-z]/g, ''); exec('ls ' + a);",
    ] {
        let text =
            format!("const {{ exec }} = require('child_process');\nmodule.exports = (req, res) => {{ {body} }};\n");
        assert_eq!(rules(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn types_and_decorators_tell_what_a_parameter_is() {
    let text = "class Files {\n  @Get() read(@Query('name') name: string) { return require(name); }\n}\n";
    assert_eq!(found(Language::TypeScript, text), [("js/module-from-input".to_owned(), "name".to_owned())]);
    let text = "import { query } from 'pg';\nexport const f = (db: Pool, id: number) => db.query(`SELECT * FROM t WHERE id = ${id}`);\n";
    assert_eq!(found(Language::TypeScript, text), []);
}

#[test]
fn comments_that_suppress_change_nothing() {
    let text =
        "/* eslint-disable */\nfunction f(x) {\n  // nosemgrep, NOSONAR\n  return eval(x); // eslint-disable-line\n}\n";
    assert_eq!(rules(text), ["js/eval"]);
}

#[test]
fn deep_and_long_text_comes_back() {
    let nested =
        |open: &str, close: &str, count: usize| format!("x = {}1{};\n", open.repeat(count), close.repeat(count));
    for text in [
        nested("(", ")", 5_000),
        nested("[", "]", 5_000),
        nested("{a:", "}", 5_000),
        nested("f(", ")", 5_000),
        nested("!", "", 30_000),
        nested("() => ", "", 5_000),
        nested("x ? y : ", "", 4_000),
        nested("<a>", "</a>", 3_000),
        nested("`${", "}`", 5_000),
        nested("function(){return ", "}", 2_000),
        format!("x = y{};\n", ".a".repeat(20_000)),
        format!("x = y{};\n", "()".repeat(20_000)),
        format!("x = 1{};\n", "+a".repeat(20_000)),
        format!("x = 1{};\n", "||a".repeat(15_000)),
        format!("{}x;\n", "if (x) {} else ".repeat(4_000)),
        format!("{}{}\n", "{".repeat(5_000), "}".repeat(5_000)),
        format!("{}x{} = y;\n", "[".repeat(3_000), "]".repeat(3_000)),
        format!("const {}x{} = y;\n", "{a:".repeat(3_000), "}".repeat(3_000)),
        format!("{}x;\n", "for (;;) ".repeat(5_000)),
        format!("{}1;\n", "x = ".repeat(10_000)),
        "function f(x) {\n".to_owned() + &"  x = x + 'a' + x;\n".repeat(1_000) + "}\n",
        "a.map(b => ".repeat(500) + "b" + &")".repeat(500),
        "class A { f(x) { return this.f(this.f(x)); } }\nfunction g(x) { return g(g(x)); }\n".to_owned(),
    ] {
        if let Err(error) = analyse(Language::JavaScript, &text) {
            assert!(matches!(error, AnalysisError::TooComplex { .. } | AnalysisError::ParseDeadline { .. }), "{error}");
        }
    }
}
