//! Compilers and interpreters of languages other than Python: where they are, and how they are called.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::job::MemoryRule;
use crate::language::Language;
use crate::program::Limits;

/// Where a host shows what all its programs share: the precompiled header.
pub(crate) const SHARED_FOLDER: &str = "/opt/codeward";
/// The name under which a compiler leaves its result.
pub(crate) const RESULT: &str = "program";

/// The programs of one language's toolchain, as found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// What turns source into something to run, where there is such a step.
    pub(crate) compiler: Option<PathBuf>,
    /// What runs it, where it does not run by itself.
    pub(crate) runtime: Option<PathBuf>,
    /// Where its programs find their libraries: they would look it up in `/proc`, which programs do not have.
    libraries: Option<String>,
}

impl Toolchain {
    /// The paths of its programs.
    pub(crate) fn programs(&self) -> Vec<String> {
        self.compiler.iter().chain(&self.runtime).map(|path| path.display().to_string()).collect()
    }

    /// What its programs need in their environment.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.libraries.as_deref().map(|folders| ("LD_LIBRARY_PATH", folders)).into_iter()
    }
}

/// Every toolchain that was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Toolchains {
    found: Vec<(Language, Toolchain)>,
}

impl Toolchains {
    /// Looks along a search path, and starts nothing.
    pub(crate) fn find(search_path: Option<&OsStr>) -> Self {
        let look = |names: &[&str]| find_program(search_path, names);
        let mut found = Vec::new();
        let mut add = |language, compiler: Option<Option<PathBuf>>, runtime: Option<Option<PathBuf>>| {
            // Each part is either not needed, or needed and there.
            let is_whole = compiler != Some(None) && runtime != Some(None);
            if is_whole {
                let (compiler, runtime) = (compiler.flatten(), runtime.flatten());
                let home = runtime.as_deref().filter(|_| language == Language::Java).and_then(prefix);
                // Without `lib/server`: the launcher would start itself again when it found that named.
                let libraries = home.map(|home| home.join("lib").display().to_string());
                found.push((language, Toolchain { compiler, runtime, libraries }));
            }
        };
        add(Language::C, Some(look(&["gcc", "cc"])), None);
        add(Language::Cpp, Some(look(&["g++", "c++"])), None);
        add(Language::JavaScript, None, Some(look(&["node", "nodejs"])));
        add(Language::Java, Some(look(&["javac"])), Some(look(&["java"])));
        add(Language::Go, Some(look(&["go"])), None);
        Self { found }
    }

    pub(crate) fn get(&self, language: Language) -> Option<&Toolchain> {
        self.found.iter().find(|(one, _)| *one == language).map(|(_, toolchain)| toolchain)
    }

    /// The folders that hold them and what belongs to them.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let programs = self.found.iter().flat_map(|(_, toolchain)| toolchain.compiler.iter().chain(&toolchain.runtime));
        programs
            .filter_map(|program| prefix(program))
            .filter(|prefix| *prefix != Path::new("/"))
            .map(Path::to_owned)
            .collect()
    }
}

/// The folder that a program was installed into, as in `prefix/bin/program`.
fn prefix(program: &Path) -> Option<&Path> {
    program.parent().and_then(Path::parent)
}

/// The first of these names that is a program of its own kind: a script that chooses among versions does not work inside.
fn find_program(search_path: Option<&OsStr>, names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = search_path.map(std::env::split_paths).into_iter().flatten().collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.filter(|path| path.is_absolute()).filter_map(|path| path.canonicalize().ok()).find(|path| is_elf(path))
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"\x7fELF"
}

/// One call of a compiler.
pub(crate) struct Compilation {
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) source_name: String,
    pub(crate) memory: MemoryRule,
}

/// The longest name of a file, less its ending.
const MAX_CLASS_NAME: usize = 255 - ".java".len();

const CPP_FLAGS: [&str; 2] = ["-O2", "-std=gnu++17"];

