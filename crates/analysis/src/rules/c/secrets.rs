//! Cryptography and secrets.
//!
//! # `c/weak-hash`, `c/weak-cipher`, `c/cipher-block-mode`, `c/short-key`
//!
//! ## What they do
//!
//! - `c/weak-hash`: a digest is used for which collisions are known.
//! - `c/weak-cipher`: a cipher is used that has been broken.
//! - `c/cipher-block-mode`: a cipher encrypts equal blocks to equal blocks.
//! - `c/short-key`: a key is too short.
//!
//! ## Why this is bad
//!
//! Known attacks find collisions, keys or equal blocks of the plain text in affordable time.
//!
//! ## Example
//!
//! ```c
//! #include <openssl/evp.h>
//! void f(EVP_MD_CTX *context) {
//!     EVP_DigestInit_ex(context, EVP_md5(), 0);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <openssl/evp.h>
//! void f(EVP_MD_CTX *context) {
//!     EVP_DigestInit_ex(context, EVP_sha256(), 0);
//! }
//! ```
//!
//! - `c/weak-cipher`: use AES-GCM.
//! - `c/cipher-block-mode`: use AES-GCM.
//! - `c/short-key`: use 2048 bits or more.
//!
//! ## References
//!
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//! - [CWE-328](https://cwe.mitre.org/data/definitions/328.html)
//!
//! # `c/fixed-iv`
//!
//! ## What it does
//!
//! Reports where encryption starts from a fixed vector.
//!
//! ## Why this is bad
//!
//! With the same key and the same vector equal beginnings look equal, and in counter modes the texts can be subtracted from each
//! other.
//!
//! ## Example
//!
//! ```c
//! void f(EVP_CIPHER_CTX *context, const unsigned char *key) {
//!     unsigned char iv[16] = "0123456789abcde";
//!     EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), 0, key, iv);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(EVP_CIPHER_CTX *context, const unsigned char *key) {
//!     unsigned char iv[16];
//!     RAND_bytes(iv, sizeof(iv));
//!     EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), 0, key, iv);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-329](https://cwe.mitre.org/data/definitions/329.html)
//! - [CWE-1204](https://cwe.mitre.org/data/definitions/1204.html)
//!
//! # `c/fixed-salt`, `c/few-rounds`
//!
//! ## What they do
//!
//! - `c/fixed-salt`: a password is hashed with a fixed salt.
//! - `c/few-rounds`: a password is hashed with few rounds.
//!
//! ## Why this is bad
//!
//! One table serves for all passwords, and each guess costs next to nothing.
//!
//! ## Example
//!
//! ```c
//! int f(const char *password, unsigned char *out) {
//!     unsigned char salt[] = "pepper";
//!     return PKCS5_PBKDF2_HMAC(password, -1, salt, 6, 100000, EVP_sha256(), 32, out);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(const char *password, unsigned char *out) {
//!     unsigned char salt[16];
//!     RAND_bytes(salt, sizeof(salt));
//!     return PKCS5_PBKDF2_HMAC(password, -1, salt, 16, 100000, EVP_sha256(), 32, out);
//! }
//! ```
//!
//! - `c/few-rounds`: use 100000 rounds or more.
//!
//! ## References
//!
//! - [CWE-759](https://cwe.mitre.org/data/definitions/759.html)
//! - [CWE-760](https://cwe.mitre.org/data/definitions/760.html)
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)
//!
//! # `c/weak-random`, `c/guessable-seed`
//!
//! ## What they do
//!
//! - `c/weak-random`: a secret is made with a generator that can be predicted.
//! - `c/guessable-seed`: a generator is started from a fixed number or from the clock.
//!
//! ## Why this is bad
//!
//! Whoever sees some outputs, or knows the time, can compute all others.
//!
//! ## Example
//!
//! ```c
//! #include <stdlib.h>
//! unsigned f(void) {
//!     unsigned token = rand();
//!     return token;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdlib.h>
//! unsigned f(void) {
//!     unsigned colour = rand();
//!     return colour;
//! }
//! ```
//!
//! - `c/guessable-seed`: use getrandom or RAND_bytes.
//!
//! ## References
//!
//! - [CWE-330](https://cwe.mitre.org/data/definitions/330.html)
//! - [CWE-335](https://cwe.mitre.org/data/definitions/335.html)
//! - [CWE-337](https://cwe.mitre.org/data/definitions/337.html)
//! - [CWE-338](https://cwe.mitre.org/data/definitions/338.html)
//!
//! # `c/hardcoded-credential`, `c/password-compared`
//!
//! ## What they do
//!
//! - `c/hardcoded-credential`: a secret stands in the code.
//! - `c/password-compared`: a password is compared with one that stands in the code.
//!
//! ## Why this is bad
//!
//! Everybody who has the program or its source has the secret, and it cannot be changed without a new build.
//!
//! ## Example
//!
//! ```c
//! void f(void) {
//!     const char *password = "hunter2!";
//!     login(password);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(void) {
//!     const char *password = getenv("DB_PASSWORD");
//!     login(password);
//! }
//! ```
//!
//! - `c/password-compared`: compare with a stored hash.
//!
//! ## References
//!
//! - [CWE-259](https://cwe.mitre.org/data/definitions/259.html)
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//!
//! # `c/digest-compared`
//!
//! ## What it does
//!
//! Reports where a secret is compared in a time that tells where it differs.
//!
//! ## Why this is bad
//!
//! The comparison stops at the first difference: its time tells how much of a guess was right.
//!
//! ## Example
//!
//! ```c
//! #include <string.h>
//! int f(const unsigned char *hmac, const unsigned char *given) {
//!     return memcmp(hmac, given, 32) == 0;
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <string.h>
//! int f(const unsigned char *hmac, const unsigned char *given) {
//!     return CRYPTO_memcmp(hmac, given, 32) == 0;
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-208](https://cwe.mitre.org/data/definitions/208.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand};
use crate::report::Report;
use crate::rules::evidence::{is_password_name, is_secret_name, must_be_unguessable};
use crate::rules::{Example, RuleInfo};

pub(super) static HASH: RuleInfo = RuleInfo {
    code: "CW-C-328-1",
    name: "c/weak-hash",
    cwe: &[Cwe(328), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A digest is used for which collisions are known",
    fix: "use SHA-256",
    examples: &[Example {
        weak: "#include <openssl/evp.h>\nvoid f(EVP_MD_CTX *context) {\n    EVP_DigestInit_ex(context, «EVP_md5()», 0);\n}\n",
        sound: "#include <openssl/evp.h>\nvoid f(EVP_MD_CTX *context) {\n    EVP_DigestInit_ex(context, EVP_sha256(), 0);\n}\n",
    }],
};

pub(super) static CIPHER: RuleInfo = RuleInfo {
    code: "CW-C-327-1",
    name: "c/weak-cipher",
    cwe: &[Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A cipher is used that has been broken",
    fix: "use AES-GCM",
    examples: &[Example {
        weak: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    EVP_EncryptInit_ex(context, «EVP_des_cbc()», 0, key, 0);\n}\n",
        sound: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), 0, key, 0);\n}\n",
    }],
};

