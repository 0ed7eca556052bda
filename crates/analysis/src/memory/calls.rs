//! Calls: what they do to their arguments, what they return.

use std::rc::Rc;

use super::rules::{ASKED_FIRST, CHROOT, SCAN_UNBOUNDED, TEMPORARY_TEXT};
use super::state::{Allocator, Nullness, Number, Origin, Place};
use super::{Reader, types};
use crate::syntax::{BinaryOperator, ExpressionId, ExpressionKind};

const ALLOCATING: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "strdup",
    "strndup",
    "kmalloc",
    "kzalloc",
    "kcalloc",
    "vmalloc",
    "vzalloc",
    "kmemdup",
    "kstrdup",
    "krealloc",
    "aligned_alloc",
    "memalign",
    "g_try_malloc",
    "av_malloc",
    "av_mallocz",
    "av_strdup",
    "OPENSSL_malloc",
    "devm_kzalloc",
    "kvmalloc",
    "kmem_cache_alloc",
    "alloc_skb",
];

const OPENING: &[&str] = &["fopen", "fdopen", "popen", "opendir", "tmpfile", "freopen", "fmemopen"];

const SEARCHING: &[&str] = &[
    "strchr",
    "strrchr",
    "strstr",
    "strpbrk",
    "memchr",
    "memmem",
    "getpwnam",
    "getpwuid",
    "getgrnam",
    "gethostbyname",
    "localtime",
    "gmtime",
    "bsearch",
    "strcasestr",
    "getenv",
    "platform_get_resource",
    "of_match_device",
    "strtok",
    "index",
    "rindex",
    "xmlGetProp",
    "of_get_property",
    "get_device",
    "dlsym",
    "setlocale",
    "usb_ifnum_to_if",
];

/// Functions that neither keep nor give back what they are handed.
const BORROWING: &[&str] = &[
    "strlen", "printf", "fprintf", "snprintf", "sprintf", "memcpy", "memset", "memcmp", "strcmp", "strncmp", "strcpy",
    "strncpy", "read", "write", "fread", "fwrite", "fgets", "recv", "send", "fputs", "puts", "strcat", "memmove",
    "strchr", "strstr", "atoi", "sizeof", "fscanf", "sscanf", "strtol", "fseek", "ftell", "perror",
];

/// Functions that turn text into a number.
const CONVERTING: &[&str] = &[
    "atoi",
    "atol",
    "atoll",
    "strtol",
    "strtoul",
    "strtoll",
    "strtoull",
    "ntohs",
    "ntohl",
    "be16_to_cpu",
    "be32_to_cpu",
    "le16_to_cpu",
    "le32_to_cpu",
    "stoi",
    "stol",
    "stoul",
    "getchar",
    "fgetc",
];

/// Functions that follow the pointers that they are handed, with the number of these.
const FOLLOWING: &[(&str, usize)] = &[
    ("strcpy", 2),
    ("strcat", 2),
    ("strlen", 1),
    ("memcpy", 2),
    ("memset", 1),
    ("strcmp", 2),
    ("fgets", 0),
    ("fread", 0),
    ("strncpy", 2),
    ("memmove", 2),
    ("sprintf", 1),
    ("atoi", 1),
    ("strtol", 1),
    ("fprintf", 1),
    ("fclose", 1),
    ("fputs", 2),
    ("strncmp", 2),
    ("pclose", 1),
    ("fscanf", 1),
    ("feof", 1),
    ("strncat", 2),
];

/// Why a function's result may be null.
pub(super) fn origin(name: &str, is_pointer: bool) -> Option<Origin> {
    if ALLOCATING.contains(&name) {
        return Some(Origin::Allocation);
    }
    if OPENING.contains(&name) {
        return Some(Origin::Opening);
    }
    if SEARCHING.contains(&name) {
        return Some(Origin::Search);
    }
    let lower = name.to_ascii_lowercase();
    let dies =
        ["xmalloc", "xcalloc", "xrealloc", "xstrdup", "emalloc", "g_malloc", "g_new", "safe_", "must_", "or_die"];
    if !is_pointer || dies.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let words = crate::rules::evidence::words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&[
        "alloc", "malloc", "calloc", "dup", "find", "lookup", "clone", "search", "acquire", "create", "new", "realloc",
        "open", "match",
    ])
    .then_some(Origin::Named)
}

fn is_releasing(name: &str) -> bool {
    matches!(
        name,
        "free"
            | "kfree"
            | "vfree"
            | "kvfree"
            | "g_free"
            | "cfree"
            | "delete"
            | "delete[]"
            | "fclose"
            | "closedir"
            | "pclose"
            | "av_free"
            | "kzfree"
            | "OPENSSL_free"
    ) || name.ends_with("_free") && !name.contains("sqlite3") && name != "is_free"
        || name.starts_with("free_") && name != "free_percpu"
        || name == "kfree_skb"
}

