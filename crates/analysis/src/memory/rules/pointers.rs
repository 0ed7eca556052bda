//! Rules about pointers, what they lead to, and what is done with results.
//!
//! # `c/allocation-unchecked`, `c/open-unchecked`, `c/search-unchecked`, `c/result-unchecked`, `c/null-followed`, `c/checked-late`, `cpp/end-followed`
//!
//! ## What they do
//!
//! - `c/allocation-unchecked`: the result of an allocation is used without a comparison with null.
//! - `c/open-unchecked`: a file is used without a comparison of its pointer with null.
//! - `c/search-unchecked`: what a search found is used without a comparison with null.
//! - `c/result-unchecked`: a pointer is used that a function found or made, without a comparison with null.
//! - `c/null-followed`: a pointer is followed where it is known to be null.
//! - `c/checked-late`: a pointer is followed first and compared with null further down.
//! - `cpp/end-followed`: what a search in a container found is used without a comparison with the end.
//!
//! ## Why this is bad
//!
//! Following a null pointer ends the process; where low addresses can be mapped, or with a great offset, it writes elsewhere. A
//! compiler may also drop a comparison that comes too late.
//!
//! ## Example
//!
//! ```c
//! char *f(void) {
//!     char *line = malloc(64);
//!     line[0] = 0;
//!     return line;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! char *f(void) {
//!     char *line = malloc(64);
//!     if (!line)
//!         return 0;
//!     line[0] = 0;
//!     return line;
//! }
//! ```
//!
//! - `c/open-unchecked`: compare the pointer with null.
//! - `c/search-unchecked`: compare the pointer with null.
//! - `c/result-unchecked`: compare the pointer with null.
//! - `c/null-followed`: return before that.
//! - `c/checked-late`: compare it before it is followed.
//!
//! ## References
//!
//! - [CWE-252](https://cwe.mitre.org/data/definitions/252.html)
//! - [CWE-476](https://cwe.mitre.org/data/definitions/476.html)
//! - [CWE-690](https://cwe.mitre.org/data/definitions/690.html)
//!
//! # `c/use-after-free`, `c/dangling-field`, `c/double-free`, `c/local-returned`, `cpp/temporary-text`, `cpp/changed-while-read`
//!
//! ## What they do
//!
//! - `c/use-after-free`: memory is used after it was given back.
//! - `c/dangling-field`: a field still points to memory that was given back.
//! - `c/double-free`: memory is given back twice.
//! - `c/local-returned`: the address of a local variable is returned.
//! - `cpp/temporary-text`: a pointer into a temporary text is kept.
//! - `cpp/changed-while-read`: a container is changed inside the loop that reads it.
//!
//! ## Why this is bad
//!
//! The memory already belongs to somebody else, who sees it change, or whose values are taken for the old ones.
//!
//! ## Example
//!
//! ```c
//! void f(struct box *item) {
//!     free(item);
//!     log_size(item->size);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(struct box *item) {
//!     log_size(item->size);
//!     free(item);
//! }
//! ```
//!
//! - `c/dangling-field`: set the field to null.
//! - `c/double-free`: set the pointer to null after the first time.
//! - `c/local-returned`: let the caller pass a buffer.
//! - `cpp/temporary-text`: keep the std::string itself.
//! - `cpp/changed-while-read`: collect the changes first.
//!
//! ## References
//!
//! - [CWE-415](https://cwe.mitre.org/data/definitions/415.html)
//! - [CWE-416](https://cwe.mitre.org/data/definitions/416.html)
//! - [CWE-562](https://cwe.mitre.org/data/definitions/562.html)
//! - [CWE-825](https://cwe.mitre.org/data/definitions/825.html)
//!
//! # `c/free-of-local`, `cpp/mismatched-delete`, `cpp/auto-pointer`
//!
//! ## What they do
//!
//! - `c/free-of-local`: memory is given back that was not allocated.
//! - `cpp/mismatched-delete`: memory is given back in another way than it was taken.
//! - `cpp/auto-pointer`: a pointer class is used that was removed from the language.
//!
//! ## Why this is bad
//!
//! The heap's own lists are damaged when it is handed memory that it did not give out in this way.
//!
//! ## Example
//!
//! ```c
//! void f(void) {
//!     char line[64];
//!     free(line);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void) {
//!     char *line = malloc(64);
//!     free(line);
//! }
//! ```
//!
//! - `cpp/mismatched-delete`: use delete for new, delete[] for new[], free for malloc.
//! - `cpp/auto-pointer`: use std::unique_ptr.
//!
//! ## References
//!
//! - [CWE-477](https://cwe.mitre.org/data/definitions/477.html)
//! - [CWE-590](https://cwe.mitre.org/data/definitions/590.html)
//! - [CWE-762](https://cwe.mitre.org/data/definitions/762.html)
//!
//! # `c/realloc-lost`, `c/leak-on-error`
//!
//! ## What they do
//!
//! - `c/realloc-lost`: the result of realloc replaces the only pointer to the old memory.
//! - `c/leak-on-error`: a function is left on an error and the memory that it took is lost.
//!
//! ## Why this is bad
//!
//! Memory that nobody can give back adds up until none is left.
//!
//! ## Example
//!
//! ```c
//! void f(char *line) {
//!     line = realloc(line, 128);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(char *line) {
//!     char *more = realloc(line, 128);
//!     if (more)
//!         line = more;
//! }
//! ```
//!
//! - `c/leak-on-error`: free it first.
//!
//! ## References
//!
//! - [CWE-401](https://cwe.mitre.org/data/definitions/401.html)
//!
//! # `c/uninitialised`
//!
//! ## What it does
//!
//! Reports where a variable is read before anything was stored in it.
//!
//! ## Why this is bad
//!
//! The variable holds whatever was there before, which may be a secret or may be chosen by somebody else.
//!
//! ## Example
//!
//! ```c
//! int f(void) {
//!     int total;
//!     return total + 1;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(void) {
//!     int total = 0;
//!     return total + 1;
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-457](https://cwe.mitre.org/data/definitions/457.html)
//! - [CWE-908](https://cwe.mitre.org/data/definitions/908.html)
//!
//! # `c/privileges-unchecked`, `c/chroot-folder`
//!
//! ## What they do
//!
//! - `c/privileges-unchecked`: it is not checked whether privileges were given up.
//! - `c/chroot-folder`: the root is changed, and the working folder still lies outside.
//!
//! ## Why this is bad
//!
//! When the call fails, or does only half of what is meant, the program goes on with more rights than it should have.
//!
//! ## Example
//!
//! ```c
//! void f(int user) {
//!     setuid(user);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(int user) {
//!     if (setuid(user) != 0)
//!         abort();
//! }
//! ```
//!
//! - `c/chroot-folder`: call chdir("/") after chroot.
//!
//! ## References
//!
//! - [CWE-243](https://cwe.mitre.org/data/definitions/243.html)
//! - [CWE-252](https://cwe.mitre.org/data/definitions/252.html)
//! - [CWE-273](https://cwe.mitre.org/data/definitions/273.html)
//!
//! # `c/checked-then-opened`
//!
//! ## What it does
//!
//! Reports where a file is asked about by name and then opened by name.
//!
//! ## Why this is bad
//!
//! Between the question and the use somebody else can put another file in its place.
//!
//! ## Example
//!
//! ```c
//! int f(const char *path) {
//!     if (access(path, 2) != 0)
//!         return -1;
//!     return open(path, 1);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(const char *path) {
//!     return open(path, 1);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-367](https://cwe.mitre.org/data/definitions/367.html)
//!
//! # `c/assigned-in-condition`, `c/text-compared-by-address`, `c/unsigned-below-zero`
//!
//! ## What they do
//!
//! - `c/assigned-in-condition`: a condition sets a variable to a constant.
//! - `c/text-compared-by-address`: a pointer is compared with a text.
//! - `c/unsigned-below-zero`: an unsigned number is compared with less than zero.
//!
//! ## Why this is bad
//!
//! The condition does not ask what it seems to ask, and the check that stands there never holds, or always.
//!
//! ## Example
//!
//! ```c
//! int f(int user) {
//!     if (user = 0)
//!         return 1;
//!     return 0;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(int user) {
//!     if (user == 0)
//!         return 1;
//!     return 0;
//! }
//! ```
//!
//! - `c/text-compared-by-address`: use strcmp.
//! - `c/unsigned-below-zero`: use a signed type.
//!
//! ## References
//!
//! - [CWE-195](https://cwe.mitre.org/data/definitions/195.html)
//! - [CWE-481](https://cwe.mitre.org/data/definitions/481.html)
//! - [CWE-570](https://cwe.mitre.org/data/definitions/570.html)
//! - [CWE-595](https://cwe.mitre.org/data/definitions/595.html)
//! - [CWE-597](https://cwe.mitre.org/data/definitions/597.html)
//!
//! # `cpp/swallowed-error`
//!
//! ## What it does
//!
//! Reports where every error is caught and nothing is done.
//!
//! ## Why this is bad
//!
//! Whatever went wrong stays unknown, and the code goes on with what is only half there.
//!
//! ## Example
//!
//! ```cpp
//! void f() {
//!     try {
//!         load();
//!     } catch (...) {
//!     }
//! }
//! ```
//!
//! ## Use instead
//!
//! ```cpp
//! void f() {
//!     try {
//!         load();
//!     } catch (...) {
//!         stop();
//!     }
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-390](https://cwe.mitre.org/data/definitions/390.html)
//! - [CWE-391](https://cwe.mitre.org/data/definitions/391.html)

use codeward_records::{Cwe, Level};

use crate::rules::{Example, RuleInfo};

pub(in crate::memory) static UNCHECKED_ALLOCATION: RuleInfo = RuleInfo {
    code: "CW-C-476-5",
    name: "c/allocation-unchecked",
    cwe: &[Cwe(476), Cwe(690)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The result of an allocation is used without a comparison with null",
    fix: "compare the result with null",
    examples: &[Example {
        weak: "char *f(void) {\n    char *line = malloc(64);\n    «line»[0] = 0;\n    return line;\n}\n",
        sound: "char *f(void) {\n    char *line = malloc(64);\n    if (!line)\n        return 0;\n    line[0] = 0;\n    return line;\n}\n",
    }],
};

pub(in crate::memory) static UNCHECKED_OPEN: RuleInfo = RuleInfo {
    code: "CW-C-476-6",
    name: "c/open-unchecked",
    cwe: &[Cwe(476), Cwe(252)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A file is used without a comparison of its pointer with null",
    fix: "compare the pointer with null",
    examples: &[Example {
        weak: "void f(char *line) {\n    FILE *file = fopen(\"a\", \"r\");\n    fgets(line, 10, «file»);\n}\n",
        sound: "void f(char *line) {\n    FILE *file = fopen(\"a\", \"r\");\n    if (!file)\n        return;\n    fgets(line, 10, file);\n}\n",
    }],
};

pub(in crate::memory) static UNCHECKED_SEARCH: RuleInfo = RuleInfo {
    code: "CW-C-476-1",
    name: "c/search-unchecked",
    cwe: &[Cwe(476)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "What a search found is used without a comparison with null",
    fix: "compare the pointer with null",
    examples: &[Example {
        weak: "void f(char *text) {\n    char *end = strchr(text, ':');\n    *«end» = 0;\n}\n",
        sound: "void f(char *text) {\n    char *end = strchr(text, ':');\n    if (end)\n        *end = 0;\n}\n",
    }],
};

pub(in crate::memory) static UNCHECKED_CALL: RuleInfo = RuleInfo {
    code: "CW-C-476-2",
    name: "c/result-unchecked",
    cwe: &[Cwe(476), Cwe(690)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A pointer is used that a function found or made, without a comparison with null",
    fix: "compare the pointer with null",
    examples: &[Example {
        weak: "int f(int id) {\n    struct box *item = find_box(id);\n    return «item»->size;\n}\n",
        sound: "int f(int id) {\n    struct box *item = find_box(id);\n    if (!item)\n        return 0;\n    return item->size;\n}\n",
    }],
};

pub(in crate::memory) static NULL_FOLLOWED: RuleInfo = RuleInfo {
    code: "CW-C-476-3",
    name: "c/null-followed",
    cwe: &[Cwe(476)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A pointer is followed where it is known to be null",
    fix: "return before that",
    examples: &[Example {
        weak: "int f(struct box *item) {\n    if (!item)\n        log_error(\"nothing\", «item»->size);\n    return 0;\n}\n",
        sound: "int f(struct box *item) {\n    if (!item)\n        return 0;\n    return item->size;\n}\n",
    }],
};

pub(in crate::memory) static CHECKED_LATE: RuleInfo = RuleInfo {
    code: "CW-C-476-4",
    name: "c/checked-late",
    cwe: &[Cwe(476)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A pointer is followed first and compared with null further down",
    fix: "compare it before it is followed",
    examples: &[Example {
        weak: "int f(struct box *item) {\n    int size = «item»->size;\n    if (item == NULL)\n        return 0;\n    return size;\n}\n",
        sound: "int f(struct box *item) {\n    if (item == NULL)\n        return 0;\n    return item->size;\n}\n",
    }],
};

pub(in crate::memory) static USED_AFTER_FREE: RuleInfo = RuleInfo {
    code: "CW-C-416-1",
    name: "c/use-after-free",
    cwe: &[Cwe(416), Cwe(825)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Memory is used after it was given back",
    fix: "give it back after the last use",
    examples: &[Example {
        weak: "void f(struct box *item) {\n    free(item);\n    log_size(«item»->size);\n}\n",
        sound: "void f(struct box *item) {\n    log_size(item->size);\n    free(item);\n}\n",
    }],
};

pub(in crate::memory) static DANGLING: RuleInfo = RuleInfo {
    code: "CW-C-416-2",
    name: "c/dangling-field",
    cwe: &[Cwe(416), Cwe(415)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A field still points to memory that was given back",
    fix: "set the field to null",
    examples: &[Example {
        weak: "void f(struct box *item) {\n    free(«item->name»);\n    item->size = 0;\n}\n",
        sound: "void f(struct box *item) {\n    free(item->name);\n    item->name = NULL;\n    item->size = 0;\n}\n",
    }],
};

pub(in crate::memory) static DOUBLE_FREE: RuleInfo = RuleInfo {
    code: "CW-C-415-1",
    name: "c/double-free",
    cwe: &[Cwe(415), Cwe(825)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Memory is given back twice",
    fix: "set the pointer to null after the first time",
    examples: &[Example {
        weak: "int f(int n) {\n    char *line = malloc(n);\n    if (read_line(line) < 0) {\n        free(line);\n        goto out;\n    }\n    return 0;\nout:\n    free(«line»);\n    return -1;\n}\n",
        sound: "int f(int n) {\n    char *line = malloc(n);\n    if (read_line(line) < 0)\n        goto out;\n    return 0;\nout:\n    free(line);\n    return -1;\n}\n",
    }],
};

pub(in crate::memory) static FREED_NOT_HEAP: RuleInfo = RuleInfo {
    code: "CW-C-590-1",
    name: "c/free-of-local",
    cwe: &[Cwe(590)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Memory is given back that was not allocated",
    fix: "do not free it",
    examples: &[Example {
        weak: "void f(void) {\n    char line[64];\n    free(«line»);\n}\n",
        sound: "void f(void) {\n    char *line = malloc(64);\n    free(line);\n}\n",
    }],
};

pub(in crate::memory) static REALLOCATED: RuleInfo = RuleInfo {
    code: "CW-C-401-1",
    name: "c/realloc-lost",
    cwe: &[Cwe(401)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "The result of realloc replaces the only pointer to the old memory",
    fix: "keep the result in another variable first",
    examples: &[Example {
        weak: "void f(char *line) {\n    line = realloc(«line», 128);\n}\n",
        sound: "void f(char *line) {\n    char *more = realloc(line, 128);\n    if (more)\n        line = more;\n}\n",
    }],
};

pub(in crate::memory) static LEAK: RuleInfo = RuleInfo {
    code: "CW-C-401-2",
    name: "c/leak-on-error",
    cwe: &[Cwe(401)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A function is left on an error and the memory that it took is lost",
    fix: "free it first",
    examples: &[Example {
        weak: "int f(int n) {\n    char *line = malloc(64);\n    if (!line)\n        return -1;\n    if (n > 3)\n        «return -1;»\n    free(line);\n    return 0;\n}\n",
        sound: "int f(int n) {\n    char *line = malloc(64);\n    if (!line)\n        return -1;\n    if (n > 3) {\n        free(line);\n        return -1;\n    }\n    free(line);\n    return 0;\n}\n",
    }],
};

pub(in crate::memory) static UNSET: RuleInfo = RuleInfo {
    code: "CW-C-457-1",
    name: "c/uninitialised",
    cwe: &[Cwe(457), Cwe(908)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A variable is read before anything was stored in it",
    fix: "give it a first value",
    examples: &[Example {
        weak: "int f(void) {\n    int total;\n    return «total» + 1;\n}\n",
        sound: "int f(void) {\n    int total = 0;\n    return total + 1;\n}\n",
    }],
};

pub(in crate::memory) static LOCAL_ADDRESS: RuleInfo = RuleInfo {
    code: "CW-C-562-1",
    name: "c/local-returned",
    cwe: &[Cwe(562), Cwe(825)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The address of a local variable is returned",
    fix: "let the caller pass a buffer",
    examples: &[Example {
        weak: "char *f(void) {\n    char line[64];\n    return «line»;\n}\n",
        sound: "char *f(void) {\n    static char line[64];\n    return line;\n}\n",
    }],
};

pub(in crate::memory) static UNCHECKED_IDENTITY: RuleInfo = RuleInfo {
    code: "CW-C-252-1",
    name: "c/privileges-unchecked",
    cwe: &[Cwe(252), Cwe(273)],
    severity: Level::High,
    confidence: Level::High,
    summary: "It is not checked whether privileges were given up",
    fix: "check the result",
    examples: &[Example {
        weak: "void f(int user) {\n    «setuid»(user);\n}\n",
        sound: "void f(int user) {\n    if (setuid(user) != 0)\n        abort();\n}\n",
    }],
};

pub(in crate::memory) static CHROOT: RuleInfo = RuleInfo {
    code: "CW-C-243-1",
    name: "c/chroot-folder",
    cwe: &[Cwe(243)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "The root is changed, and the working folder still lies outside",
    fix: "call chdir(\"/\") after chroot",
    examples: &[Example {
        weak: "int f(void) {\n    if (chroot(«\"/srv\"») != 0)\n        return -1;\n    return serve();\n}\n",
        sound: "int f(void) {\n    if (chroot(\"/srv\") != 0 || chdir(\"/\") != 0)\n        return -1;\n    return serve();\n}\n",
    }],
};

pub(in crate::memory) static ASKED_FIRST: RuleInfo = RuleInfo {
    code: "CW-C-367-1",
    name: "c/checked-then-opened",
    cwe: &[Cwe(367)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A file is asked about by name and then opened by name",
    fix: "open it first and ask about the descriptor",
    examples: &[Example {
        weak: "int f(const char *path) {\n    if (access(path, 2) != 0)\n        return -1;\n    return open(«path», 1);\n}\n",
        sound: "int f(const char *path) {\n    return open(path, 1);\n}\n",
    }],
};

pub(in crate::memory) static ASSIGNED_IN_CONDITION: RuleInfo = RuleInfo {
    code: "CW-C-481-1",
    name: "c/assigned-in-condition",
    cwe: &[Cwe(481)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A condition sets a variable to a constant",
    fix: "write == to compare",
    examples: &[Example {
        weak: "int f(int user) {\n    if («user = 0»)\n        return 1;\n    return 0;\n}\n",
        sound: "int f(int user) {\n    if (user == 0)\n        return 1;\n    return 0;\n}\n",
    }],
};

pub(in crate::memory) static COMPARED_TEXT: RuleInfo = RuleInfo {
    code: "CW-C-597-1",
    name: "c/text-compared-by-address",
    cwe: &[Cwe(597), Cwe(595)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A pointer is compared with a text",
    fix: "use strcmp",
    examples: &[Example {
        weak: "int f(const char *role) {\n    return «role == \"admin\"»;\n}\n",
        sound: "int f(const char *role) {\n    return strcmp(role, \"admin\") == 0;\n}\n",
    }],
};

pub(in crate::memory) static BELOW_ZERO: RuleInfo = RuleInfo {
    code: "CW-C-570-1",
    name: "c/unsigned-below-zero",
    cwe: &[Cwe(570), Cwe(195)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "An unsigned number is compared with less than zero",
    fix: "use a signed type",
    examples: &[Example {
        weak: "int f(size_t length) {\n    if («length < 0»)\n        return -1;\n    return 0;\n}\n",
        sound: "int f(long length) {\n    if (length < 0)\n        return -1;\n    return 0;\n}\n",
    }],
};

pub(in crate::memory) static MISMATCHED: RuleInfo = RuleInfo {
    code: "CW-CPP-762-1",
    name: "cpp/mismatched-delete",
    cwe: &[Cwe(762)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Memory is given back in another way than it was taken",
    fix: "use delete for new, delete[] for new[], free for malloc",
    examples: &[Example {
        weak: "void f() {\n    int *list = new int[8];\n    delete «list»;\n}\n",
        sound: "void f() {\n    int *list = new int[8];\n    delete[] list;\n}\n",
    }],
};

pub(in crate::memory) static TEMPORARY_TEXT: RuleInfo = RuleInfo {
    code: "CW-CPP-416-1",
    name: "cpp/temporary-text",
    cwe: &[Cwe(416), Cwe(825)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A pointer into a temporary text is kept",
    fix: "keep the std::string itself",
    examples: &[Example {
        weak: "void f(const std::string &name) {\n    const char *text = «(name + \"!\").c_str()»;\n    puts(text);\n}\n",
        sound: "void f(const std::string &name) {\n    std::string whole = name + \"!\";\n    puts(whole.c_str());\n}\n",
    }],
};

pub(in crate::memory) static ERASED: RuleInfo = RuleInfo {
    code: "CW-CPP-416-2",
    name: "cpp/changed-while-read",
    cwe: &[Cwe(416), Cwe(825)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A container is changed inside the loop that reads it",
    fix: "collect the changes first",
    examples: &[Example {
        weak: "void f(std::vector<int> &list) {\n    for (int item : list) {\n        if (item == 0)\n            «list.erase»(list.begin());\n    }\n}\n",
        sound: "void f(std::vector<int> &list) {\n    for (int item : list) {\n        if (item == 0) {\n            list.erase(list.begin());\n            break;\n        }\n    }\n}\n",
    }],
};

pub(in crate::memory) static EMPTY_HANDLER: RuleInfo = RuleInfo {
    code: "CW-CPP-390-1",
    name: "cpp/swallowed-error",
    cwe: &[Cwe(390), Cwe(391)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Every error is caught and nothing is done",
    fix: "handle or log it",
    examples: &[Example {
        weak: "void f() {\n    try {\n        load();\n    } «catch (...) {\n    }»\n}\n",
        sound: "void f() {\n    try {\n        load();\n    } catch (...) {\n        stop();\n    }\n}\n",
    }],
};

pub(in crate::memory) static OBSOLETE_POINTER: RuleInfo = RuleInfo {
    code: "CW-CPP-477-1",
    name: "cpp/auto-pointer",
    cwe: &[Cwe(477)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "A pointer class is used that was removed from the language",
    fix: "use std::unique_ptr",
    examples: &[Example {
        weak: "void f() {\n    std::auto_ptr<int> «p»(new int);\n}\n",
        sound: "void f() {\n    std::unique_ptr<int> p(new int);\n}\n",
    }],
};

pub(in crate::memory) static END_FOLLOWED: RuleInfo = RuleInfo {
    code: "CW-CPP-125-1",
    name: "cpp/end-followed",
    cwe: &[Cwe(125), Cwe(825)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "What a search in a container found is used without a comparison with the end",
    fix: "compare the iterator with end()",
    examples: &[Example {
        weak: "int f(std::map<int, int> &list, int id) {\n    auto found = list.find(id);\n    return «found»->second;\n}\n",
        sound: "int f(std::map<int, int> &list, int id) {\n    auto found = list.find(id);\n    if (found == list.end())\n        return 0;\n    return found->second;\n}\n",
    }],
};
