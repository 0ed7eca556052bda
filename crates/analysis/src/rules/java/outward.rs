//! # `java/request-forged`, `java/log-lines`, `java/format-input`, `java/pattern-input` and their kin
//!
//! ## What it does
//!
//! Reports input that decides where the server connects to, what a log says, how a text is formatted, how much is allocated.
//!
//! ## Why this is bad
//!
//! The server can reach what the sender cannot.
//!
//! ## Example
//!
//! ```java
//! new URL(request.getParameter("image")).openStream();
//! ```
//!
//! ## Use instead
//!
//! ```java
//! new URL("https://images.example.com/" + id).openStream();
//! ```
//!
//! ## References
//!
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)
//! - [CWE-117](https://cwe.mitre.org/data/definitions/117.html)
//! - [CWE-134](https://cwe.mitre.org/data/definitions/134.html)
//! - [CWE-1333](https://cwe.mitre.org/data/definitions/1333.html)

use codeward_records::{Cwe, Level};

use super::{found, is_logger, outside};
use crate::flow::{Call, Classes, Operand, Shape};
use crate::regular;
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static FORGED: RuleInfo = RuleInfo {
    code: "CW-JAVA-918-1",
    name: "java/request-forged",
    cwe: &[Cwe(918)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The server connects to where input says",
    fix: "allow known hosts only",
    examples: &[Example {
        weak: "InputStream f(HttpServletRequest request) throws IOException {\n  URL url = new URL(request.getParameter(\"image\"));\n  return «url».openStream();\n}\n@GetMapping(\"/a\")\nString g(@RequestParam String url) {\n  return new RestTemplate().getForObject(«url», String.class);\n}\n",
        sound: "InputStream f(HttpServletRequest request) throws IOException {\n  URL url = new URL(\"https://images.example.com/\" + request.getParameter(\"image\"));\n  return url.openStream();\n}\n",
    }],
};

pub(super) static LOG: RuleInfo = RuleInfo {
    code: "CW-JAVA-117-1",
    name: "java/log-lines",
    cwe: &[Cwe(117), Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input with line ends writes lines of its own into the log",
    fix: "take the line ends out of it",
    examples: &[Example {
        weak: "void f(HttpServletRequest request) {\n  logger.info(\"login of \" + «request.getParameter(\"user\")»);\n}\n",
        sound: "void f(HttpServletRequest request) {\n  logger.info(\"login of \" + request.getParameter(\"user\").replaceAll(\"[\\r\\n]\", \"_\"));\n}\n",
    }],
};

pub(super) static FORMAT: RuleInfo = RuleInfo {
    code: "CW-JAVA-134-1",
    name: "java/format-input",
    cwe: &[Cwe(134)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Input is read as a format",
    fix: "use a fixed format with %s",
    examples: &[Example {
        weak: "String f(HttpServletRequest request, User user) {\n  return String.format(«request.getParameter(\"greeting\")», user);\n}\n",
        sound: "String f(HttpServletRequest request, User user) {\n  return String.format(\"%s %s\", request.getParameter(\"greeting\"), user);\n}\n",
    }],
};

pub(super) static PATTERN: RuleInfo = RuleInfo {
    code: "CW-JAVA-1333-1",
    name: "java/pattern-input",
    cwe: &[Cwe(1333), Cwe(400)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Input is read as a regular expression",
    fix: "quote it with Pattern.quote",
    examples: &[Example {
        weak: "boolean f(HttpServletRequest request, String text) {\n  return Pattern.compile(«request.getParameter(\"filter\")»).matcher(text).find();\n}\n",
        sound: "boolean f(HttpServletRequest request, String text) {\n  return Pattern.compile(Pattern.quote(request.getParameter(\"filter\"))).matcher(text).find();\n}\n",
    }],
};

pub(super) static BACKTRACKING: RuleInfo = RuleInfo {
    code: "CW-JAVA-1333-2",
    name: "java/pattern-backtracking",
    cwe: &[Cwe(1333)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A regular expression may take for ever on some texts",
    fix: "take out the repetition inside the repetition",
    examples: &[Example {
        weak: "boolean f(String text) {\n  return text.matches(«\"(a+)+b\"»);\n}\n",
        sound: "boolean f(String text) {\n  return text.matches(\"a+b\");\n}\n",
    }],
};

pub(super) static ALLOCATION: RuleInfo = RuleInfo {
    code: "CW-JAVA-789-1",
    name: "java/size-input",
    cwe: &[Cwe(789), Cwe(770)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Input says how much memory is taken",
    fix: "compare it with a limit first",
    examples: &[Example {
        weak: "byte[] f(HttpServletRequest request) {\n  int size = Integer.parseInt(request.getParameter(\"size\"));\n  return new byte[«size»];\n}\n",
        sound: "byte[] f(HttpServletRequest request) {\n  int size = Integer.parseInt(request.getParameter(\"size\"));\n  if (size < 0 || size > 4096) {\n    throw new IllegalArgumentException();\n  }\n  return new byte[size];\n}\n",
    }],
};

pub(super) static SETTING: RuleInfo = RuleInfo {
    code: "CW-JAVA-015-1",
    name: "java/setting-input",
    cwe: &[Cwe(15)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Input changes a setting of the system",
    fix: "allow known values only",
    examples: &[Example {
        weak: "void f(HttpServletRequest request, Connection connection) throws SQLException {\n  connection.setCatalog(«request.getParameter(\"catalog\")»);\n  System.setProperty(«request.getParameter(\"name\")», \"on\");\n}\n",
        sound: "void f(Connection connection) throws SQLException {\n  connection.setCatalog(\"main\");\n}\n",
    }],
};

pub(super) static DOWNLOAD: RuleInfo = RuleInfo {
    code: "CW-JAVA-494-1",
    name: "java/code-downloaded",
    cwe: &[Cwe(494), Cwe(829)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Classes are loaded over a connection that anyone can change",
    fix: "load them over https and check their signature",
    examples: &[Example {
        weak: "ClassLoader f() throws Exception {\n  return new URLClassLoader(«new URL[] {new URL(\"http://example.com/plugin.jar\")}»);\n}\n",
        sound: "ClassLoader f(File plugin) throws Exception {\n  return new URLClassLoader(new URL[] {plugin.toURI().toURL()});\n}\n",
    }],
};

pub(super) static INDEX: RuleInfo = RuleInfo {
    code: "CW-JAVA-129-1",
    name: "java/index-input",
    cwe: &[Cwe(129)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is an index that was not compared with the length",
    fix: "compare it with both ends first",
    examples: &[Example {
        weak: "String f(HttpServletRequest request, String[] names) {\n  int at = Integer.parseInt(request.getParameter(\"at\"));\n  return names[«at»];\n}\n",
        sound: "String f(HttpServletRequest request, String[] names) {\n  int at = Integer.parseInt(request.getParameter(\"at\"));\n  if (at < 0 || at >= names.length) {\n    return null;\n  }\n  return names[at];\n}\n",
    }],
};

/// Calls that connect to the address that they are given first.
const CONNECTING: &[&str] = &[
    "RestTemplate().getForObject",
    "RestTemplate().getForEntity",
    "RestTemplate().postForObject",
    "RestTemplate().postForEntity",
    "RestTemplate().exchange",
    "RestTemplate().execute",
    "RestTemplate().put",
    "RestTemplate().delete",
    "Jsoup.connect",
    "new HttpGet",
    "new HttpPost",
    "new HttpPut",
    "new HttpDelete",
    "HttpRequest.newBuilder",
    "Request.get",
    "Request.Get",
    "Request.Post",
    "new GetMethod",
    "new PostMethod",
    "new Socket",
    "ImageIO.read",
    "IOUtils.toString",
    "IOUtils.toByteArray",
    "WebClient.create",
    "new InetSocketAddress",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    connections(call, report);
    if is_logger(call) {
        for operand in &call.positional {
            let value = call.live(&operand.value);
            if let Some((hole, span, _)) = culpable_hole(&value, operand.span, Classes::LINE_FEED)
                && let Some(taint) = outside(&hole, Classes::LINE_FEED)
            {
                found(&LOG, span, Some(taint), report);
            }
        }
    }
    let template = match (call.path, call.method) {
        ("String.format" | "System.out.format", _) | (_, "printf") => call.first(),
        (_, "formatted") => call.receiver.as_ref(),
        _ => None,
    };
    input(call, template, Classes::FORMAT, &FORMAT, report);
    patterns(call, report);
    match call.path {
        "new byte[]"
        | "new char[]"
        | "new int[]"
        | "new String[]"
        | "new long[]"
        | "new Object[]"
        | "new ArrayList"
        | "new HashMap"
        | "new StringBuilder"
        | "ByteBuffer.allocate" => {
            input(call, call.first(), Classes::SIZE, &ALLOCATION, report);
        }
        "System.setProperty" | "Connection().setCatalog" | "System.load" | "System.loadLibrary" => {
            input(call, call.first(), Classes::SHELL | Classes::NAME, &SETTING, report);
        }
        "new URLClassLoader" => {
            if let Some(urls) = call.first() {
                let is_open = urls.value.items().iter().any(|url| match &url.shape {
                    Shape::Called { positional, .. } => {
                        positional.first().and_then(|text| text.text()).is_some_and(|text| text.starts_with("http://"))
                    }
                    _ => false,
                });
                if is_open || outside(&urls.value, Classes::HOST).is_some() {
                    found(&DOWNLOAD, urls.span, None, report);
                }
            }
        }
        _ => {}
    }
}

/// Input from outside in one argument.
fn input(
    call: &Call<'_>,
    operand: Option<&Operand>,
    classes: Classes,
    rule: &'static RuleInfo,
    report: &mut Report<'_>,
) {
    let Some(operand) = operand else { return };
    let value = call.live(&operand.value);
    let is_number =
        rule.name == ALLOCATION.name && !value.path_text().contains("parse") && value.is_tainted(Classes::SQL);
    if let Some(taint) = outside(&value, classes).filter(|_| !is_number) {
        found(rule, operand.span, Some(taint), report);
    }
}

fn connections(call: &Call<'_>, report: &mut Report<'_>) {
    let is_url = matches!(call.path, "URL().openConnection" | "URL().openStream" | "URL().getContent");
    let target = match (&call.receiver, is_url) {
        (Some(receiver), true) => Some(receiver),
        _ if call.is(CONNECTING) => call.first(),
        (Some(receiver), _) if call.method == "uri" && receiver.value.path_text().contains("newBuilder") => {
            call.first()
        }
        (Some(receiver), _) if call.method == "url" && receiver.value.path_text().contains("Builder") => call.first(),
        (Some(receiver), _) if call.method == "uri" && receiver.value.path_text().contains("WebClient") => call.first(),
        _ => None,
    };
    let Some(target) = target else { return };
    let value = call.live(&target.value);
    if let Some((hole, span, _)) = culpable_hole(&value, target.span, Classes::REQUEST_HOST)
        && let Some(taint) = outside(&hole, Classes::REQUEST_HOST)
    {
        found(&FORGED, span, Some(taint), report);
    }
}

fn patterns(call: &Call<'_>, report: &mut Report<'_>) {
    let (pattern, text) = match (call.path, call.method, call.positional.as_slice()) {
        ("Pattern.compile", _, [pattern, ..]) => (pattern, None),
        ("Pattern.matches", _, [pattern, text]) => (pattern, Some(text)),
        (_, "matches" | "replaceAll" | "replaceFirst" | "split", [pattern, ..]) => (pattern, call.receiver.as_ref()),
        (_, "matcher", [text]) => {
            let Some(receiver) = &call.receiver else { return };
            let Shape::Called { positional, .. } = &receiver.value.shape else { return };
            let Some(pattern) = positional.first() else { return };
            explode(call, &Operand { value: pattern.clone(), span: receiver.span }, Some(text), report);
            return;
        }
        _ => return,
    };
    let is_plain_split = call.method == "split" && pattern.value.taints.is_empty() && pattern.value.text().is_none();
    if !is_plain_split {
        input(call, Some(pattern), Classes::PATTERN, &PATTERN, report);
        explode(call, pattern, text, report);
    }
}

fn explode(call: &Call<'_>, pattern: &Operand, text: Option<&Operand>, report: &mut Report<'_>) {
    let Some(text) = text else { return };
    let text = call.live(&text.value);
    let is_short = text.taint(Classes::SIZE).is_none();
    if let Some(taint) = text.taint(Classes::BACKTRACKING)
        && !is_short
        && pattern.value.text().and_then(regular::parse).is_some_and(|regular| regular.can_explode())
    {
        found(&BACKTRACKING, pattern.span, Some(taint), report);
    }
}

/// `base[index]`.
pub(super) fn subscript(index: &Operand, report: &mut Report<'_>) {
    if let Some(taint) = outside(&index.value, Classes::SIZE)
        && index.value.path_text().contains("parse")
    {
        found(&INDEX, index.span, Some(taint), report);
    }
}
