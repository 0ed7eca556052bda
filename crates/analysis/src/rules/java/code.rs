//! # `java/script-input` and its kin
//!
//! ## What it does
//!
//! Reports input that is run: as a script, an expression, a template, a filter of a directory, or the name of a class.
//!
//! ## Why this is bad
//!
//! Whoever writes the input writes the program.
//!
//! ## Example
//!
//! ```java
//! engine.eval(request.getParameter("rule"));
//! ```
//!
//! ## Use instead
//!
//! ```java
//! rules.get(request.getParameter("rule")).apply(order);
//! ```
//!
//! ## References
//!
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)
//! - [CWE-917](https://cwe.mitre.org/data/definitions/917.html)
//! - [CWE-470](https://cwe.mitre.org/data/definitions/470.html)
//! - [CWE-90](https://cwe.mitre.org/data/definitions/90.html)

use codeward_records::{Cwe, Level};

use super::{found, outside};
use crate::flow::{Call, Classes, Operand, Taint};
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static SCRIPT: RuleInfo = RuleInfo {
    code: "CW-JAVA-094-1",
    name: "java/script-input",
    cwe: &[Cwe(94), Cwe(95)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is run as a script",
    fix: "choose among scripts that are written here",
    examples: &[Example {
        weak: "Object f(ScriptEngine engine, HttpServletRequest request) throws Exception {\n  return engine.eval(«request.getParameter(\"rule\")»);\n}\n",
        sound: "Object f(ScriptEngine engine, HttpServletRequest request) throws Exception {\n  engine.put(\"name\", request.getParameter(\"name\"));\n  return engine.eval(\"greet(name)\");\n}\n",
    }],
};

pub(super) static EXPRESSION: RuleInfo = RuleInfo {
    code: "CW-JAVA-917-1",
    name: "java/expression-input",
    cwe: &[Cwe(917), Cwe(94)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is read as an expression that can call anything",
    fix: "pass it as a value of the expression, or evaluate in a context without methods",
    examples: &[Example {
        weak: "@GetMapping(\"/f\")\nObject f(@RequestParam String text) {\n  return new SpelExpressionParser().parseExpression(«text»).getValue();\n}\n",
        sound: "@GetMapping(\"/f\")\nObject f(@RequestParam String text) {\n  return new SpelExpressionParser().parseExpression(\"#name\").getValue(context(text));\n}\n",
    }],
};

pub(super) static TEMPLATE: RuleInfo = RuleInfo {
    code: "CW-JAVA-1336-1",
    name: "java/template-input",
    cwe: &[Cwe(1336), Cwe(94)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is read as a template",
    fix: "keep templates here and pass the input as a value",
    examples: &[Example {
        weak: "void f(HttpServletRequest request, VelocityContext context, Writer out) {\n  Velocity.evaluate(context, out, \"page\", «request.getParameter(\"body\")»);\n}\n",
        sound: "void f(HttpServletRequest request, VelocityContext context, Writer out) {\n  context.put(\"body\", request.getParameter(\"body\"));\n  Velocity.evaluate(context, out, \"page\", \"$body\");\n}\n",
    }],
};

pub(super) static CLASS: RuleInfo = RuleInfo {
    code: "CW-JAVA-470-1",
    name: "java/class-named-by-input",
    cwe: &[Cwe(470)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input names the class or method that is used",
    fix: "look it up in a table of those that are meant",
    examples: &[Example {
        weak: "@PostMapping(\"/run\")\nObject f(@RequestParam String name) throws Exception {\n  return Class.forName(«name»).getDeclaredConstructor().newInstance();\n}\n",
        sound: "@PostMapping(\"/run\")\nObject f(@RequestParam String name) throws Exception {\n  if (!Set.of(\"com.example.A\", \"com.example.B\").contains(name)) {\n    throw new IllegalArgumentException();\n  }\n  return Class.forName(name).getDeclaredConstructor().newInstance();\n}\n",
    }],
};

pub(super) static LDAP: RuleInfo = RuleInfo {
    code: "CW-JAVA-090-1",
    name: "java/ldap-filter",
    cwe: &[Cwe(90)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A filter of a directory is put together from input",
    fix: "pass the values as arguments of the filter",
    examples: &[Example {
        weak: "NamingEnumeration<?> f(DirContext directory, String name, SearchControls controls) throws Exception {\n  return directory.search(\"ou=people\", \"(uid=\" + «name» + \")\", controls);\n}\n",
        sound: "NamingEnumeration<?> f(DirContext directory, String name, SearchControls controls) throws Exception {\n  return directory.search(\"ou=people\", \"(uid={0})\", new Object[] {name}, controls);\n}\n",
    }],
};

pub(super) static LOOKUP: RuleInfo = RuleInfo {
    code: "CW-JAVA-074-1",
    name: "java/lookup-input",
    cwe: &[Cwe(74), Cwe(20)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input names what is looked up in a directory of objects",
    fix: "look up fixed names only",
    examples: &[Example {
        weak: "Object f(HttpServletRequest request) throws Exception {\n  InitialContext context = new InitialContext();\n  return context.lookup(«request.getParameter(\"name\")»);\n}\n",
        sound: "Object f() throws Exception {\n  InitialContext context = new InitialContext();\n  return context.lookup(\"java:comp/env/jdbc/main\");\n}\n",
    }],
};

pub(super) static DOCUMENT: RuleInfo = RuleInfo {
    code: "CW-JAVA-943-1",
    name: "java/document-query-built",
    cwe: &[Cwe(943)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A query of a document store is put together from input",
    fix: "use the methods that build queries from values",
    examples: &[Example {
        weak: "Document f(MongoCollection<Document> users, String name) {\n  return users.find(Document.parse(\"{name: '\" + «name» + \"'}\")).first();\n}\n",
        sound: "Document f(MongoCollection<Document> users, String name) {\n  return users.find(Filters.eq(\"name\", name)).first();\n}\n",
    }],
};

const SCRIPTS: &[&str] = &[
    "ScriptEngine().eval",
    "ScriptEngine().compile",
    "GroovyShell().evaluate",
    "GroovyShell().parse",
    "GroovyClassLoader().parseClass",
    "Interpreter().eval",
    "Eval.me",
    "GroovyShell().run",
    "engine.eval",
    "JexlEngine().createScript",
];

const EXPRESSIONS: &[&str] = &[
    "SpelExpressionParser().parseExpression",
    "ExpressionParser().parseExpression",
    "Ognl.getValue",
    "Ognl.setValue",
    "Ognl.parseExpression",
    "MVEL.eval",
    "MVEL.compileExpression",
    "MVEL.executeExpression",
    "ExpressionFactory().createValueExpression",
    "ExpressionFactory().createMethodExpression",
    "ELProcessor().eval",
    "JexlEngine().createExpression",
    "ELProcessor().getValue",
    "ConstraintValidatorContext().buildConstraintViolationWithTemplate",
    "parser.parseExpression",
];

const TEMPLATES: &[&str] = &[
    "Velocity.evaluate",
    "VelocityEngine().evaluate",
    "new Template",
    "TemplateEngine().process",
    "SpringTemplateEngine().process",
];

const CLASSES: &[&str] =
    &["Class.forName", "ClassLoader().loadClass", "Class().getMethod", "Class().getDeclaredMethod"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let first = call.first();
    if call.is(SCRIPTS) {
        run(call, first, Classes::CODE, &SCRIPT, report);
    } else if call.is(EXPRESSIONS) {
        run(call, first, Classes::CODE, &EXPRESSION, report);
    } else if call.is(TEMPLATES) {
        run(call, call.positional.last(), Classes::TEMPLATE, &TEMPLATE, report);
    } else if call.is(CLASSES) {
        run(call, first, Classes::NAME, &CLASS, report);
    } else if call.is(&[
        "InitialContext().lookup",
        "Context().lookup",
        "JndiTemplate().lookup",
        "InitialDirContext().lookup",
        "InitialContext.doLookup",
    ]) {
        run(call, first, Classes::HOST, &LOOKUP, report);
    } else if call.has_method(&["search"]) {
        for text in &call.positional {
            let value = call.live(&text.value);
            if let Some((hole, span, before)) = culpable_hole(&value, text.span, Classes::LDAP)
                && before.contains('(')
                && before.ends_with('=')
            {
                found(&LDAP, span, hole.taint(Classes::LDAP), report);
            }
        }
    } else if call.is(&["Document.parse", "BasicDBObject.parse", "BsonDocument.parse", "JSON.parse", "new BasicQuery"])
        && let Some(text) = first
    {
        let value = call.live(&text.value);
        if let Some((hole, span, before)) = culpable_hole(&value, text.span, Classes::OPERATOR | Classes::SQL)
            && before.trim_start().starts_with('{')
        {
            found(&DOCUMENT, span, hole.taint(Classes::ALL), report);
        }
    }
}

/// Input that is run: any from outside, and any at all between literal parts.
fn run(call: &Call<'_>, text: Option<&Operand>, classes: Classes, rule: &'static RuleInfo, report: &mut Report<'_>) {
    let Some(text) = text else { return };
    let value = call.live(&text.value);
    let Some((hole, span, before)) = culpable_hole(&value, text.span, classes) else { return };
    let taint: Option<&Taint> = outside(&hole, classes).or_else(|| hole.taint(classes).filter(|_| !before.is_empty()));
    if taint.is_some() {
        found(rule, span, taint, report);
    }
}
