//! # `go/weak-hash`, `go/weak-cipher`, `go/block-by-block`, `go/fixed-iv`, `go/fixed-salt`, `go/few-rounds`, `go/password-digest`, `go/short-key`, `go/weak-random`, `go/fixed-seed`, `go/literal-key`, `go/digest-compared`
//!
//! ## What they do
//!
//! Report cryptography that does not hold: broken algorithms, what must be fresh but is fixed, what must be slow but is fast, what must
//! be secret but is written in the code.
//!
//! ## Why this is bad
//!
//! What was to stay secret can be read, and what was to be genuine can be forged.
//!
//! ## Example
//!
//! ```go
//! iv := make([]byte, aes.BlockSize)
//! cipher.NewCBCEncrypter(block, iv)
//! ```
//!
//! ## Use instead
//!
//! ```go
//! iv := make([]byte, aes.BlockSize)
//! if _, err := rand.Read(iv); err != nil {
//!     return err
//! }
//! cipher.NewCBCEncrypter(block, iv)
//! ```
//!
//! ## References
//!
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//! - [CWE-329](https://cwe.mitre.org/data/definitions/329.html)
//! - [CWE-330](https://cwe.mitre.org/data/definitions/330.html)
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)

use codeward_records::{Cwe, Level};

use super::named;
use crate::flow::{Call, Labels, Operand, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_password_name, must_be_unguessable};
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static HASH: RuleInfo = RuleInfo {
    code: "CW-GO-328-1",
    name: "go/weak-hash",
    cwe: &[Cwe(328), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A broken hash function is used",
    fix: "use sha256",
    examples: &[Example {
        weak: "package p\nimport \"crypto/md5\"\nfunc f(data []byte) [16]byte {\n\treturn «md5.Sum»(data)\n}\n",
        sound: "package p\nimport \"crypto/sha256\"\nfunc f(data []byte) [32]byte {\n\treturn sha256.Sum256(data)\n}\n",
    }],
};

pub(super) static CIPHER: RuleInfo = RuleInfo {
    code: "CW-GO-327-1",
    name: "go/weak-cipher",
    cwe: &[Cwe(327), Cwe(326)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A broken cipher is used",
    fix: "use AES in GCM",
    examples: &[Example {
        weak: "package p\nimport \"crypto/des\"\nfunc f(key []byte) {\n\t«des.NewCipher»(key)\n}\n",
        sound: "package p\nimport \"crypto/aes\"\nfunc f(key []byte) {\n\taes.NewCipher(key)\n}\n",
    }],
};

pub(super) static BLOCKS: RuleInfo = RuleInfo {
    code: "CW-GO-327-2",
    name: "go/block-by-block",
    cwe: &[Cwe(327)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Each block is encrypted on its own",
    fix: "use cipher.NewGCM",
    examples: &[Example {
        weak: "func f(key, in, out []byte) {\n\tblock, _ := aes.NewCipher(key)\n\tfor len(in) > 0 {\n\t\t«block.Encrypt»(out, in)\n\t\tin = in[16:]\n\t}\n}\n",
        sound: "func f(key, nonce, in []byte) []byte {\n\tblock, _ := aes.NewCipher(key)\n\tgcm, _ := cipher.NewGCM(block)\n\treturn gcm.Seal(nil, nonce, in, nil)\n}\n",
    }],
};

pub(super) static IV: RuleInfo = RuleInfo {
    code: "CW-GO-329-1",
    name: "go/fixed-iv",
    cwe: &[Cwe(329), Cwe(1204), Cwe(323)],
    severity: Level::High,
    confidence: Level::High,
    summary: "An initialisation vector or nonce is the same each time",
    fix: "fill it with rand.Read from crypto/rand for each message",
    examples: &[
        Example {
            weak: "func f(block cipher.Block) {\n\tiv := []byte{1, 2, 3, 4}\n\tcipher.NewCBCEncrypter(block, «iv»)\n}\n",
            sound: "func f(block cipher.Block) {\n\tiv := make([]byte, 16)\n\trand.Read(iv)\n\tcipher.NewCBCEncrypter(block, iv)\n}\n",
        },
        Example {
            weak: "func f(key, text []byte) []byte {\n\tblock, _ := aes.NewCipher(key)\n\tgcm, _ := cipher.NewGCM(block)\n\tnonce := make([]byte, gcm.NonceSize())\n\treturn gcm.Seal(nil, «nonce», text, nil)\n}\n",
            sound: "func f(key, text []byte) []byte {\n\tblock, _ := aes.NewCipher(key)\n\tgcm, _ := cipher.NewGCM(block)\n\tnonce := make([]byte, gcm.NonceSize())\n\tif _, err := io.ReadFull(rand.Reader, nonce); err != nil {\n\t\tpanic(err)\n\t}\n\treturn gcm.Seal(nonce, nonce, text, nil)\n}\n",
        },
    ],
};

pub(super) static SALT: RuleInfo = RuleInfo {
    code: "CW-GO-760-1",
    name: "go/fixed-salt",
    cwe: &[Cwe(760), Cwe(759)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Passwords share a salt",
    fix: "fill a new salt with rand.Read from crypto/rand for each password",
    examples: &[Example {
        weak: "func f(password string) []byte {\n\treturn pbkdf2.Key([]byte(password), []byte(«\"salt\"»), 600000, 32, sha256.New)\n}\n",
        sound: "func f(password string) []byte {\n\tsalt := make([]byte, 16)\n\trand.Read(salt)\n\treturn pbkdf2.Key([]byte(password), salt, 600000, 32, sha256.New)\n}\n",
    }],
};

pub(super) static ROUNDS: RuleInfo = RuleInfo {
    code: "CW-GO-916-1",
    name: "go/few-rounds",
    cwe: &[Cwe(916)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A password's hash is made in too few rounds",
    fix: "use bcrypt.DefaultCost, or hundreds of thousands of rounds of pbkdf2",
    examples: &[Example {
        weak: "func f(password string) {\n\tbcrypt.GenerateFromPassword([]byte(password), «4»)\n}\n",
        sound: "func f(password string) {\n\tbcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)\n}\n",
    }],
};

pub(super) static DIGEST: RuleInfo = RuleInfo {
    code: "CW-GO-916-2",
    name: "go/password-digest",
    cwe: &[Cwe(916), Cwe(759), Cwe(328)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A password is hashed by a function that is fast",
    fix: "use bcrypt or argon2",
    examples: &[Example {
        weak: "func f(password string) [32]byte {\n\treturn sha256.Sum256([]byte(«password»))\n}\n",
        sound: "func f(password string) ([]byte, error) {\n\treturn bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)\n}\n",
    }],
};

pub(super) static SHORT: RuleInfo = RuleInfo {
    code: "CW-GO-326-1",
    name: "go/short-key",
    cwe: &[Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A key is too short",
    fix: "use at least 2048 bits for RSA and P256 for curves",
    examples: &[Example {
        weak: "func f() {\n\trsa.GenerateKey(rand.Reader, «1024»)\n}\n",
        sound: "func f() {\n\trsa.GenerateKey(rand.Reader, 3072)\n}\n",
    }],
};

pub(super) static RANDOM: RuleInfo = RuleInfo {
    code: "CW-GO-338-1",
    name: "go/weak-random",
    cwe: &[Cwe(338), Cwe(330)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A value that must not be guessed comes from a predictable generator",
    fix: "draw it from crypto/rand",
    examples: &[Example {
        weak: "package p\nimport \"math/rand\"\nfunc newToken() string {\n\tb := make([]byte, 16)\n\tfor i := range b {\n\t\tb[i] = letters[«rand.Intn»(len(letters))]\n\t}\n\treturn string(b)\n}\n",
        sound: "package p\nimport \"crypto/rand\"\nfunc newToken() []byte {\n\tb := make([]byte, 16)\n\trand.Read(b)\n\treturn b\n}\n",
    }],
};

pub(super) static SEED: RuleInfo = RuleInfo {
    code: "CW-GO-335-1",
    name: "go/fixed-seed",
    cwe: &[Cwe(335), Cwe(336)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A generator starts from a number written in the code",
    fix: "leave it to the library, or use crypto/rand for secrets",
    examples: &[Example {
        weak: "func f() {\n\trand.Seed(«42»)\n}\n",
        sound: "func f() int {\n\treturn rand.Intn(6)\n}\n",
    }],
};

pub(super) static KEY: RuleInfo = RuleInfo {
    code: "CW-GO-321-1",
    name: "go/literal-key",
    cwe: &[Cwe(321), Cwe(798)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A key is written in the code",
    fix: "read it from the environment or a secret store",
    examples: &[
        Example {
            weak: "func f() {\n\taes.NewCipher([]byte(«\"0123456789abcdef\"»))\n}\n",
            sound: "func f() {\n\taes.NewCipher([]byte(os.Getenv(\"KEY\")))\n}\n",
        },
        Example {
            weak: "func f(token *jwt.Token) (string, error) {\n\treturn token.SignedString([]byte(«\"shared\"»))\n}\n",
            sound: "func f(token *jwt.Token, key []byte) (string, error) {\n\treturn token.SignedString(key)\n}\n",
        },
    ],
};

pub(super) static COMPARED: RuleInfo = RuleInfo {
    code: "CW-GO-208-1",
    name: "go/digest-compared",
    cwe: &[Cwe(208)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An authentication code is compared in a time that depends on where it differs",
    fix: "use hmac.Equal",
    examples: &[Example {
        weak: "func f(key, data, sent []byte) bool {\n\tmac := hmac.New(sha256.New, key)\n\tmac.Write(data)\n\treturn «bytes.Equal»(mac.Sum(nil), sent)\n}\n",
        sound: "func f(key, data, sent []byte) bool {\n\tmac := hmac.New(sha256.New, key)\n\tmac.Write(data)\n\treturn hmac.Equal(mac.Sum(nil), sent)\n}\n",
    }],
};

const WEAK_HASHES: &[&str] =
    &["crypto/md5.Sum", "crypto/md5.New", "crypto/sha1.Sum", "crypto/sha1.New", "md4.New", "ripemd160.New"];

const WEAK_CIPHERS: &[&str] = &[
    "crypto/des.NewCipher",
    "crypto/des.NewTripleDESCipher",
    "crypto/rc4.NewCipher",
    "blowfish.NewCipher",
    "blowfish.NewSaltedCipher",
    "cast5.NewCipher",
    "tea.NewCipher",
    "xtea.NewCipher",
];

const IV_SECOND: &[&str] =
    &["crypto/cipher.NewCBCEncrypter", "crypto/cipher.NewCTR", "crypto/cipher.NewCFBEncrypter", "crypto/cipher.NewOFB"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(WEAK_HASHES) {
        report.add(
            &HASH,
            call.callee.span,
            "two texts with the same value of this function can be made; use sha256",
            None,
        );
    }
    if call.is(WEAK_CIPHERS) {
        report.add(&CIPHER, call.callee.span, "this cipher is broken; use AES in GCM", None);
    }
    if call.method == "Encrypt" && call.path == "crypto/aes.NewCipher().Encrypt" {
        report.add(
            &BLOCKS,
            call.callee.span,
            "equal blocks stay equal when each is encrypted on its own; use cipher.NewGCM",
            None,
        );
    }
    let fresh = if call.is(IV_SECOND) || call.method == "Seal" && call.positional.len() == 4 {
        call.positional.get(1)
    } else {
        None
    };
    if let Some(operand) = fresh.filter(|operand| is_fixed(&operand.value)) {
        report.add(
            &IV,
            operand.span,
            "this is the same for each message; fill it with rand.Read from crypto/rand",
            None,
        );
    }
    passwords(call, report);
    keys(call, report);
    random(call, report);
    if call.path == "bytes.Equal" && call.positional.iter().any(|operand| is_authentication_code(&operand.value)) {
        report.add(&COMPARED, call.callee.span, "how long this takes tells how much is right; use hmac.Equal", None);
    }
}

/// Whether a value is literal, or memory that nothing was written to.
fn is_fixed(value: &ValueRef) -> bool {
    if value.labels.has(Labels::STRONG_RANDOM) || value.labels.has(Labels::WRITTEN) || !value.taints.is_empty() {
        return false;
    }
    if let Shape::Part(owner) = &value.shape {
        return is_fixed(owner);
    }
    let is_list = matches!(&value.shape, Shape::Sequence(_, items) if !items.is_empty());
    value.characters().is_some_and(|text| !text.is_empty())
        || is_list && value.is_literal()
        || value.path_text() == "make()"
        || value.path_text().starts_with('[') && value.path_text().ends_with("byte()")
}

fn passwords(call: &Call<'_>, report: &mut Report<'_>) {
    let salt = match call.path {
        "pbkdf2.Key" | "crypto/pbkdf2.Key" | "scrypt.Key" | "argon2.IDKey" | "argon2.Key" => call
            .positional
            .iter()
            .find(|operand| named(operand, |name| name.contains("salt")))
            .or_else(|| call.positional.get(if call.path == "crypto/pbkdf2.Key" { 2 } else { 1 })),
        _ => None,
    };
    if let Some(salt) = salt.filter(|salt| is_fixed(&salt.value)) {
        report.add(
            &SALT,
            salt.span,
            "this salt is the same for each password; fill a new one with rand.Read from crypto/rand",
            None,
        );
    }
    let rounds = match call.path {
        "pbkdf2.Key" => call.positional.get(2).map(|rounds| (rounds, 10_000)),
        "crypto/pbkdf2.Key" => call.positional.get(3).map(|rounds| (rounds, 10_000)),
        "bcrypt.GenerateFromPassword" => call.positional.get(1).map(|rounds| (rounds, 10)),
        "scrypt.Key" => call.positional.get(2).map(|rounds| (rounds, 16_384)),
        _ => None,
    };
    if let Some((rounds, least)) = rounds
        && rounds.value.integer().is_some_and(|number| number < least && number > 0)
    {
        report.add(&ROUNDS, rounds.span, "passwords can be tried too fast with so few rounds; use more", None);
    }
    let is_digest = ["crypto/md5.Sum", "crypto/sha1.Sum", "crypto/sha256.Sum", "crypto/sha512.Sum"]
        .iter()
        .any(|name| call.path.starts_with(name));
    let writes = matches!(call.method, "Write")
        && ["crypto/md5.New()", "crypto/sha1.New()", "crypto/sha256.New()", "crypto/sha512.New()"]
            .iter()
            .any(|name| call.path.starts_with(name));
    if (is_digest || writes)
        && let Some(text) = call.first()
        && named(text, is_password_name)
    {
        report.add(&DIGEST, text.span, "passwords can be tried very fast against this; use bcrypt or argon2", None);
    }
}

fn keys(call: &Call<'_>, report: &mut Report<'_>) {
    match (call.path, call.positional.as_slice()) {
        ("crypto/rsa.GenerateKey", [_, bits]) if bits.value.integer().is_some_and(|bits| bits < 2048) => {
            report.add(&SHORT, bits.span, "a key of this length can be broken; use at least 2048 bits", None);
        }
        ("crypto/ecdsa.GenerateKey", [curve, _]) if curve.value.path_text() == "crypto/elliptic.P224()" => {
            report.add(&SHORT, curve.span, "a key on this curve is short; use P256", None);
        }
        _ => {}
    }
    let key = match call.path {
        "crypto/aes.NewCipher"
        | "chacha20poly1305.New"
        | "crypto/des.NewCipher"
        | "crypto/rc4.NewCipher"
        | "sessions.NewCookieStore"
        | "sessions.NewFilesystemStore"
        | "cookie.NewStore"
        | "csrf.Protect" => call.first(),
        "crypto/hmac.New" => call.positional.get(1),
        _ if call.method == "SignedString" => call.first(),
        _ => None,
    };
    if let Some(key) = key
        && key.value.labels.without(Labels::TEXT | Labels::ENDS_WITH_SEPARATOR) == Labels::NONE
        && (key.value.characters().is_some_and(|text| text.len() >= 3)
            || matches!(&key.value.shape, Shape::Sequence(_, items) if items.len() >= 8) && key.value.is_literal())
    {
        report.add(
            &KEY,
            key.span,
            "whoever can read the code has this key; read it from the environment or a secret store",
            None,
        );
    }
}

fn random(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(name) = call.path.strip_prefix("math/rand.") else { return };
    if matches!(name, "Seed" | "NewSource") {
        if let Some(seed) = call.first().filter(|seed| seed.value.integer().is_some()) {
            report.add(
                &SEED,
                seed.span,
                "this generator repeats the same numbers each time; leave the seed to the library",
                None,
            );
        }
        return;
    }
    let name = name.rsplit('.').next().unwrap_or(name);
    let draws = ["Int", "Uint", "Float", "Perm", "Read", "Shuffle", "N"];
    if !draws.iter().any(|draw| name.starts_with(draw)) || name.starts_with("New") {
        return;
    }
    let names = call.place.function.split('.').chain(call.place.targets.iter().map(AsRef::as_ref));
    if names.into_iter().any(must_be_unguessable) {
        report.add(&RANDOM, call.callee.span, "this value can be predicted; draw it from crypto/rand", None);
    }
}

/// Whether a value is what an authentication code came to.
fn is_authentication_code(value: &ValueRef) -> bool {
    if value.path_text().starts_with("crypto/hmac.New()") {
        return true;
    }
    match &value.shape {
        Shape::Called { positional, .. } if value.path_text().ends_with("EncodeToString()") => {
            positional.iter().any(is_authentication_code)
        }
        _ => false,
    }
}

/// One comparison.
pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    if let Some(operand) = [left, right].into_iter().find(|operand| is_authentication_code(&operand.value)) {
        report.add(&COMPARED, operand.span, "how long this takes tells how much is right; use hmac.Equal", None);
    }
}