/// How a source file becomes something to run.
pub(crate) fn compilation(language: Language, compiler: &Path, source: &[u8]) -> Compilation {
    let compiler = compiler.to_string_lossy();
    let shared = format!("-I{SHARED_FOLDER}");
    let call = |arguments: &[&str]| {
        [&compiler[..]].into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect::<Vec<String>>()
    };
    let mut source_name = language.file_name().to_owned();
    let mut env = vec![];
    let mut memory = MemoryRule::AddressSpace;
    let arguments = match language {
        Language::Cpp => call(&[&CPP_FLAGS[..], &[&shared, "-o", RESULT, &source_name]].concat()),
        Language::Java => {
            memory = MemoryRule::Data;
            // Under a name too long for a file it is the compiler that says so.
            let name = public_class(source).filter(|name| name.len() <= MAX_CLASS_NAME);
            source_name = format!("{}.java", name.unwrap_or_else(|| "Main".to_owned()));
            call(&[
                "-J-XX:+UseSerialGC",
                "-J-XX:TieredStopAtLevel=1",
                "-J-Xmx512m",
                "-J-XX:-UsePerfData",
                "-proc:none",
                "-nowarn",
                "-encoding",
                "UTF-8",
                "-d",
                ".",
                &source_name,
            ])
        }
        Language::Go => {
            memory = MemoryRule::Data;
            env = vec![("GOCACHE", "/tmp/.cache"), ("GO111MODULE", "off"), ("CGO_ENABLED", "0"), ("GOTMPDIR", "/tmp")];
            env.extend([("GOFLAGS", "-buildvcs=false"), ("GOTELEMETRY", "off"), ("GOTOOLCHAIN", "local")]);
            call(&["build", "-o", RESULT, &source_name])
        }
        Language::C | Language::Python | Language::JavaScript => {
            call(&["-O2", "-std=gnu17", "-o", RESULT, &source_name, "-lm"])
        }
    };
    Compilation { arguments, env, source_name, memory }
}

/// How the header of all standard headers is compiled beforehand, under the very flags that programs are compiled with.
pub(crate) fn header_compilation(compiler: &Path) -> Compilation {
    let compiler = compiler.to_string_lossy();
    let arguments = [&compiler[..]].into_iter().chain(CPP_FLAGS);
    let arguments = arguments.chain(["-x", "c++-header", "-o", RESULT, "all.h"]).map(str::to_owned).collect();
    Compilation { arguments, env: vec![], source_name: "all.h".to_owned(), memory: MemoryRule::AddressSpace }
}

/// The source of the header of all standard headers, and where its compiled form is looked for.
pub(crate) const ALL_HEADERS: &[u8] = b"#include <bits/stdc++.h>\n";
pub(crate) const COMPILED_HEADERS: &str = "bits/stdc++.h.gch";

/// Whether a program begins with the header of all standard headers: only there is a compiled header of use.
pub(crate) fn wants_all_headers(source: &[u8]) -> bool {
    let text = String::from_utf8_lossy(source);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//"));
    first.is_some_and(|line| line.starts_with("#include") && line.contains("<bits/stdc++.h>"))
}

/// Limits of a compiler, whatever the limits of the program are.
pub(crate) fn compiler_limits() -> Limits {
    Limits {
        wall: std::time::Duration::from_mins(1),
        cpu: std::time::Duration::from_secs(20),
        memory_bytes: 2 << 30,
        output_bytes: 256 << 10,
        file_bytes: 256 << 20,
        max_processes: 128,
    }
}

/// How a runtime is called on a program in the scratch folder.
pub(crate) fn runtime_call(language: Language, runtime: &Path, entry: &str, limits: &Limits) -> Vec<String> {
    let runtime = runtime.to_string_lossy().into_owned();
    let megabytes = limits.memory_bytes >> 20;
    match language {
        Language::Java => [
            runtime,
            "-Xshare:auto".to_owned(),
            "-XX:+UseSerialGC".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-XX:-UsePerfData".to_owned(),
            "-XX:ReservedCodeCacheSize=32m".to_owned(),
            "-XX:+DisableAttachMechanism".to_owned(),
            "-Djava.security.egd=file:/dev/urandom".to_owned(),
            // What is left is for the runtime itself.
            format!("-Xmx{}m", (megabytes * 5 / 8).max(16)),
            "-Xss8m".to_owned(),
            "-cp".to_owned(),
            ".".to_owned(),
            entry.to_owned(),
        ]
        .into(),
        _ => vec![runtime, format!("--max-old-space-size={}", (megabytes * 3 / 4).max(16)), entry.to_owned()],
    }
}

