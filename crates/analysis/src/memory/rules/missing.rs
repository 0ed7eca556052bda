//! Rules about checks that are missing, which is no more than a guess: whoever calls may have made them.
//!
//! # `c/result-trusted`, `c/list-ends-first`, `c/callback-unchecked`, `c/used-after-release`
//!
//! ## What they do
//!
//! - `c/result-trusted`: what a function looked up, started or took from data is followed without a comparison with null.
//! - `c/list-ends-first`: a loop counts and walks a list, and only the count is compared.
//! - `c/callback-unchecked`: an operation that not everything has, such as `close`, is called without a look at whether it is there.
//! - `c/used-after-release`: a pointer is followed after the reference to what it leads to was given up.
//!
//! ## Why this is bad
//!
//! Such pointers are null, or lead to memory that is gone, in the rare case that nobody tried: a name that is not in the table,
//! a list that is shorter than its header says.
//!
//! ## Example
//!
//! ```c
//! int f(struct table *all, int id) {
//!     struct box *item = box_by_id(all, id);
//!     return item->size;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(struct table *all, int id) {
//!     struct box *item = box_by_id(all, id);
//!     if (!item)
//!         return 0;
//!     return item->size;
//! }
//! ```
//!
//! - `c/list-ends-first`: compare the pointer with null in the loop.
//! - `c/callback-unchecked`: compare the operation with null first.
//! - `c/used-after-release`: give the reference up after the last use.
//!
//! ## References
//!
//! - [CWE-416](https://cwe.mitre.org/data/definitions/416.html)
//! - [CWE-476](https://cwe.mitre.org/data/definitions/476.html)
//! - [CWE-690](https://cwe.mitre.org/data/definitions/690.html)
//!
//! # `c/header-unmeasured`, `c/offset-unmeasured`, `c/end-ignored`, `c/escape-at-end`, `cpp/container-length`
//!
//! ## What they do
//!
//! - `c/header-unmeasured`: bytes are read as a structure, and nothing in the function is compared with the size of one.
//! - `c/offset-unmeasured`: data is read at an offset that moves on and is compared with nothing.
//! - `c/end-ignored`: a loop within a loop moves the pointer that only the outer one compares with the end.
//! - `c/escape-at-end`: a backslash makes a loop skip the next letter, which may be the end of the text.
//! - `cpp/container-length`: bytes are copied from a container whose size nobody asks for.
//!
//! ## Why this is bad
//!
//! Whoever sends the data chooses where it ends. What lies behind the end is read instead: other requests, keys, or nothing that
//! can be read at all.
//!
//! ## Example
//!
//! ```c
//! int f(unsigned char *data, int length) {
//!     struct header *head;
//!     if (length <= 0)
//!         return -1;
//!     head = (struct header *)data;
//!     return head->kind;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(unsigned char *data, int length) {
//!     struct header *head;
//!     if (length < sizeof(struct header))
//!         return -1;
//!     head = (struct header *)data;
//!     return head->kind;
//! }
//! ```
//!
//! - `c/offset-unmeasured`: compare the offset with the length before each read.
//! - `c/end-ignored`: compare the pointer with the end in the inner loop too.
//! - `c/escape-at-end`: compare the next letter with the end before it is skipped.
//! - `cpp/container-length`: copy no more than the size of the container.
//!
//! ## References
//!
//! - [CWE-119](https://cwe.mitre.org/data/definitions/119.html)
//! - [CWE-125](https://cwe.mitre.org/data/definitions/125.html)
//! - [CWE-126](https://cwe.mitre.org/data/definitions/126.html)
//!
//! # `c/difference-unchecked`, `c/pointer-sum-compared`, `c/product-compared-late`, `c/shift-unchecked`, `c/total-unchecked`, `c/counter-narrow`, `c/length-narrowed`
//!
//! ## What they do
//!
//! - `c/difference-unchecked`: one length is taken from another that may be less.
//! - `c/pointer-sum-compared`: a pointer moved on by an unknown length is compared with the end.
//! - `c/product-compared-late`: a number is compared with a limit after it may have wrapped around.
//! - `c/shift-unchecked`: an int is shifted by an amount that nobody looked at.
//! - `c/total-unchecked`: a sum that grew in a loop without a limit is the size of an allocation.
//! - `c/counter-narrow`: a counter of one byte has a limit that may be greater than it can get.
//! - `c/length-narrowed`: the size of an allocation is counted in a variable of one or two bytes.
//!
//! ## Why this is bad
//!
//! A number that does not fit its type becomes a small one, which passes the comparison, and too little memory is taken for what
//! is then written to it.
//!
//! ## Example
//!
//! ```c
//! size_t f(const char *text, size_t skipped) {
//!     size_t length = strlen(text);
//!     size_t rest = length - skipped;
//!     return rest;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! size_t f(const char *text, size_t skipped) {
//!     size_t length = strlen(text);
//!     if (length < skipped)
//!         return 0;
//!     size_t rest = length - skipped;
//!     return rest;
//! }
//! ```
//!
//! - `c/pointer-sum-compared`: compare the length with what is left up to the end.
//! - `c/product-compared-late`: compare the factors or parts before they are put together.
//! - `c/shift-unchecked`: compare the amount first, and shift a number of the type of the result.
//! - `c/total-unchecked`: compare the sum with what is left before each addition.
//! - `c/counter-narrow`: give the counter the type of its limit.
//! - `c/length-narrowed`: count it in a size_t.
//!
//! ## References
//!
//! - [CWE-190](https://cwe.mitre.org/data/definitions/190.html)
//! - [CWE-191](https://cwe.mitre.org/data/definitions/191.html)
//! - [CWE-197](https://cwe.mitre.org/data/definitions/197.html)
//! - [CWE-680](https://cwe.mitre.org/data/definitions/680.html)

