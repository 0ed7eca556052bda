//! Calls: what they do to their arguments, what they return.

use std::rc::Rc;

use super::rules::{ASKED_FIRST, CHROOT, SCAN_UNBOUNDED, TEMPORARY_TEXT};
use super::state::{Allocator, Nullness, Number, Origin, Place};
use super::words::{holds, holds_any};
use super::{Reader, types};
use crate::rules::c::secrets::{DERIVING, SALT, STARTING, VECTOR};
use crate::syntax::{BinaryOperator, Constant, ExpressionId, ExpressionKind};

const ALLOCATING: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "strdup",
    "strndup",
    "malloca",
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

/// Whether a function's name says that it takes a number from data: `ReadShort`, `GET_32`, `decode_uint16`.
pub(super) fn is_converting(name: &str) -> bool {
    if CONVERTING.contains(&name) {
        return true;
    }
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit('_').next().unwrap_or_default();
    let width = last.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    if last != lower
        && matches!(width, "16" | "24" | "32" | "64")
        && matches!(&last[..last.len() - width.len()], "d" | "u" | "r" | "be" | "le" | "rb" | "rl" | "rd")
    {
        return true;
    }
    let plain =
        lower.trim_end_matches("_be").trim_end_matches("_le").trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_number =
        ["short", "long", "byte", "word", "int", "ushort", "be", "le"].iter().any(|kind| plain.ends_with(kind))
            || lower.ends_with("16")
            || lower.ends_with("32")
            || lower.ends_with("64");
    is_number
        && holds_any(&lower, &["read", "get", "peek", "decode", "swap"])
        && !holds_any(&lower, &["random", "atomic", "print", "point", "hash"])
}

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
    ) || name.ends_with("_free") && !holds(name, "sqlite3") && name != "is_free"
        || name.starts_with("free_") && name != "free_percpu"
        || name == "kfree_skb"
        || name == "destroy"
        || name.starts_with("Free") && name.len() > 6 && name[4..].starts_with(char::is_uppercase)
        || name.ends_with("_buf_release")
        || name.ends_with("_destroy")
            && !crate::rules::evidence::words(name).iter().any(|word| SHARED.contains(&word.as_str()))
}

/// Macros whose name says that they return or throw.
pub(super) fn leaves(name: &str) -> bool {
    name.starts_with("RETURN") || name.starts_with("Throw") || name.starts_with("THROW")
}

fn is_verb(word: &str) -> bool {
    matches!(word, "free" | "destroy" | "release")
}