/// The name of the public class of a Java source, which its file must bear.
pub(crate) fn public_class(source: &[u8]) -> Option<String> {
    let words = java_words(source);
    let mut words = words.iter().map(String::as_str).skip_while(|word| *word != "public").peekable();
    while words.next().is_some() {
        while words.next_if(|word| ["final", "abstract", "strictfp", "sealed"].contains(word)).is_some() {}
        if words.next_if(|word| ["class", "interface", "enum", "record"].contains(word)).is_some() {
            return words.next().map(str::to_owned);
        }
        while words.next_if(|word| *word != "public").is_some() {}
    }
    None
}

/// The class that a Java program starts with: the one around `main`, with its package and the classes around it.
pub(crate) fn main_class(source: &[u8]) -> String {
    let words = java_words(source);
    let main = words.windows(2).position(|pair| pair == ["void", "main"]).unwrap_or(words.len());
    let mut around: Vec<Option<&str>> = vec![];
    let mut named = None;
    for (at, word) in words[..main].iter().enumerate() {
        match word.as_str() {
            "class" | "enum" | "record" | "interface" => named = words.get(at + 1).map(String::as_str),
            "{" => around.push(named.take()),
            "}" => drop(around.pop()),
            _ => {}
        }
    }
    let class = around.into_iter().flatten().collect::<Vec<_>>().join("$");
    let class = if class.is_empty() { public_class(source).unwrap_or_else(|| "Main".to_owned()) } else { class };
    match words.windows(2).position(|pair| pair[0] == "package") {
        Some(at) => format!("{}.{class}", words[at + 1]),
        None => class,
    }
}

/// The words of a Java source outside comments and text, names with their dots, and its braces.
fn java_words(source: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(source);
    let mut words = Vec::new();
    let mut rest: &str = &text;
    while let Some(first) = rest.chars().next() {
        let skip_past = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
        let length = if rest.starts_with("//") {
            skip_past("\n", 2)
        } else if rest.starts_with("/*") {
            skip_past("*/", 2)
        } else if rest.starts_with("\"\"\"") {
            skip_past("\"\"\"", 3)
        } else if first == '"' || first == '\'' {
            end_of_text(rest, first)
        } else if first.is_alphanumeric() || first == '_' || first == '$' {
            let is_part = |letter: char| letter.is_alphanumeric() || "_$.".contains(letter);
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            words.push(rest[..length].to_owned());
            length
        } else {
            if first == '{' || first == '}' {
                words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    words
}

fn end_of_text(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\n' => return at,
            letter if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_that_a_java_file_is_named_for_is_its_public_one() {
        assert_eq!(public_class(b"class A {} public class B { }").as_deref(), Some("B"));
        assert_eq!(public_class(b"public final class C { }").as_deref(), Some("C"));
        assert_eq!(public_class(b"// public class No {}\nclass A { String s = \"public class X \"; }"), None);
    }

    #[test]
    fn a_java_program_starts_with_the_class_around_main() {
        let source = b"package a.b; class Helper {} class Start { public static void main(String[] x) {} } class Z {}";
        assert_eq!(main_class(source), "a.b.Start");
        let nested =
            b"class Outer { static class Node { int n; } enum E { A { } } public static void main(String[] x) {} }";
        assert_eq!(main_class(nested), "Outer");
        assert_eq!(main_class(b"class A { static class B { static void main(String[] x) {} } }"), "A$B");
        assert_eq!(main_class(b"class A { void main() {} }"), "A");
        assert_eq!(main_class(b"nothing at all"), "Main");
    }

    #[test]
    fn a_compiled_header_is_only_used_where_it_comes_first() {
        assert!(wants_all_headers(b"\n// a comment\n#include <bits/stdc++.h>\nint main(){}"));
        assert!(!wants_all_headers(b"#include <iostream>\n#include <bits/stdc++.h>\n"));
    }

    #[test]
    fn scripts_that_choose_a_version_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("node"), "#!/bin/sh\n").unwrap();
        assert_eq!(find_program(Some(folder.path().as_os_str()), &["node"]), None);
    }
}
