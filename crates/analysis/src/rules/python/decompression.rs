//! # `py/decompression-bomb`
//!
//! ## What it does
//!
//! Reports whole inputs decompressed at once, without a limit for the result.
//!
//! ## Why this is bad
//!
//! A kilobyte can decompress to a gigabyte.
//!
//! ## Example
//!
//! ```python
//! zlib.decompress(data)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! zlib.decompressobj().decompress(data, 1_000_000)
//! ```
//!
//! ## References
//!
//! - [CWE-409](https://cwe.mitre.org/data/definitions/409.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-409-1",
    name: "py/decompression-bomb",
    cwe: &[Cwe(409)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is decompressed without a limit",
    fix: "decompress with max_length= and stop at a limit on the whole",
    examples: &[Example {
        weak: "import zlib\ndef f(data):\n    return zlib.decompress(«data»)\n",
        sound: "import zlib\ndef f(data):\n    return zlib.decompressobj().decompress(data, 1000)\n",
    }],
};

const WHOLE: &[&str] =
    &["zlib.decompress", "gzip.decompress", "bz2.decompress", "lzma.decompress", "brotli.decompress"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message = "the result may be as large as the sender likes; decompress with a limit";
    let is_object = call.method == "decompress"
        && call.receiver.as_ref().is_some_and(|receiver| receiver.value.path_text().ends_with("compressobj()"));
    let is_unlimited = call.is(WHOLE) || is_object && call.argument(1, "max_length").is_none();
    if is_unlimited
        && let Some(data) = call.first()
        && let Some(taint) = call.live(&data.value).taint(Classes::SIZE)
    {
        report.add(&INFO, data.span, message, Some(taint));
    }
    let is_stream = call.has_method(&["read", "readlines"]) && call.positional.is_empty() && call.keywords.is_empty();
    if is_stream
        && let Some(stream) = &call.receiver
        && matches!(
            stream.value.path_text(),
            "gzip.open()" | "gzip.GzipFile()" | "bz2.open()" | "lzma.open()" | "bz2.BZ2File()" | "lzma.LZMAFile()"
        )
        && let Some(taint) = call.live(&stream.value).taint(Classes::SIZE)
    {
        report.add(&INFO, stream.span, message, Some(taint));
    }
}