pub(super) static BOOK: RuleInfo = RuleInfo {
    code: "CW-C-327-2",
    name: "c/cipher-block-mode",
    cwe: &[Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A cipher encrypts equal blocks to equal blocks",
    fix: "use AES-GCM",
    examples: &[Example {
        weak: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    EVP_EncryptInit_ex(context, «EVP_aes_128_ecb()», 0, key, 0);\n}\n",
        sound: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), 0, key, 0);\n}\n",
    }],
};

pub(super) static KEY: RuleInfo = RuleInfo {
    code: "CW-C-326-1",
    name: "c/short-key",
    cwe: &[Cwe(326)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A key is too short",
    fix: "use 2048 bits or more",
    examples: &[Example {
        weak: "void f(RSA *rsa, BIGNUM *e) {\n    RSA_generate_key_ex(rsa, «1024», e, 0);\n}\n",
        sound: "void f(RSA *rsa, BIGNUM *e) {\n    RSA_generate_key_ex(rsa, 2048, e, 0);\n}\n",
    }],
};

pub(crate) static VECTOR: RuleInfo = RuleInfo {
    code: "CW-C-329-1",
    name: "c/fixed-iv",
    cwe: &[Cwe(329), Cwe(1204)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Encryption starts from a fixed vector",
    fix: "fill the vector with RAND_bytes for each message",
    examples: &[Example {
        weak: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    unsigned char iv[16] = \"0123456789abcde\";\n    EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), 0, key, «iv»);\n}\n",
        sound: "void f(EVP_CIPHER_CTX *context, const unsigned char *key) {\n    unsigned char iv[16];\n    RAND_bytes(iv, sizeof(iv));\n    EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), 0, key, iv);\n}\n",
    }],
};

pub(crate) static SALT: RuleInfo = RuleInfo {
    code: "CW-C-760-1",
    name: "c/fixed-salt",
    cwe: &[Cwe(760), Cwe(759)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A password is hashed with a fixed salt",
    fix: "fill the salt with RAND_bytes for each password",
    examples: &[Example {
        weak: "int f(const char *password, unsigned char *out) {\n    unsigned char salt[] = \"pepper\";\n    return PKCS5_PBKDF2_HMAC(password, -1, «salt», 6, 100000, EVP_sha256(), 32, out);\n}\n",
        sound: "int f(const char *password, unsigned char *out) {\n    unsigned char salt[16];\n    RAND_bytes(salt, sizeof(salt));\n    return PKCS5_PBKDF2_HMAC(password, -1, salt, 16, 100000, EVP_sha256(), 32, out);\n}\n",
    }],
};

pub(super) static ROUNDS: RuleInfo = RuleInfo {
    code: "CW-C-916-1",
    name: "c/few-rounds",
    cwe: &[Cwe(916)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is hashed with few rounds",
    fix: "use 100000 rounds or more",
    examples: &[Example {
        weak: "int f(const char *password, const unsigned char *salt, unsigned char *out) {\n    return PKCS5_PBKDF2_HMAC(password, -1, salt, 16, «1000», EVP_sha256(), 32, out);\n}\n",
        sound: "int f(const char *password, const unsigned char *salt, unsigned char *out) {\n    return PKCS5_PBKDF2_HMAC(password, -1, salt, 16, 600000, EVP_sha256(), 32, out);\n}\n",
    }],
};

pub(super) static RANDOM: RuleInfo = RuleInfo {
    code: "CW-C-338-1",
    name: "c/weak-random",
    cwe: &[Cwe(338), Cwe(330)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is made with a generator that can be predicted",
    fix: "use getrandom or RAND_bytes",
    examples: &[Example {
        weak: "#include <stdlib.h>\nunsigned f(void) {\n    unsigned token = «rand()»;\n    return token;\n}\n",
        sound: "#include <stdlib.h>\nunsigned f(void) {\n    unsigned colour = rand();\n    return colour;\n}\n",
    }],
};

pub(super) static SEED: RuleInfo = RuleInfo {
    code: "CW-C-335-1",
    name: "c/guessable-seed",
    cwe: &[Cwe(335), Cwe(337)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A generator is started from a fixed number or from the clock",
    fix: "use getrandom or RAND_bytes",
    examples: &[Example {
        weak: "#include <stdlib.h>\nvoid f(void) {\n    srand(«time(NULL)»);\n}\n",
        sound: "#include <stdlib.h>\nvoid f(unsigned seed) {\n    srand(seed);\n}\n",
    }],
};

pub(super) static CREDENTIAL: RuleInfo = RuleInfo {
    code: "CW-C-798-1",
    name: "c/hardcoded-credential",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A secret stands in the code",
    fix: "read it from a file or from the environment",
    examples: &[Example {
        weak: "void f(void) {\n    const char *password = «\"hunter2!\"»;\n    login(password);\n}\n",
        sound: "void f(void) {\n    const char *password = getenv(\"DB_PASSWORD\");\n    login(password);\n}\n",
    }],
};

pub(super) static COMPARED: RuleInfo = RuleInfo {
    code: "CW-C-259-1",
    name: "c/password-compared",
    cwe: &[Cwe(259), Cwe(798)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A password is compared with one that stands in the code",
    fix: "compare with a stored hash",
    examples: &[Example {
        weak: "#include <string.h>\nint f(const char *password) {\n    return strcmp(password, «\"letmein\"») == 0;\n}\n",
        sound: "#include <string.h>\nint f(const char *command) {\n    return strcmp(command, \"start\") == 0;\n}\n",
    }],
};

pub(super) static TIMING: RuleInfo = RuleInfo {
    code: "CW-C-208-1",
    name: "c/digest-compared",
    cwe: &[Cwe(208)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A secret is compared in a time that tells where it differs",
    fix: "use CRYPTO_memcmp",
    examples: &[Example {
        weak: "#include <string.h>\nint f(const unsigned char *hmac, const unsigned char *given) {\n    return «memcmp»(hmac, given, 32) == 0;\n}\n",
        sound: "#include <string.h>\nint f(const unsigned char *hmac, const unsigned char *given) {\n    return CRYPTO_memcmp(hmac, given, 32) == 0;\n}\n",
    }],
};

const HASHES: &[&str] = &["EVP_md5", "EVP_sha1", "EVP_md4", "EVP_mdc2", "EVP_ripemd160"];

const HASHING: &[&str] = &[
    "MD5",
    "MD5_Init",
    "MD5_Update",
    "MD5_Final",
    "SHA1",
    "SHA1_Init",
    "SHA1_Update",
    "SHA1_Final",
    "MD4",
    "MD4_Init",
    "mbedtls_md5",
    "mbedtls_sha1",
    "CC_MD5",
    "CC_SHA1",
    "MD5Init",
    "SHA1Init",
];

const CIPHERS: &[&str] = &["EVP_des_", "EVP_rc4", "EVP_rc2_", "EVP_bf_", "EVP_cast5_"];

const CIPHERING: &[&str] = &[
    "DES_ecb_encrypt",
    "DES_ncbc_encrypt",
    "DES_set_key",
    "DES_set_key_unchecked",
    "DES_cbc_encrypt",
    "RC4",
    "RC4_set_key",
    "BF_set_key",
    "RC2_set_key",
];

/// Functions that start encryption, with the position of the vector.
pub(crate) const STARTING: &[(&str, usize)] = &[
    ("EVP_EncryptInit_ex", 4),
    ("EVP_EncryptInit", 3),
    ("EVP_CipherInit_ex", 4),
    ("AES_cbc_encrypt", 4),
    ("AES_cfb128_encrypt", 4),
];

/// Functions that derive a key from a password: positions of the salt and of the number of rounds.
pub(crate) const DERIVING: &[(&str, usize, Option<usize>)] = &[
    ("PKCS5_PBKDF2_HMAC", 2, Some(4)),
    ("PKCS5_PBKDF2_HMAC_SHA1", 2, Some(4)),
    ("EVP_PBE_scrypt", 2, None),
    ("crypt", 1, None),
    ("EVP_BytesToKey", 2, Some(5)),
];

/// Fewer rounds than this are soon tried out.
const MIN_ROUNDS: i64 = 10_000;

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for operand in &call.positional {
        let path = operand.value.path_text().trim_end_matches("()");
        if HASHES.contains(&path) && path.len() < operand.value.path_text().len() && !call.path.contains("HMAC") {
            report.add(&HASH, operand.span, "collisions of this digest are known; use EVP_sha256", None);
        }
        if path.ends_with("_ecb") && path.starts_with("EVP_") {
            report.add(&BOOK, operand.span, "equal blocks are encrypted to equal blocks; use EVP_aes_256_gcm", None);
        } else if CIPHERS.iter().any(|cipher| path.starts_with(cipher)) {
            report.add(&CIPHER, operand.span, "this cipher has been broken; use EVP_aes_256_gcm", None);
        }
    }
    if call.is(HASHING) {
        report.add(&HASH, call.callee.span, "collisions of this digest are known; use SHA-256", None);
    }
    if call.is(CIPHERING) {
        report.add(&CIPHER, call.callee.span, "this cipher has been broken; use AES-GCM", None);
    }
    if call.is(&["AES_ecb_encrypt"]) {
        report.add(&BOOK, call.callee.span, "equal blocks are encrypted to equal blocks; use AES-GCM", None);
    }
    key_length(call, report);
    fixed(call, report);
    seed(call, report);
    compared(call, report);
}

fn key_length(call: &Call<'_>, report: &mut Report<'_>) {
    let at = match call.path {
        "RSA_generate_key" => 0,
        "RSA_generate_key_ex"
        | "EVP_PKEY_CTX_set_rsa_keygen_bits"
        | "DSA_generate_parameters_ex"
        | "DH_generate_parameters_ex"
        | "EVP_PKEY_CTX_set_dsa_paramgen_bits" => 1,
        _ => return shell_key(call, report),
    };
    if let Some(bits) = call.positional.get(at).filter(|bits| bits.value.integer().is_some_and(|bits| bits < 2048)) {
        report.add(&KEY, bits.span, "a key of this length can be broken; use 2048 bits or more", None);
    }
}

/// Keys made by a command.
fn shell_key(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(command) = call.first().filter(|_| call.is(&["system", "popen"])) else { return };
    let outline = command.value.outline();
    let makes = outline.contains("openssl")
        && ["genrsa", "dsaparam", "gendsa", "rsa:"].iter().any(|word| outline.contains(word));
    let is_short = |word: &str| matches!(word.trim_start_matches("rsa:"), "512" | "768" | "1024");
    if makes && outline.split_whitespace().any(is_short) {
        report.add(&KEY, command.span, "a key of this length can be broken; use 2048 bits or more", None);
    }
}

/// Vectors and salts that are always the same.
fn fixed(call: &Call<'_>, report: &mut Report<'_>) {
    let is_fixed = |operand: &&Operand| {
        let value = &operand.value;
        let is_list = !value.items().is_empty() && value.is_literal();
        value.characters().is_some_and(|text| !text.is_empty()) || is_list || value.path_text() == "memset()"
    };
    if let Some((_, at)) = STARTING.iter().find(|(name, _)| *name == call.path)
        && let Some(vector) = call.positional.get(*at).filter(is_fixed)
    {
        report.add(
            &VECTOR,
            vector.span,
            "equal messages are encrypted to equal texts; fill the vector with RAND_bytes",
            None,
        );
    }
    if let Some((_, salt, rounds)) = DERIVING.iter().find(|(name, ..)| *name == call.path) {
        if let Some(salt) = call.positional.get(*salt).filter(is_fixed) {
            report.add(&SALT, salt.span, "equal passwords get equal hashes; fill the salt with RAND_bytes", None);
        }
        if let Some(rounds) = rounds
            .and_then(|at| call.positional.get(at))
            .filter(|rounds| rounds.value.integer().is_some_and(|number| number < MIN_ROUNDS))
        {
            report.add(&ROUNDS, rounds.span, "so few rounds are soon tried out; use 600000", None);
        }
    }
}

fn seed(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(seed) = call.first().filter(|_| call.is(&["srand", "srandom", "srand48"])) else { return };
    if seed.value.integer().is_some() || seed.value.labels.has(Labels::GUESSABLE) {
        report.add(
            &SEED,
            seed.span,
            "whoever knows the clock knows the numbers; use getrandom where they must not be guessed",
            None,
        );
    }
}

fn compared(call: &Call<'_>, report: &mut Report<'_>) {
    let [left, right, ..] = call.positional.as_slice() else { return };
    if call.is(&["strcmp", "strncmp", "strcasecmp"]) {
        for (secret, literal) in [(left, right), (right, left)] {
            let is_text = literal.value.text().is_some_and(|text| text.len() >= 4);
            if is_text && is_password_name(report.written(secret.span)) {
                report.add(
                    &COMPARED,
                    literal.span,
                    "whoever reads the program knows this password; compare with a stored hash",
                    None,
                );
            }
        }
    }
    if call.is(&["memcmp", "strcmp", "strncmp"]) && right.value.constant.is_none() {
        let is_digest = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["hmac", "digest", "signature", "auth_tag", "mac_"].iter().any(|word| name.contains(word))
        };
        if is_digest(report.written(left.span)) || is_digest(report.written(right.span)) {
            report.add(
                &TIMING,
                call.callee.span,
                "the time this takes tells how much was right; use CRYPTO_memcmp",
                None,
            );
        }
    }
}

/// A name is given a value.
pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    if let Some(text) = value.value.text() {
        let is_plain =
            text.len() >= 6 && !text.contains([' ', '%', '/', ':', '<']) && !text.to_ascii_lowercase().contains("xxx");
        if is_plain && is_secret_name(name) && !text.eq_ignore_ascii_case(name) {
            report.add(
                &CREDENTIAL,
                value.span,
                "whoever reads the program knows this secret; read it from a file or from the environment",
                None,
            );
        }
    }
    if value.value.labels.has(Labels::WEAK_RANDOM) && must_be_unguessable(name) {
        report.add(
            &RANDOM,
            value.span,
            "whoever sees some of these numbers knows the rest; use getrandom or RAND_bytes",
            None,
        );
    }
}