use codeward_records::{Cwe, Level};

use crate::rules::{Example, RuleInfo};

pub(in crate::memory) static RESULT_TRUSTED: RuleInfo = RuleInfo {
    code: "CW-C-476-9",
    name: "c/result-trusted",
    cwe: &[Cwe(476), Cwe(690)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "What a function looked up, started or took from data is followed without a comparison with null",
    fix: "compare the pointer with null",
    examples: &[Example {
        weak: "int f(struct table *all, int id) {\n    struct box *item = box_by_id(all, id);\n    return «item»->size;\n}\n",
        sound: "int f(struct table *all, int id) {\n    struct box *item = box_by_id(all, id);\n    if (!item)\n        return 0;\n    return item->size;\n}\n",
    }],
};

pub(in crate::memory) static WALKED: RuleInfo = RuleInfo {
    code: "CW-C-476-7",
    name: "c/list-ends-first",
    cwe: &[Cwe(476)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A loop that counts also walks a list, whose end nobody looks at",
    fix: "compare the pointer with null in the loop",
    examples: &[Example {
        weak: "int f(struct box *item, int count) {\n    int total = 0;\n    for (int i = 0; i < count; i++, item = «item->next»)\n        total += item->size;\n    return total;\n}\n",
        sound: "int f(struct box *item, int count) {\n    int total = 0;\n    for (int i = 0; i < count && item; i++, item = item->next)\n        total += item->size;\n    return total;\n}\n",
    }],
};

pub(in crate::memory) static CALLBACK: RuleInfo = RuleInfo {
    code: "CW-C-476-8",
    name: "c/callback-unchecked",
    cwe: &[Cwe(476)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "An operation that not everything has is called without a look at whether it is there",
    fix: "compare the operation with null first",
    examples: &[Example {
        weak: "void f(struct device *item) {\n    «item->driver->cleanup»(item);\n}\n",
        sound: "void f(struct device *item) {\n    if (item->driver->cleanup)\n        item->driver->cleanup(item);\n}\n",
    }],
};

pub(in crate::memory) static RELEASED: RuleInfo = RuleInfo {
    code: "CW-C-416-3",
    name: "c/used-after-release",
    cwe: &[Cwe(416), Cwe(825)],
    severity: Level::High,
    confidence: Level::Low,
    summary: "A pointer is followed after its reference was given up",
    fix: "give the reference up after the last use",
    examples: &[Example {
        weak: "int f(struct device *item) {\n    device_put(item);\n    return «item»->size;\n}\n",
        sound: "int f(struct device *item) {\n    int size = item->size;\n    device_put(item);\n    return size;\n}\n",
    }],
};

pub(in crate::memory) static HEADER: RuleInfo = RuleInfo {
    code: "CW-C-125-6",
    name: "c/header-unmeasured",
    cwe: &[Cwe(125), Cwe(119)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Bytes are read as a structure, and nothing in the function asks whether there are so many",
    fix: "compare the remaining length with the size of the structure first",
    examples: &[Example {
        weak: "int f(unsigned char *data, int length) {\n    struct header *head;\n    if (length <= 0)\n        return -1;\n    head = «(struct header *)data»;\n    return head->kind;\n}\n",
        sound: "int f(unsigned char *data, int length) {\n    struct header *head;\n    if (length < sizeof(struct header))\n        return -1;\n    head = (struct header *)data;\n    return head->kind;\n}\n",
    }],
};

pub(in crate::memory) static OFFSET: RuleInfo = RuleInfo {
    code: "CW-C-125-7",
    name: "c/offset-unmeasured",
    cwe: &[Cwe(125), Cwe(119)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Data is read at an offset that moves on and is compared with nothing, although the length was handed with it",
    fix: "compare the offset with the length before each read",
    examples: &[Example {
        weak: "int f(const unsigned char *data, int length) {\n    int at = 0;\n    if (length < 1)\n        return 0;\n    while (data[«at»] != 0)\n        at++;\n    return 1;\n}\n",
        sound: "int f(const unsigned char *data, int length) {\n    int at = 0;\n    while (at < length && data[at] != 0)\n        at++;\n    return 1;\n}\n",
    }],
};

pub(in crate::memory) static END_IGNORED: RuleInfo = RuleInfo {
    code: "CW-C-125-8",
    name: "c/end-ignored",
    cwe: &[Cwe(125), Cwe(119)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A loop within a loop moves the pointer that only the outer one compares with the end",
    fix: "compare the pointer with the end in the inner loop too",
    examples: &[Example {
        weak: "int f(const char *text, const char *end, int count) {\n    while (text < end) {\n        int left = count;\n        while (left > 0) {\n            if («*text++» != ' ')\n                return 0;\n            left--;\n        }\n    }\n    return 1;\n}\n",
        sound: "int f(const char *text, const char *end, int count) {\n    while (text < end) {\n        int left = count;\n        while (left > 0) {\n            if (text >= end)\n                return 0;\n            if (*text++ != ' ')\n                return 0;\n            left--;\n        }\n    }\n    return 1;\n}\n",
    }],
};

pub(in crate::memory) static ESCAPE: RuleInfo = RuleInfo {
    code: "CW-C-125-9",
    name: "c/escape-at-end",
    cwe: &[Cwe(125), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A backslash makes a loop skip the next letter, which may be the end of the text",
    fix: "compare the next letter with the end before it is skipped",
    examples: &[Example {
        weak: "int f(const char *text) {\n    int length = 0;\n    while (*text && *text != '\"') {\n        if (*text++ == '\\\\')\n            «text++»;\n        length++;\n    }\n    return length;\n}\n",
        sound: "int f(const char *text) {\n    int length = 0;\n    while (*text && *text != '\"') {\n        if (*text++ == '\\\\') {\n            if (*text == 0)\n                return -1;\n            text++;\n        }\n        length++;\n    }\n    return length;\n}\n",
    }],
};

pub(in crate::memory) static CONTAINER_READ: RuleInfo = RuleInfo {
    code: "CW-CPP-125-2",
    name: "cpp/container-length",
    cwe: &[Cwe(125), Cwe(126)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "So many bytes are copied from a container, and nothing in the function asks for its size",
    fix: "copy no more than the size of the container",
    examples: &[Example {
        weak: "void f(char *to, Answer &answer, size_t length) {\n    auto part = answer.next();\n    memcpy(to, part.data(), «length»);\n}\n",
        sound: "void f(char *to, Answer &answer, size_t length) {\n    auto part = answer.next();\n    memcpy(to, part.data(), std::min(length, part.size()));\n}\n",
    }],
};

pub(in crate::memory) static DIFFERENCE: RuleInfo = RuleInfo {
    code: "CW-C-191-1",
    name: "c/difference-unchecked",
    cwe: &[Cwe(191), Cwe(190)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "One length is taken from another that may be less, and nobody compared them",
    fix: "compare the two lengths first",
    examples: &[Example {
        weak: "size_t f(const char *text, size_t skipped) {\n    size_t length = strlen(text);\n    size_t rest = «length - skipped»;\n    return rest;\n}\n",
        sound: "size_t f(const char *text, size_t skipped) {\n    size_t length = strlen(text);\n    if (length < skipped)\n        return 0;\n    size_t rest = length - skipped;\n    return rest;\n}\n",
    }],
};

pub(in crate::memory) static POINTER_SUM: RuleInfo = RuleInfo {
    code: "CW-C-190-4",
    name: "c/pointer-sum-compared",
    cwe: &[Cwe(190), Cwe(125)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A pointer moved on by a length that may be great is compared with the end",
    fix: "compare the length with what is left up to the end",
    examples: &[Example {
        weak: "int f(const unsigned char *data, const unsigned char *end, size_t length) {\n    if («data + length» > end)\n        return -1;\n    return 0;\n}\n",
        sound: "int f(const unsigned char *data, const unsigned char *end, size_t length) {\n    if (length > end - data)\n        return -1;\n    return 0;\n}\n",
    }],
};

pub(in crate::memory) static COMPARED_AFTER: RuleInfo = RuleInfo {
    code: "CW-C-190-5",
    name: "c/product-compared-late",
    cwe: &[Cwe(190)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A number that may have wrapped around is compared with a limit",
    fix: "compare the factors or parts before they are put together",
    examples: &[Example {
        weak: "int f(int width, int height) {\n    int size = width * height;\n    if («size» > 65536)\n        return -1;\n    return size;\n}\n",
        sound: "int f(int width, int height) {\n    if (width > 256 || height > 256)\n        return -1;\n    return width * height;\n}\n",
    }],
};

pub(in crate::memory) static SHIFT: RuleInfo = RuleInfo {
    code: "CW-C-190-6",
    name: "c/shift-unchecked",
    cwe: &[Cwe(190)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "An int is shifted by an amount that nobody looked at",
    fix: "compare the amount first, and shift a number of the type of the result",
    examples: &[Example {
        weak: "int f(int bits) {\n    return 1 << («bits - 1»);\n}\n",
        sound: "int f(int bits) {\n    if (bits < 1 || bits > 31)\n        return 0;\n    return 1 << (bits - 1);\n}\n",
    }],
};

pub(in crate::memory) static GROWN: RuleInfo = RuleInfo {
    code: "CW-C-190-7",
    name: "c/total-unchecked",
    cwe: &[Cwe(190), Cwe(680)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A sum that grew in a loop without a limit is the size of an allocation",
    fix: "compare the sum with what is left before each addition",
    examples: &[Example {
        weak: "char *f(struct box *all, int count) {\n    size_t total = 0;\n    for (int i = 0; i < count; i++)\n        total += all[i].size;\n    return malloc(«total»);\n}\n",
        sound: "char *f(struct box *all, int count) {\n    size_t total = 0;\n    for (int i = 0; i < count; i++) {\n        if (total > LIMIT - all[i].size)\n            return NULL;\n        total += all[i].size;\n    }\n    return malloc(total);\n}\n",
    }],
};

pub(in crate::memory) static NARROW: RuleInfo = RuleInfo {
    code: "CW-C-190-8",
    name: "c/counter-narrow",
    cwe: &[Cwe(190), Cwe(197)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A counter of one byte is compared with a number that may be greater than it can get",
    fix: "give the counter the type of its limit",
    examples: &[Example {
        weak: "int f(struct box *item) {\n    int total = 0;\n    for (unsigned char i = 0; «i» < item->size; i++)\n        total += i;\n    return total;\n}\n",
        sound: "int f(struct box *item) {\n    int total = 0;\n    for (size_t i = 0; i < item->size; i++)\n        total += i;\n    return total;\n}\n",
    }],
};

pub(in crate::memory) static LENGTH_NARROW: RuleInfo = RuleInfo {
    code: "CW-C-197-1",
    name: "c/length-narrowed",
    cwe: &[Cwe(197), Cwe(190), Cwe(787)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "The size of an allocation is counted in a variable of one or two bytes",
    fix: "count it in a size_t",
    examples: &[Example {
        weak: "char *f(const char *text, char *all) {\n    static unsigned short length;\n    length += strlen(text);\n    return realloc(all, «length + 1»);\n}\n",
        sound: "char *f(const char *text, char *all) {\n    static size_t length;\n    length += strlen(text);\n    return realloc(all, length + 1);\n}\n",
    }],
};