impl Reader<'_, '_, '_> {
    pub(super) fn call(&mut self, callee: ExpressionId, arguments: &[ExpressionId], whole: ExpressionId) {
        let name = self.callee(callee);
        if name.as_ref() == "sizeof" || name.as_ref() == "offsetof" || name.as_ref() == "decltype" {
            return;
        }
        self.called.push(Rc::clone(&name));
        if let ExpressionKind::Attribute { base, .. } = self.kind(callee) {
            self.visit(*base);
        }
        let is_release = is_releasing(&name) && !arguments.is_empty();
        let is_macro = name.len() > 2 && !name.chars().any(char::is_lowercase);
        let is_input = matches!(name.as_ref(), "cin>>");
        for (at, argument) in arguments.iter().enumerate() {
            let fills = is_macro || is_input && at > 0 || !BORROWING.contains(&name.as_ref());
            if fills && let Some(key) = self.key(*argument) {
                self.state.place(&key).is_unset = false;
            }
            if is_input
                && at > 0
                && self.variable(*argument).is_some_and(|variable| variable.is_array && variable.kind.contains("char"))
            {
                let span = self.span(*argument);
                self.report.add(
                    &SCAN_UNBOUNDED,
                    span,
                    "a longer word than the buffer overwrites what follows it; read into a std::string",
                    None,
                );
            }
            self.visit(*argument);
        }
        if is_release {
            self.release(arguments[0], &name);
            return;
        }
        self.effects(&name, arguments);
        if matches!(
            name.as_ref(),
            "exit"
                | "_exit"
                | "abort"
                | "err"
                | "errx"
                | "panic"
                | "BUG"
                | "__builtin_unreachable"
                | "terminate"
                | "longjmp"
                | "die"
                | "usage"
                | "error_msg_and_die"
        ) {
            self.state.is_dead = true;
        }
        if name.starts_with("assert") || is_macro {
            for argument in arguments {
                if name.contains("ssert")
                    || name.contains("ASSERT")
                    || name.contains("CHECK")
                    || name.contains("REQUIRE")
                {
                    self.assume(*argument, true);
                }
                self.touch(*argument);
            }
        }
        let follows = FOLLOWING.iter().find(|(known, _)| *known == name.as_ref()).map_or(0, |(_, count)| *count);
        for (at, argument) in arguments.iter().enumerate() {
            if at < follows {
                self.follow(*argument);
            }
            if matches!(name.as_ref(), "fgets" | "fread" | "fputs" | "fwrite") && at + 1 == arguments.len() {
                self.follow(*argument);
            }
            if !is_macro && !name.starts_with("print") {
                self.pass(*argument);
            }
            if !BORROWING.contains(&name.as_ref()) && !name.starts_with("print") {
                self.lend(*argument);
            }
        }
        let _ = whole;
    }

    /// A function that may keep what it is handed, or change what it points to.
    fn lend(&mut self, argument: ExpressionId) {
        let bare = self.bare(argument);
        if let ExpressionKind::Address(inner) = self.kind(bare) {
            if let Some(key) = self.key(*inner) {
                self.state.forget(&key);
                self.state.place(&key).number = Number::Plain;
            }
            return;
        }
        let Some(key) = self.key(bare) else { return };
        if let Some(place) = self.state.places.get_mut(&key) {
            place.is_owned = false;
        }
        let pointer: Rc<str> = format!("*{key}").into();
        for (other, place) in &mut self.state.places {
            if other.starts_with(pointer.as_ref()) {
                place.freed = None;
                place.null = Nullness::Unknown;
                place.followed = None;
            }
        }
    }

    fn effects(&mut self, name: &str, arguments: &[ExpressionId]) {
        match name {
            "strcpy" | "stpcpy" | "wcscpy" | "lstrcpy" => self.copy_text(arguments, false),
            "strcat" | "wcscat" | "lstrcat" => self.copy_text(arguments, true),
            "strncat" => self.append_sized(arguments),
            "sprintf" | "vsprintf" => self.print_text(arguments),
            "scanf" => self.scan(arguments, 0),
            "fscanf" | "sscanf" => self.scan(arguments, 1),
            "malloc" | "kmalloc" | "kzalloc" | "vmalloc" | "alloca" | "xmalloc" | "av_malloc" | "g_malloc"
            | "vzalloc" | "av_mallocz" | "emalloc" | "valloc" | "safe_malloc" | "new[]" => {
                if let Some(size) = arguments.first() {
                    self.check_allocation(*size);
                }
            }
            "realloc"
            | "xrealloc"
            | "krealloc"
            | "av_realloc"
            | "g_realloc"
            | "ExAllocatePoolWithTag"
            | "devm_kzalloc" => {
                if let Some(size) = arguments.get(1) {
                    self.check_allocation(*size);
                }
            }
            "access" | "stat" | "lstat" => {
                if let Some(key) = arguments.first().and_then(|path| self.key(*path)) {
                    let span = self.span(arguments[0]);
                    self.state.place(&key).asked = Some(span);
                }
            }
            "open" | "fopen" | "unlink" | "remove" | "chmod" | "chown" | "rename" | "creat" | "execv" | "execl"
            | "mkdir" => {
                if let Some(key) = arguments.first().and_then(|path| self.key(*path))
                    && self.state.place(&key).asked.take().is_some()
                {
                    let span = self.span(arguments[0]);
                    self.report.add(
                        &ASKED_FIRST,
                        span,
                        "the file may be another one by now; open it first and ask about the descriptor",
                        None,
                    );
                }
            }
            "chroot" => {
                if let Some(path) = arguments.first() {
                    let span = self.span(*path);
                    let text = self.report.written(crate::syntax::Span {
                        start: span.end,
                        end: (span.end + 200).min(self.report.length()),
                    });
                    if !text.is_empty()
                        && !text.contains("chdir")
                        && !self.called.iter().any(|called| called.as_ref() == "chdir")
                    {
                        self.report.add(
                            &CHROOT,
                            span,
                            "the working folder still lies outside; call chdir(\"/\") after this",
                            None,
                        );
                    }
                }
            }
            _ => {}
        }
        self.copy_sized(name, arguments);
    }

    /// What a call's result says of the place that it is stored in.
    pub(super) fn result_of(&mut self, call: ExpressionId, place: &mut Place, kind: &str) {
        let Some((name, arguments)) = self.as_call(call) else { return };
        let is_pointer = types::is_pointer(kind);
        if (is_pointer || kind.is_empty())
            && let Some(origin) = origin(&name, is_pointer)
        {
            place.null = Nullness::Unchecked(origin);
        }
        match name.as_ref() {
            "new[]" => {
                place.allocator = Some(Allocator::NewArray);
                place.null = Nullness::NotNull;
                let element = types::element_size(kind).unwrap_or(1);
                place.bytes = arguments
                    .first()
                    .and_then(|count| self.number(*count))
                    .and_then(|count| count.checked_mul(element));
            }
            "malloc" | "kmalloc" | "kzalloc" | "vmalloc" | "xmalloc" => {
                if name.as_ref() != "xmalloc" {
                    place.allocator = Some(Allocator::Malloc);
                    place.is_owned = true;
                }
                if let Some(size) = arguments.first() {
                    place.bytes = self.number(*size);
                    place.exact_length_of = self.as_call(*size).and_then(|(called, inner)| {
                        if called.as_ref() == "strlen" { self.key(*inner.first()?) } else { None }
                    });
                }
            }
            "calloc" => {
                place.allocator = Some(Allocator::Malloc);
                place.is_owned = true;
                if let [count, size] = arguments.as_slice() {
                    place.bytes =
                        self.number(*count).zip(self.number(*size)).and_then(|(count, size)| count.checked_mul(size));
                }
            }
            "strdup" | "strndup" => {
                place.allocator = Some(Allocator::Malloc);
                place.is_owned = true;
            }
            "read" | "recv" | "readlink" | "fread" | "pread" | "recvfrom" => {
                let (to, length) = if name.as_ref() == "fread" { (0, 2) } else { (1, 2) };
                if let (Some(to), Some(length)) = (arguments.get(to), arguments.get(length)) {
                    let is_whole = self.bytes_of(*to).is_some_and(|size| self.number(*length) == Some(size));
                    if let (true, Some(key)) = (is_whole, self.key(self.bare(*to))) {
                        place.number = Number::ReadInto(key);
                    }
                }
            }
            "snprintf" | "vsnprintf" => place.number = Number::Printed,
            "strlen" | "min" | "MIN" | "min_t" | "FFMIN" | "clamp" | "sizeof" => {
                place.has_upper = name.as_ref() != "strlen";
            }
            "c_str" | "data" => self.check_temporary(call),
            other if CONVERTING.contains(&other) => place.number = Number::Input,
            _ => {}
        }
    }

    /// `const char *p = (a + b).c_str();`.
    fn check_temporary(&mut self, call: ExpressionId) {
        let ExpressionKind::Call { callee, .. } = self.kind(call) else { return };
        let ExpressionKind::Attribute { base, .. } = self.kind(*callee) else { return };
        let is_temporary = match self.kind(*base) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, .. } => true,
            ExpressionKind::Call { callee, .. } => {
                matches!(self.callee(*callee).as_ref(), "str" | "to_string" | "string" | "substr")
            }
            _ => false,
        };
        if is_temporary {
            let span = self.span(call);
            self.report.add(
                &TEMPORARY_TEXT,
                span,
                "the text is gone at the end of this statement; keep the std::string itself",
                None,
            );
        }
    }
}
