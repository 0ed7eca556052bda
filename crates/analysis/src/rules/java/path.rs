//! # `java/path-traversal`, `java/archive-member`, `java/path-prefix`, `java/upload-name`
//!
//! ## What it does
//!
//! Reports files that are opened, written or removed under a name that may lead out of their folder, and checks of that which
//! do not hold.
//!
//! ## Why this is bad
//!
//! `..` climbs out of the folder. `/data/user2` starts with `/data/user`, but does not lie in it.
//!
//! ## Example
//!
//! ```java
//! new FileOutputStream(new File(folder, entry.getName()));
//! ```
//!
//! ## Use instead
//!
//! ```java
//! Path target = folder.resolve(entry.getName()).normalize();
//! if (!target.startsWith(folder)) {
//!     throw new IOException("outside of the folder");
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)
//! - [CWE-434](https://cwe.mitre.org/data/definitions/434.html)

use codeward_records::{Cwe, Level};

use super::{found, outside};
use crate::flow::{Call, Classes, Operand, Shape, Taint, ValueRef, kind_of};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static TRAVERSAL: RuleInfo = RuleInfo {
    code: "CW-JAVA-022-1",
    name: "java/path-traversal",
    cwe: &[Cwe(22), Cwe(23), Cwe(73)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A file's path is put together from input that may leave its folder",
    fix: "normalise it and check that it is still inside",
    examples: &[Example {
        weak: "byte[] f(File folder, String name) throws IOException {\n  File file = new File(folder, name);\n  return Files.readAllBytes(«file.toPath()»);\n}\n",
        sound: "byte[] f(File folder, String name) throws IOException {\n  Path file = folder.toPath().resolve(name).normalize();\n  if (!file.startsWith(folder.toPath())) {\n    throw new IOException(\"outside\");\n  }\n  return Files.readAllBytes(file);\n}\n",
    }],
};

pub(super) static ARCHIVE: RuleInfo = RuleInfo {
    code: "CW-JAVA-022-2",
    name: "java/archive-member",
    cwe: &[Cwe(22), Cwe(23)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A member of an archive is written where its name says",
    fix: "normalise the path and check that it is still inside the folder",
    examples: &[Example {
        weak: "void f(ZipInputStream in, File folder) throws IOException {\n  ZipEntry entry;\n  while ((entry = in.getNextEntry()) != null) {\n    File file = new File(folder, entry.getName());\n    FileOutputStream out = new FileOutputStream(«file»);\n    copy(in, out);\n  }\n}\n",
        sound: "void f(ZipInputStream in, File folder) throws IOException {\n  ZipEntry entry;\n  while ((entry = in.getNextEntry()) != null) {\n    File file = new File(folder, entry.getName());\n    if (!file.getCanonicalPath().startsWith(folder.getCanonicalPath() + File.separator)) {\n      throw new IOException(\"outside\");\n    }\n    FileOutputStream out = new FileOutputStream(file);\n    copy(in, out);\n  }\n}\n",
    }],
};

pub(super) static PREFIX: RuleInfo = RuleInfo {
    code: "CW-JAVA-022-3",
    name: "java/path-prefix",
    cwe: &[Cwe(22)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Paths are compared as texts, so that a sibling with a longer name passes",
    fix: "compare them as paths, or end the prefix with a separator",
    examples: &[Example {
        weak: "void f(File folder, File file) throws IOException {\n  if (!file.getCanonicalPath().startsWith(«folder.getCanonicalPath()»)) {\n    throw new IOException(\"outside\");\n  }\n}\n",
        sound: "void f(File folder, File file) throws IOException {\n  if (!file.getCanonicalFile().toPath().startsWith(folder.getCanonicalFile().toPath())) {\n    throw new IOException(\"outside\");\n  }\n}\n",
    }],
};

pub(super) static UPLOAD: RuleInfo = RuleInfo {
    code: "CW-JAVA-434-1",
    name: "java/upload-name",
    cwe: &[Cwe(434)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "An upload keeps the name that its sender chose, with any extension",
    fix: "allow a few extensions, and choose the name here",
    examples: &[Example {
        weak: "void f(MultipartFile file, Path folder) throws IOException {\n  String name = FilenameUtils.getName(file.getOriginalFilename());\n  file.transferTo(«folder.resolve(name)»);\n}\n",
        sound: "void f(MultipartFile file, Path folder) throws IOException {\n  String name = FilenameUtils.getName(file.getOriginalFilename());\n  if (!name.endsWith(\".png\")) {\n    throw new IOException(\"not a picture\");\n  }\n  file.transferTo(folder.resolve(name));\n}\n",
    }],
};

/// Functions that take a path first.
const FUNCTIONS: &[&str] = &[
    "new FileInputStream",
    "new FileOutputStream",
    "new FileReader",
    "new FileWriter",
    "new RandomAccessFile",
    "new PrintWriter",
    "new ZipFile",
    "new JarFile",
    "new PrintStream",
    "new Scanner",
    "new FileSystemResource",
    "new UrlResource",
    "Files.copy",
    "Files.move",
    "Files.delete",
    "Files.deleteIfExists",
    "Files.readAllBytes",
    "Files.readAllLines",
    "Files.readString",
    "Files.lines",
    "Files.newInputStream",
    "Files.newOutputStream",
    "Files.newBufferedReader",
    "Files.newBufferedWriter",
    "Files.write",
    "Files.writeString",
    "Files.createFile",
    "Files.createDirectory",
    "Files.createDirectories",
    "Files.newByteChannel",
    "Files.list",
    "Files.walk",
    "FileUtils.readFileToString",
    "FileUtils.writeStringToFile",
    "FileUtils.copyInputStreamToFile",
    "FileUtils.openOutputStream",
    "FileUtils.openInputStream",
    "FileUtils.forceDelete",
    "FileUtils.deleteDirectory",
    "FileUtils.readFileToByteArray",
    "FileUtils.writeByteArrayToFile",
    "FileUtils.copyFile",
    "StreamUtils.copy",
];

/// Methods of a file.
const METHODS: &[&str] =
    &["mkdirs", "mkdir", "createNewFile", "delete", "renameTo", "listFiles", "list", "deleteOnExit"];

/// Calls that give the name of a member of an archive.
const MEMBERS: &[&str] = &["Entry().getName", "Entry().getName()"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(FUNCTIONS) {
        for operand in call.positional.iter().take(2) {
            check(call, operand, report);
        }
    } else if call.has_method(METHODS) {
        if let Some(receiver) = call.receiver.as_ref().filter(|receiver| kind_of(&receiver.value) == "File") {
            check(call, receiver, report);
        }
    } else if call.has_method(&["transferTo", "write"])
        && let (Some(receiver), Some(target)) = (&call.receiver, call.first())
        && matches!(kind_of(&receiver.value).as_str(), "MultipartFile" | "Part" | "FileItem")
    {
        check(call, target, report);
    }
    prefix(call, report);
}

fn check(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    let kind = kind_of(&value);
    if value.path_text().ends_with("getInputStream()") || kind.ends_with("Stream") || kind.ends_with("Reader") {
        // What is copied, not where to.
        return;
    }
    let classes = Classes::PATH_UP | Classes::PATH_ABSOLUTE;
    let is_member = |taint: &&Taint| MEMBERS.iter().any(|end| taint.source.label.ends_with(end));
    if let Some(taint) = value.taint(classes) {
        let makes_folders = call.method.contains("mkdir") || call.path.contains("createDirector");
        if let Some(member) = value.taints.iter().filter(|taint| taint.classes.has_any(classes)).find(is_member) {
            // A folder in the wrong place does little harm; what is then written to it does.
            if !makes_folders {
                found(&ARCHIVE, operand.span, Some(member), report);
            }
        } else if outside(&value, classes).is_some() || is_joined(&value) && !is_parameter_itself(&value) {
            found(&TRAVERSAL, operand.span, outside(&value, classes).or(Some(taint)), report);
        }
    }
    let is_upload = |taint: &&Taint| taint.source.label.contains("FileName") || taint.source.label.contains("Filename");
    let kept = value.taints.iter().filter(|taint| taint.classes.has_any(Classes::EXTENSION)).find(is_upload);
    if let Some(taint) = kept {
        found(&UPLOAD, operand.span, Some(taint), report);
    }
}

/// Whether a path was joined here from a folder and a name.
fn is_joined(value: &ValueRef) -> bool {
    let mut value = value;
    for _ in 0..6 {
        match &value.shape {
            Shape::Text(pieces) => return pieces.len() > 1 && value.outline().contains('/'),
            Shape::Called { positional, .. } if positional.len() > 1 => return true,
            Shape::Called { receiver: Some(receiver), positional, .. } => {
                if let [only] = positional.as_ref()
                    && matches!(kind_of(value).as_str(), "File" | "Path")
                    && !matches!(receiver.path_text(), "Paths" | "Path")
                {
                    return only.taint(Classes::PATH_UP).is_some();
                }
                value = positional.first().unwrap_or(receiver);
            }
            Shape::Called { positional, .. } => match positional.first() {
                Some(only) => value = only,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

/// `file.getCanonicalPath().startsWith(folder.getCanonicalPath())`.
fn prefix(call: &Call<'_>, report: &mut Report<'_>) {
    let is_text_of_path = |value: &ValueRef| {
        ["getCanonicalPath()", "getAbsolutePath()"].iter().any(|end| value.path_text().ends_with(end))
    };
    if call.has_method(&["startsWith"])
        && let (Some(receiver), Some(folder)) = (&call.receiver, call.first())
        && is_text_of_path(&receiver.value)
        && call.live(&receiver.value).is_tainted(Classes::PATH_UP)
        && is_text_of_path(&folder.value)
    {
        found(&PREFIX, folder.span, None, report);
    }
}