/// Words in the name of what is destroyed in place, or only once nobody uses it any more.
const SHARED: &[&str] = &[
    "lock", "mutex", "cond", "sem", "attr", "rwlock", "spin", "spinlock", "barrier", "ref", "key", "pthread", "array",
];

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
        let is_release = !arguments.is_empty() && is_releasing(&name) && self.is_whole(&name, arguments);
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
            if is_macro || is_converting(&name) {
                self.check_offset_read(*argument);
            }
        }
        if is_release {
            self.release(self.released(&name, arguments), &name);
            return;
        }
        self.effects(&name, arguments);
        if leaves(&name)
            || matches!(
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
            )
        {
            self.state.is_dead = true;
        }
        if name.starts_with("assert") || is_macro {
            for argument in arguments {
                if holds_any(&name, &["ssert", "ASSERT", "CHECK", "REQUIRE"]) {
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
            if at < 2 && is_text_comparison(&name) {
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
                if let ExpressionKind::Address(inner) = self.kind(self.bare(*argument))
                    && fills_number(&name)
                    && let Some(key) = self.key(*inner)
                    && self.variables.get(&key).is_some_and(|variable| types::is_integer(&variable.kind))
                {
                    self.state.place(&key).number = Number::Input;
                }
            }
        }
        if is_macro || is_converting(&name) {
            self.check_macro_offset(arguments);
        }
        self.check_callback(callee);
        self.note_given_up(&name, arguments);
        let _ = whole;
    }

    /// Whether a function gives back its argument itself: `list_free(list)`, but not `list_entries_free(list)`, which gives back what is in it.
    fn is_whole(&self, name: &str, arguments: &[ExpressionId]) -> bool {
        let released = self.released(name, arguments);
        let Some(variable) = self.variable(released) else { return true };
        let words = crate::rules::evidence::words(name);
        let noun = match words.as_slice() {
            [.., noun, last] if is_verb(last) && words.len() > 2 => noun,
            [first, inner @ .., noun] if first == "free" => {
                let kind = variable.kind.to_ascii_lowercase();
                if !inner.iter().all(|word| kind.contains(word.as_str())) {
                    return false;
                }
                noun
            }
            _ => return true,
        };
        let kind = variable.kind.to_ascii_lowercase();
        let written = self.report.written(self.span(released)).to_ascii_lowercase();
        !kind.contains("**")
            && (kind.contains(noun.as_str()) || written.contains(noun.as_str()) || noun.contains(&written))
    }

    /// What is given back: the last pointer, as those before it say from where.
    fn released(&self, name: &str, arguments: &[ExpressionId]) -> ExpressionId {
        let is_pointer = |id: &&ExpressionId| self.is_pointer(self.bare(**id));
        let of_library = matches!(name, "free" | "kfree" | "vfree" | "kvfree" | "g_free" | "fclose" | "pclose");
        let last = arguments.iter().rfind(is_pointer).filter(|_| !of_library);
        *last.unwrap_or(&arguments[0])
    }

    /// What a call reads from beginning to end of what it is told.
    fn check_fixed(&mut self, name: &str, arguments: &[ExpressionId]) {
        let vector = STARTING.iter().find(|(known, _)| *known == name).map(|(_, at)| (*at, &VECTOR));
        let salt = DERIVING.iter().find(|(known, ..)| *known == name).map(|(_, at, _)| (*at, &SALT));
        let Some((at, rule)) = vector.or(salt) else { return };
        let Some(argument) = arguments.get(at).copied() else { return };
        let is_fixed =
            self.key(self.bare(argument)).and_then(|key| self.state.places.get(&key)).is_some_and(|p| p.is_fixed);
        if is_fixed {
            let span = self.span(argument);
            self.report.add(rule, span, "this was filled with bytes that are always the same; use RAND_bytes", None);
        }
    }

    /// A buffer is filled: with something fixed, or with what another holds.
    fn fill(&mut self, name: &str, arguments: &[ExpressionId]) {
        let [to, from, ..] = arguments else { return };
        let Some(key) = self.key(self.bare(*to)) else { return };
        let from_place = self.key(self.bare(*from)).and_then(|key| self.state.places.get(&key));
        let is_text = matches!(self.kind(self.bare(*from)), ExpressionKind::Constant(Constant::Text(_)));
        let is_fixed = is_text
            || name == "memset" && self.number(*from).is_some()
            || name != "memset" && from_place.is_some_and(|place| place.is_fixed);
        self.state.place(&key).is_fixed = is_fixed;
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
            place.is_fixed = false;
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
        self.check_fixed(name, arguments);
        self.check_stream(name, arguments);
        if name.ends_with("realloc")
            && let Some(memory) = arguments.first()
        {
            self.expire_aliases(*memory);
        }
        match name {
            "memcmp" | "bcmp" | "CRYPTO_memcmp" | "pure_memcmp" => self.compare_sized(arguments),
            "memset" | "memcpy" | "memmove" | "strncpy" => self.fill(name, arguments),
            "read" | "recv" | "fread" | "fgets" | "snprintf" | "sprintf" | "strcpy" | "strcat" => {
                for key in arguments.iter().filter_map(|argument| self.key(self.bare(*argument))).collect::<Vec<_>>() {
                    self.state.place(&key).is_fixed = false;
                }
            }
            _ => {}
        }
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
        self.check_container(name, arguments);
        self.check_narrowed(name, arguments);
        self.check_grown(name, arguments);
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
        } else if name.as_ref() == "find"
            && arguments.len() == 1
            && (kind.starts_with("auto") || kind.contains("iterator"))
            && self.is_method(call)
        {
            place.null = Nullness::Unchecked(Origin::Container);
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
            other if is_converting(other) => place.number = Number::Input,
            _ => {}
        }
        if place.null == Nullness::Unknown
            && (is_pointer || kind.is_empty())
            && place.allocator.is_none()
            && may_find_nothing(&name)
        {
            place.null = Nullness::Unchecked(Origin::Call);
        }
    }

    fn is_method(&self, call: ExpressionId) -> bool {
        let ExpressionKind::Call { callee, .. } = self.kind(call) else { return false };
        matches!(self.kind(*callee), ExpressionKind::Attribute { .. })
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

/// Whether a function's name says that it takes numbers from data and stores them where it is told.
fn fills_number(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    holds_any(&lower, &["read", "get", "parse", "decode", "unpack", "recv", "scan", "fetch"])
}

/// Whether a function's name says that it compares texts.
fn is_text_comparison(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    holds_any(&lower, &["streq", "strcasecmp", "strncasecmp", "strnicmp", "stricmp"])
}

/// Words in the name of a function that returns null where there is nothing of the kind, or where it fails.
const DOUBTFUL: &[&str] = &[
    "by", "start", "load", "parse", "decode", "resolve", "make", "build", "from", "query", "value", "text", "name",
    "string", "copy", "init", "register", "next", "first", "last", "add", "insert", "append", "push", "put", "receive",
    "read", "fetch", "accept", "connect", "request",
];

fn may_find_nothing(name: &str) -> bool {
    name.chars().any(char::is_lowercase)
        && crate::rules::evidence::words(name).iter().any(|word| DOUBTFUL.contains(&word.as_str()))
}
