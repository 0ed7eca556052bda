//! Rules about buffers, lengths and indexes.
//!
//! # `c/unbounded-copy`, `c/unbounded-format`, `c/unbounded-scan`, `c/text-exceeds`, `c/scan-width`, `c/no-room-for-end`
//!
//! ## What they do
//!
//! - `c/unbounded-copy`: a text of any length is copied into a buffer of fixed size.
//! - `c/unbounded-format`: a text of any length is formatted into a buffer of fixed size.
//! - `c/unbounded-scan`: a word of any length is read into a buffer.
//! - `c/text-exceeds`: a fixed text is longer than the buffer that it is copied to.
//! - `c/scan-width`: a width leaves no byte for the end of the text.
//! - `c/no-room-for-end`: memory for a text is taken without a byte for its end.
//!
//! ## Why this is bad
//!
//! A text and the byte at its end take more room than there is, and overwrite what lies behind the buffer: other variables,
//! return addresses, the heap's own lists.
//!
//! ## Example
//!
//! ```c
//! void f(const char *name) {
//!     char line[16];
//!     strcpy(line, name);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(const char *name) {
//!     char line[16];
//!     if (strlen(name) >= sizeof(line))
//!         return;
//!     strcpy(line, name);
//! }
//! ```
//!
//! - `c/unbounded-format`: use snprintf with the size of the buffer.
//! - `c/unbounded-scan`: give a width that is less than the buffer's size.
//! - `c/text-exceeds`: make the buffer longer.
//! - `c/scan-width`: give a width that is less than the buffer's size.
//! - `c/no-room-for-end`: add one to strlen.
//!
//! ## References
//!
//! - [CWE-120](https://cwe.mitre.org/data/definitions/120.html)
//! - [CWE-121](https://cwe.mitre.org/data/definitions/121.html)
//! - [CWE-131](https://cwe.mitre.org/data/definitions/131.html)
//! - [CWE-193](https://cwe.mitre.org/data/definitions/193.html)
//! - [CWE-787](https://cwe.mitre.org/data/definitions/787.html)
//!
//! # `c/copy-length-unchecked`, `c/copy-sized-by-source`, `c/copy-exceeds`, `c/offset-ignored`, `c/append-size`, `c/length-negative`
//!
//! ## What they do
//!
//! - `c/copy-length-unchecked`: a length that nothing bounds is copied into a buffer of fixed size.
//! - `c/copy-sized-by-source`: as much is copied into a buffer of fixed size as there is to copy.
//! - `c/copy-exceeds`: more bytes are written than the buffer has.
//! - `c/offset-ignored`: behind an offset into a buffer the whole size is written.
//! - `c/append-size`: the size of the buffer is given where the bytes left are meant.
//! - `c/length-negative`: a signed length is compared with the upper bound only.
//!
//! ## Why this is bad
//!
//! The number of bytes that is written is not the number that the buffer has, and what lies behind it is overwritten. A length
//! below zero becomes a great one.
//!
//! ## Example
//!
//! ```c
//! void f(const char *from, unsigned length) {
//!     char line[64];
//!     memcpy(line, from, length);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(const char *from, unsigned length) {
//!     char line[64];
//!     if (length > sizeof(line))
//!         return;
//!     memcpy(line, from, length);
//! }
//! ```
//!
//! - `c/copy-sized-by-source`: use the lesser of both sizes.
//! - `c/copy-exceeds`: use the size of the buffer.
//! - `c/offset-ignored`: subtract the offset from the size.
//! - `c/append-size`: subtract strlen and one.
//! - `c/length-negative`: compare it with zero too.
//!
//! ## References
//!
//! - [CWE-119](https://cwe.mitre.org/data/definitions/119.html)
//! - [CWE-120](https://cwe.mitre.org/data/definitions/120.html)
//! - [CWE-121](https://cwe.mitre.org/data/definitions/121.html)
//! - [CWE-190](https://cwe.mitre.org/data/definitions/190.html)
//! - [CWE-193](https://cwe.mitre.org/data/definitions/193.html)
//! - [CWE-195](https://cwe.mitre.org/data/definitions/195.html)
//! - [CWE-787](https://cwe.mitre.org/data/definitions/787.html)
//! - [CWE-805](https://cwe.mitre.org/data/definitions/805.html)
//! - [CWE-806](https://cwe.mitre.org/data/definitions/806.html)
//!
//! # `c/index-out-of-range`, `c/index-unchecked-write`, `c/index-unchecked-read`, `c/index-negative`, `c/index-from-data`, `c/printed-length-as-index`, `c/length-ignored`, `c/countdown-unbounded`, `c/off-by-one`, `c/terminated-past-end`, `c/unterminated`, `c/stream-unchecked`, `c/compared-past-end`
//!
//! ## What they do
//!
//! - `c/index-out-of-range`: an array has fewer elements than a fixed index says.
//! - `c/index-unchecked-write`: an element is written at an index that nothing bounds.
//! - `c/index-unchecked-read`: an element is read at an index that nothing bounds.
//! - `c/index-negative`: an index is compared with the upper bound only and may be less than zero.
//! - `c/index-from-data`: an element of a table is read at an index that stands in data.
//! - `c/printed-length-as-index`: what snprintf returns is an index, although it may be past the end.
//! - `c/length-ignored`: bytes are read before the length that comes with them is looked at.
//! - `c/countdown-unbounded`: a loop counts down and stops at nothing but what the memory holds.
//! - `c/off-by-one`: a loop reaches one element past the end of an array.
//! - `c/terminated-past-end`: a text is ended one byte past a buffer that may be full.
//! - `c/unterminated`: a copied text may fill its buffer and then has no end.
//! - `c/stream-unchecked`: more is read from a stream than was found to be left in it.
//! - `c/compared-past-end`: as many bytes are compared as one of two texts has.
//!
//! ## Why this is bad
//!
//! An element outside the memory is read or written: secrets leak, other values change, or the process ends.
//!
//! ## Example
//!
//! ```c
//! void f(void) {
//!     int list[4];
//!     list[4] = 0;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void) {
//!     int list[4];
//!     list[3] = 0;
//! }
//! ```
//!
//! - `c/index-unchecked-write`: compare the index with the number of elements.
//! - `c/index-unchecked-read`: compare the index with the number of elements.
//! - `c/index-negative`: compare it with zero too.
//! - `c/index-from-data`: compare the index with the number of elements.
//! - `c/printed-length-as-index`: compare it with the size of the buffer.
//! - `c/length-ignored`: compare the length first.
//! - `c/countdown-unbounded`: compare the index with the start too.
//! - `c/off-by-one`: stop one earlier.
//! - `c/terminated-past-end`: read one byte less.
//! - `c/unterminated`: copy one byte less and set the last to zero.
//! - `c/stream-unchecked`: compare the remaining length first.
//! - `c/compared-past-end`: compare both lengths first, or use strncmp.
//!
//! ## References
//!
//! - [CWE-119](https://cwe.mitre.org/data/definitions/119.html)
//! - [CWE-124](https://cwe.mitre.org/data/definitions/124.html)
//! - [CWE-125](https://cwe.mitre.org/data/definitions/125.html)
//! - [CWE-126](https://cwe.mitre.org/data/definitions/126.html)
//! - [CWE-129](https://cwe.mitre.org/data/definitions/129.html)
//! - [CWE-170](https://cwe.mitre.org/data/definitions/170.html)
//! - [CWE-193](https://cwe.mitre.org/data/definitions/193.html)
//! - [CWE-252](https://cwe.mitre.org/data/definitions/252.html)
//! - [CWE-787](https://cwe.mitre.org/data/definitions/787.html)
//!
//! # `c/allocation-product`, `c/allocation-sum`, `c/sum-compared`, `c/size-of-pointer`, `c/offset-scaled-twice`, `c/memset-swapped`
//!
//! ## What they do
//!
//! - `c/allocation-product`: the size of an allocation is a product that may wrap around.
//! - `c/allocation-sum`: the size of an allocation is a sum that may wrap around.
//! - `c/sum-compared`: a sum of two numbers of the caller that may wrap around is compared with a limit.
//! - `c/size-of-pointer`: the size of a pointer is taken where that of its target is meant.
//! - `c/offset-scaled-twice`: the offset of a pointer is multiplied by the size of its elements.
//! - `c/memset-swapped`: the value and the number of bytes of memset are swapped.
//!
//! ## Why this is bad
//!
//! The size that is computed is another than the one that is meant: less memory is taken, cleared or skipped than the code
//! afterwards counts on.
//!
//! ## Example
//!
//! ```c
//! void *f(unsigned width, unsigned height) {
//!     return malloc(width * height);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void *f(unsigned width, unsigned height) {
//!     return calloc(width, height);
//! }
//! ```
//!
//! - `c/allocation-sum`: compare the parts with a limit first.
//! - `c/size-of-pointer`: dereference the pointer inside sizeof.
//! - `c/offset-scaled-twice`: leave out sizeof.
//! - `c/memset-swapped`: put the number of bytes last.
//!
//! ## References
//!
//! - [CWE-131](https://cwe.mitre.org/data/definitions/131.html)
//! - [CWE-190](https://cwe.mitre.org/data/definitions/190.html)
//! - [CWE-467](https://cwe.mitre.org/data/definitions/467.html)
//! - [CWE-468](https://cwe.mitre.org/data/definitions/468.html)
//! - [CWE-628](https://cwe.mitre.org/data/definitions/628.html)
//! - [CWE-680](https://cwe.mitre.org/data/definitions/680.html)
//! - [CWE-687](https://cwe.mitre.org/data/definitions/687.html)
//!
//! # `c/array-by-input`
//!
//! ## What it does
//!
//! Reports where an array on the stack is as long as the caller says.
//!
//! ## Why this is bad
//!
//! The stack has no room to spare and no way to refuse: a great length runs into other memory.
//!
//! ## Example
//!
//! ```c
//! int f(int count) {
//!     char line[count];
//!     return sizeof(line);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(int count) {
//!     if (count > 64)
//!         return 0;
//!     char line[count];
//!     return sizeof(line);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-770](https://cwe.mitre.org/data/definitions/770.html)
//! - [CWE-789](https://cwe.mitre.org/data/definitions/789.html)
//!
//! # `c/divisor-unchecked`
//!
//! ## What it does
//!
//! Reports where a number is divided by one that may be zero.
//!
//! ## Why this is bad
//!
//! A division by zero ends the process.
//!
//! ## Example
//!
//! ```c
//! int f(int total, int count) {
//!     return total / count;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(int total, int count) {
//!     if (count == 0)
//!         return 0;
//!     return total / count;
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-369](https://cwe.mitre.org/data/definitions/369.html)

use codeward_records::{Cwe, Level};

use crate::rules::{Example, RuleInfo};

pub(in crate::memory) static COPY_UNBOUNDED: RuleInfo = RuleInfo {
    code: "CW-C-120-1",
    name: "c/unbounded-copy",
    cwe: &[Cwe(120), Cwe(787), Cwe(121)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A text of any length is copied into a buffer of fixed size",
    fix: "use snprintf with the size of the buffer",
    examples: &[Example {
        weak: "void f(const char *name) {\n    char line[16];\n    strcpy(line, «name»);\n}\n",
        sound: "void f(const char *name) {\n    char line[16];\n    if (strlen(name) >= sizeof(line))\n        return;\n    strcpy(line, name);\n}\n",
    }],
};

pub(in crate::memory) static FORMAT_UNBOUNDED: RuleInfo = RuleInfo {
    code: "CW-C-120-2",
    name: "c/unbounded-format",
    cwe: &[Cwe(120), Cwe(787), Cwe(121)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A text of any length is formatted into a buffer of fixed size",
    fix: "use snprintf with the size of the buffer",
    examples: &[Example {
        weak: "void f(const char *name) {\n    char line[16];\n    sprintf(line, \"hello %s\", «name»);\n}\n",
        sound: "void f(const char *name) {\n    char line[16];\n    sprintf(line, \"hi %.5s\", name);\n}\n",
    }],
};

pub(in crate::memory) static SCAN_UNBOUNDED: RuleInfo = RuleInfo {
    code: "CW-C-120-3",
    name: "c/unbounded-scan",
    cwe: &[Cwe(120), Cwe(787)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A word of any length is read into a buffer",
    fix: "give a width that is less than the buffer's size",
    examples: &[Example {
        weak: "void f(void) {\n    char word[64];\n    scanf(«\"%s\"», word);\n}\n",
        sound: "void f(void) {\n    char word[64];\n    scanf(\"%63s\", word);\n}\n",
    }],
};

pub(in crate::memory) static COPY_LENGTH: RuleInfo = RuleInfo {
    code: "CW-C-120-4",
    name: "c/copy-length-unchecked",
    cwe: &[Cwe(120), Cwe(787), Cwe(119)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A length that nothing bounds is copied into a buffer of fixed size",
    fix: "compare the length with the size of the buffer",
    examples: &[Example {
        weak: "void f(const char *from, unsigned length) {\n    char line[64];\n    memcpy(line, from, «length»);\n}\n",
        sound: "void f(const char *from, unsigned length) {\n    char line[64];\n    if (length > sizeof(line))\n        return;\n    memcpy(line, from, length);\n}\n",
    }],
};

pub(in crate::memory) static SIZED_BY_SOURCE: RuleInfo = RuleInfo {
    code: "CW-C-120-5",
    name: "c/copy-sized-by-source",
    cwe: &[Cwe(120), Cwe(806), Cwe(787)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "As much is copied into a buffer of fixed size as there is to copy",
    fix: "use the lesser of both sizes",
    examples: &[Example {
        weak: "void f(const char *from) {\n    char line[64];\n    strncpy(line, from, «strlen(from)»);\n}\n",
        sound: "void f(const char *from) {\n    char line[64] = {0};\n    strncpy(line, from, sizeof(line) - 1);\n}\n",
    }],
};

pub(in crate::memory) static SCAN_WIDE: RuleInfo = RuleInfo {
    code: "CW-C-787-1",
    name: "c/scan-width",
    cwe: &[Cwe(787), Cwe(193)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A width leaves no byte for the end of the text",
    fix: "give a width that is less than the buffer's size",
    examples: &[Example {
        weak: "void f(void) {\n    char word[64];\n    scanf(«\"%64s\"», word);\n}\n",
        sound: "void f(void) {\n    char word[64];\n    scanf(\"%63s\", word);\n}\n",
    }],
};

pub(in crate::memory) static COPY_EXCEEDS: RuleInfo = RuleInfo {
    code: "CW-C-787-2",
    name: "c/copy-exceeds",
    cwe: &[Cwe(787), Cwe(121), Cwe(119)],
    severity: Level::High,
    confidence: Level::High,
    summary: "More bytes are written than the buffer has",
    fix: "use the size of the buffer",
    examples: &[Example {
        weak: "void f(const char *from) {\n    char line[64];\n    memcpy(line, from, «128»);\n}\n",
        sound: "void f(const char *from) {\n    char line[64];\n    memcpy(line, from, sizeof(line));\n}\n",
    }],
};

pub(in crate::memory) static TEXT_EXCEEDS: RuleInfo = RuleInfo {
    code: "CW-C-787-3",
    name: "c/text-exceeds",
    cwe: &[Cwe(787), Cwe(131)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A fixed text is longer than the buffer that it is copied to",
    fix: "make the buffer longer",
    examples: &[Example {
        weak: "void f(void) {\n    char line[4];\n    strcpy(line, «\"four\"»);\n}\n",
        sound: "void f(void) {\n    char line[5];\n    strcpy(line, \"four\");\n}\n",
    }],
};

pub(in crate::memory) static DEST_OFFSET: RuleInfo = RuleInfo {
    code: "CW-C-787-4",
    name: "c/offset-ignored",
    cwe: &[Cwe(787), Cwe(805)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Behind an offset into a buffer the whole size is written",
    fix: "subtract the offset from the size",
    examples: &[Example {
        weak: "void f(int s, int used) {\n    char line[64];\n    recv(s, line + used, «sizeof(line)», 0);\n}\n",
        sound: "void f(int s, int used) {\n    char line[64];\n    recv(s, line + used, sizeof(line) - used, 0);\n}\n",
    }],
};

pub(in crate::memory) static PRINTED_LENGTH: RuleInfo = RuleInfo {
    code: "CW-C-787-5",
    name: "c/printed-length-as-index",
    cwe: &[Cwe(787), Cwe(252)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "What snprintf returns is an index, although it may be past the end",
    fix: "compare it with the size of the buffer",
    examples: &[Example {
        weak: "void f(const char *name) {\n    char line[16];\n    int length = snprintf(line, sizeof(line), \"%s\", name);\n    line[«length»] = '!';\n}\n",
        sound: "void f(const char *name) {\n    char line[16];\n    int length = snprintf(line, sizeof(line), \"%s\", name);\n    if (length < 0 || length >= sizeof(line))\n        return;\n    line[length] = '!';\n}\n",
    }],
};

pub(in crate::memory) static OUT_OF_RANGE: RuleInfo = RuleInfo {
    code: "CW-C-787-6",
    name: "c/index-out-of-range",
    cwe: &[Cwe(787), Cwe(125), Cwe(119)],
    severity: Level::High,
    confidence: Level::High,
    summary: "An array has fewer elements than a fixed index says",
    fix: "use an index below the number of elements",
    examples: &[Example {
        weak: "void f(void) {\n    int list[4];\n    list[«4»] = 0;\n}\n",
        sound: "void f(void) {\n    int list[4];\n    list[3] = 0;\n}\n",
    }],
};

pub(in crate::memory) static APPEND_SIZE: RuleInfo = RuleInfo {
    code: "CW-C-787-7",
    name: "c/append-size",
    cwe: &[Cwe(787), Cwe(193)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The size of the buffer is given where the bytes left are meant",
    fix: "subtract strlen and one",
    examples: &[Example {
        weak: "void f(const char *more) {\n    char line[64] = \"a\";\n    strncat(line, more, «sizeof(line)»);\n}\n",
        sound: "void f(const char *more) {\n    char line[64] = \"a\";\n    strncat(line, more, sizeof(line) - 2);\n}\n",
    }],
};

pub(in crate::memory) static COUNTDOWN: RuleInfo = RuleInfo {
    code: "CW-C-787-8",
    name: "c/countdown-unbounded",
    cwe: &[Cwe(787), Cwe(124), Cwe(125)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A loop counts down and stops at nothing but what the memory holds",
    fix: "compare the index with the start too",
    examples: &[Example {
        weak: "void f(char *text, int length) {\n    while (text[«length - 1»] == ' ')\n        length--;\n}\n",
        sound: "void f(char *text, int length) {\n    while (length > 0 && text[length - 1] == ' ')\n        length--;\n}\n",
    }],
};

pub(in crate::memory) static OFF_BY_ONE: RuleInfo = RuleInfo {
    code: "CW-C-193-1",
    name: "c/off-by-one",
    cwe: &[Cwe(193), Cwe(787), Cwe(125)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A loop reaches one element past the end of an array",
    fix: "stop one earlier",
    examples: &[Example {
        weak: "void f(void) {\n    int list[8];\n    for (int i = 0; i <= 8; i++)\n        list[«i»] = 0;\n}\n",
        sound: "void f(void) {\n    int list[8];\n    for (int i = 0; i < 8; i++)\n        list[i] = 0;\n}\n",
    }],
};

pub(in crate::memory) static TERMINATED_PAST: RuleInfo = RuleInfo {
    code: "CW-C-193-2",
    name: "c/terminated-past-end",
    cwe: &[Cwe(193), Cwe(787)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A text is ended one byte past a buffer that may be full",
    fix: "read one byte less",
    examples: &[Example {
        weak: "void f(int s) {\n    char line[64];\n    int n = read(s, line, sizeof(line));\n    line[«n»] = 0;\n}\n",
        sound: "void f(int s) {\n    char line[64];\n    int n = read(s, line, sizeof(line) - 1);\n    line[n] = 0;\n}\n",
    }],
};

pub(in crate::memory) static INDEX_INPUT: RuleInfo = RuleInfo {
    code: "CW-C-129-1",
    name: "c/index-unchecked-write",
    cwe: &[Cwe(129), Cwe(787)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "An element is written at an index that nothing bounds",
    fix: "compare the index with the number of elements",
    examples: &[Example {
        weak: "void f(int *list, int at) {\n    list[«at»] = 1;\n}\n",
        sound: "void f(int *list, int at, int count) {\n    if (at < 0 || at >= count)\n        return;\n    list[at] = 1;\n}\n",
    }],
};

pub(in crate::memory) static INDEX_READ: RuleInfo = RuleInfo {
    code: "CW-C-125-1",
    name: "c/index-unchecked-read",
    cwe: &[Cwe(125), Cwe(129)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An element is read at an index that nothing bounds",
    fix: "compare the index with the number of elements",
    examples: &[Example {
        weak: "int f(const int *list, int at) {\n    return list[«at»];\n}\n",
        sound: "int f(const int *list, int at, int count) {\n    if (at < 0 || at >= count)\n        return -1;\n    return list[at];\n}\n",
    }],
};

pub(in crate::memory) static INDEX_NEGATIVE: RuleInfo = RuleInfo {
    code: "CW-C-129-2",
    name: "c/index-negative",
    cwe: &[Cwe(129), Cwe(125)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An index is compared with the upper bound only and may be less than zero",
    fix: "compare it with zero too",
    examples: &[Example {
        weak: "int f(const int *list, int at) {\n    if (at >= 10)\n        return -1;\n    return list[«at»];\n}\n",
        sound: "int f(const int *list, int at) {\n    if (at < 0 || at >= 10)\n        return -1;\n    return list[at];\n}\n",
    }],
};

pub(in crate::memory) static LENGTH_NEGATIVE: RuleInfo = RuleInfo {
    code: "CW-C-195-1",
    name: "c/length-negative",
    cwe: &[Cwe(195), Cwe(190)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A signed length is compared with the upper bound only",
    fix: "compare it with zero too",
    examples: &[Example {
        weak: "void f(char *to, const char *from, int length) {\n    if (length > 64)\n        return;\n    memcpy(to, from, «length»);\n}\n",
        sound: "void f(char *to, const char *from, unsigned length) {\n    if (length > 64)\n        return;\n    memcpy(to, from, length);\n}\n",
    }],
};

pub(in crate::memory) static UNTERMINATED: RuleInfo = RuleInfo {
    code: "CW-C-170-1",
    name: "c/unterminated",
    cwe: &[Cwe(170), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A copied text may fill its buffer and then has no end",
    fix: "copy one byte less and set the last to zero",
    examples: &[Example {
        weak: "void f(const char *from) {\n    char line[64];\n    strncpy(line, from, «sizeof(line)»);\n    puts(line);\n}\n",
        sound: "void f(const char *from) {\n    char line[64];\n    strncpy(line, from, sizeof(line));\n    line[63] = 0;\n    puts(line);\n}\n",
    }],
};

pub(in crate::memory) static LENGTH_SHORT: RuleInfo = RuleInfo {
    code: "CW-C-131-1",
    name: "c/no-room-for-end",
    cwe: &[Cwe(131), Cwe(787)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Memory for a text is taken without a byte for its end",
    fix: "add one to strlen",
    examples: &[Example {
        weak: "char *f(const char *from) {\n    char *to = malloc(strlen(from));\n    if (to)\n        strcpy(to, «from»);\n    return to;\n}\n",
        sound: "char *f(const char *from) {\n    char *to = malloc(strlen(from) + 1);\n    if (to)\n        strcpy(to, from);\n    return to;\n}\n",
    }],
};

pub(in crate::memory) static PRODUCT: RuleInfo = RuleInfo {
    code: "CW-C-190-1",
    name: "c/allocation-product",
    cwe: &[Cwe(190), Cwe(680), Cwe(131), Cwe(787)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "The size of an allocation is a product that may wrap around",
    fix: "use calloc, or compare the factors first",
    examples: &[Example {
        weak: "void *f(unsigned width, unsigned height) {\n    return malloc(«width * height»);\n}\n",
        sound: "void *f(unsigned width, unsigned height) {\n    return calloc(width, height);\n}\n",
    }],
};

pub(in crate::memory) static SUM: RuleInfo = RuleInfo {
    code: "CW-C-190-2",
    name: "c/allocation-sum",
    cwe: &[Cwe(190), Cwe(680), Cwe(131), Cwe(787)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "The size of an allocation is a sum that may wrap around",
    fix: "compare the parts with a limit first",
    examples: &[Example {
        weak: "void *f(unsigned length) {\n    return malloc(«length + 1»);\n}\n",
        sound: "void *f(unsigned length) {\n    if (length > 4096)\n        return 0;\n    return malloc(length + 1);\n}\n",
    }],
};

pub(in crate::memory) static POINTER_SIZE: RuleInfo = RuleInfo {
    code: "CW-C-467-1",
    name: "c/size-of-pointer",
    cwe: &[Cwe(467), Cwe(131)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The size of a pointer is taken where that of its target is meant",
    fix: "dereference the pointer inside sizeof",
    examples: &[Example {
        weak: "void f(struct box *item) {\n    memset(item, 0, «sizeof(item)»);\n}\n",
        sound: "void f(struct box *item) {\n    memset(item, 0, sizeof(*item));\n}\n",
    }],
};

pub(in crate::memory) static SCALED_TWICE: RuleInfo = RuleInfo {
    code: "CW-C-468-1",
    name: "c/offset-scaled-twice",
    cwe: &[Cwe(468)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The offset of a pointer is multiplied by the size of its elements",
    fix: "leave out sizeof",
    examples: &[Example {
        weak: "void f(long long *list, int from, int count) {\n    memset(list + «from * sizeof(long long)», 0, count);\n}\n",
        sound: "void f(long long *list, int from, int count) {\n    memset(list + from, 0, count * sizeof(long long));\n}\n",
    }],
};

pub(in crate::memory) static SET_SWAPPED: RuleInfo = RuleInfo {
    code: "CW-C-628-1",
    name: "c/memset-swapped",
    cwe: &[Cwe(628), Cwe(687)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "The value and the number of bytes of memset are swapped",
    fix: "put the number of bytes last",
    examples: &[Example {
        weak: "void f(char *line) {\n    memset(line, 64, «0»);\n}\n",
        sound: "void f(char *line) {\n    memset(line, 0, 64);\n}\n",
    }],
};

pub(in crate::memory) static GREAT_ARRAY: RuleInfo = RuleInfo {
    code: "CW-C-789-1",
    name: "c/array-by-input",
    cwe: &[Cwe(789), Cwe(770)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An array on the stack is as long as the caller says",
    fix: "allocate it, or compare the length with a limit",
    examples: &[Example {
        weak: "int f(int count) {\n    char line[«count»];\n    return sizeof(line);\n}\n",
        sound: "int f(int count) {\n    if (count > 64)\n        return 0;\n    char line[count];\n    return sizeof(line);\n}\n",
    }],
};

pub(in crate::memory) static DIVISOR: RuleInfo = RuleInfo {
    code: "CW-C-369-1",
    name: "c/divisor-unchecked",
    cwe: &[Cwe(369)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A number is divided by one that may be zero",
    fix: "compare the divisor with zero first",
    examples: &[Example {
        weak: "int f(int total, int count) {\n    return total / «count»;\n}\n",
        sound: "int f(int total, int count) {\n    if (count == 0)\n        return 0;\n    return total / count;\n}\n",
    }],
};

pub(in crate::memory) static LENGTH_IGNORED: RuleInfo = RuleInfo {
    code: "CW-C-125-2",
    name: "c/length-ignored",
    cwe: &[Cwe(125), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Bytes are read before the length that comes with them is looked at",
    fix: "compare the length first",
    examples: &[Example {
        weak: "int f(const unsigned char *data, int length) {\n    return data[«1»] << 8;\n}\n",
        sound: "int f(const unsigned char *data, int length) {\n    if (length < 2)\n        return -1;\n    return data[1] << 8;\n}\n",
    }],
};

pub(in crate::memory) static INDEX_STORED: RuleInfo = RuleInfo {
    code: "CW-C-125-3",
    name: "c/index-from-data",
    cwe: &[Cwe(125), Cwe(129)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "An element of a table is read at an index that stands in data",
    fix: "compare the index with the number of elements",
    examples: &[Example {
        weak: "static int table[16];\nint f(const unsigned char *data) {\n    int at = data[0];\n    return table[«at»];\n}\n",
        sound: "static int table[16];\nint f(const unsigned char *data) {\n    int at = data[0];\n    if (at >= 16)\n        return -1;\n    return table[at];\n}\n",
    }],
};

pub(in crate::memory) static STREAM_UNCHECKED: RuleInfo = RuleInfo {
    code: "CW-C-125-4",
    name: "c/stream-unchecked",
    cwe: &[Cwe(125), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "More is read from a stream than was found to be left in it",
    fix: "compare the remaining length first",
    examples: &[Example {
        weak: "int f(wStream *s, struct box *item) {\n    if (Stream_GetRemainingLength(s) < 4)\n        return -1;\n    Stream_Read_UINT32(s, item->size);\n    Stream_Read_UINT16(«s», item->kind);\n    return 0;\n}\n",
        sound: "int f(wStream *s, struct box *item) {\n    if (Stream_GetRemainingLength(s) < 6)\n        return -1;\n    Stream_Read_UINT32(s, item->size);\n    Stream_Read_UINT16(s, item->kind);\n    return 0;\n}\n",
    }],
};

pub(in crate::memory) static COMPARE_LENGTH: RuleInfo = RuleInfo {
    code: "CW-C-125-5",
    name: "c/compared-past-end",
    cwe: &[Cwe(125), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "As many bytes are compared as one of two texts has",
    fix: "compare both lengths first, or use strncmp",
    examples: &[Example {
        weak: "int f(const char *name, const char *given) {\n    return memcmp(name, given, «strlen(name)») == 0;\n}\n",
        sound: "int f(const char *name, const char *given) {\n    return strncmp(name, given, strlen(name)) == 0;\n}\n",
    }],
};

pub(in crate::memory) static SUM_COMPARED: RuleInfo = RuleInfo {
    code: "CW-C-190-3",
    name: "c/sum-compared",
    cwe: &[Cwe(190)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A sum of two numbers of the caller that may wrap around is compared with a limit",
    fix: "compare one of them with what is left after the other",
    examples: &[Example {
        weak: "int f(size_t from, size_t length, struct box *item) {\n    if («from + length» > item->size)\n        return -1;\n    return 0;\n}\n",
        sound: "int f(size_t from, size_t length, struct box *item) {\n    if (length > item->size || from > item->size - length)\n        return -1;\n    return 0;\n}\n",
    }],
};
