//! # `java/weak-hash`, `java/weak-cipher` and their kin
//!
//! ## What it does
//!
//! Reports broken algorithms and modes, and keys, salts and vectors that are short, fixed or too cheap to try.
//!
//! ## Why this is bad
//!
//! What they protect can be read, forged or guessed.
//!
//! ## Example
//!
//! ```java
//! Cipher.getInstance("AES/ECB/PKCS5Padding");
//! ```
//!
//! ## Use instead
//!
//! ```java
//! Cipher.getInstance("AES/GCM/NoPadding");
//! ```
//!
//! ## References
//!
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//! - [CWE-328](https://cwe.mitre.org/data/definitions/328.html)
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)
//! - [CWE-329](https://cwe.mitre.org/data/definitions/329.html)

use codeward_records::{Cwe, Level};

use super::{found, is_set, is_written_out};
use crate::flow::{Call, FILLED, Operand, Shape};
use crate::report::Report;
use crate::rules::evidence::is_password_name;
use crate::rules::{Example, RuleInfo};

pub(super) static HASH: RuleInfo = RuleInfo {
    code: "CW-JAVA-328-1",
    name: "java/weak-hash",
    cwe: &[Cwe(328), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A broken hash function is used",
    fix: "use SHA-256 or better",
    examples: &[Example {
        weak: "byte[] f(byte[] data) throws Exception {\n  return MessageDigest.getInstance(«\"MD5\"»).digest(data);\n}\nString g(String text) {\n  return «DigestUtils.sha1Hex»(text);\n}\n",
        sound: "byte[] f(byte[] data) throws Exception {\n  return MessageDigest.getInstance(\"SHA-256\").digest(data);\n}\n",
    }],
};

pub(super) static CIPHER: RuleInfo = RuleInfo {
    code: "CW-JAVA-327-1",
    name: "java/weak-cipher",
    cwe: &[Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A broken cipher is used",
    fix: "use AES in GCM mode",
    examples: &[Example {
        weak: "Cipher f() throws Exception {\n  return Cipher.getInstance(«\"DES/CBC/PKCS5Padding\"»);\n}\n",
        sound: "Cipher f() throws Exception {\n  return Cipher.getInstance(\"AES/GCM/NoPadding\");\n}\n",
    }],
};

pub(super) static BLOCK_MODE: RuleInfo = RuleInfo {
    code: "CW-JAVA-327-2",
    name: "java/cipher-mode",
    cwe: &[Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Equal blocks are encrypted to equal blocks",
    fix: "name a mode, such as AES/GCM/NoPadding",
    examples: &[Example {
        weak: "Cipher f() throws Exception {\n  return Cipher.getInstance(«\"AES\"»);\n}\nCipher g() throws Exception {\n  return Cipher.getInstance(«\"AES/ECB/PKCS5Padding\"»);\n}\n",
        sound: "Cipher f() throws Exception {\n  return Cipher.getInstance(\"AES/GCM/NoPadding\");\n}\nCipher g() throws Exception {\n  return Cipher.getInstance(\"RSA/ECB/OAEPWithSHA-256AndMGF1Padding\");\n}\n",
    }],
};

pub(super) static RSA_PADDING: RuleInfo = RuleInfo {
    code: "CW-JAVA-780-1",
    name: "java/rsa-padding",
    cwe: &[Cwe(780), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "RSA is used without OAEP",
    fix: "name RSA/ECB/OAEPWithSHA-256AndMGF1Padding",
    examples: &[Example {
        weak: "Cipher f() throws Exception {\n  return Cipher.getInstance(«\"RSA/ECB/PKCS1Padding\"»);\n}\n",
        sound: "Cipher f() throws Exception {\n  return Cipher.getInstance(\"RSA/ECB/OAEPWithSHA-256AndMGF1Padding\");\n}\n",
    }],
};

pub(super) static SHORT_KEY: RuleInfo = RuleInfo {
    code: "CW-JAVA-326-1",
    name: "java/short-key",
    cwe: &[Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A key is too short",
    fix: "use 2048 bits or more for RSA, 256 for curves and AES",
    examples: &[Example {
        weak: "KeyPair f() throws Exception {\n  KeyPairGenerator generator = KeyPairGenerator.getInstance(\"RSA\");\n  generator.initialize(«1024»);\n  return generator.generateKeyPair();\n}\n",
        sound: "KeyPair f() throws Exception {\n  KeyPairGenerator generator = KeyPairGenerator.getInstance(\"RSA\");\n  generator.initialize(3072);\n  return generator.generateKeyPair();\n}\n",
    }],
};

pub(super) static FIXED_VECTOR: RuleInfo = RuleInfo {
    code: "CW-JAVA-329-1",
    name: "java/fixed-vector",
    cwe: &[Cwe(329), Cwe(1204)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The initialisation vector is always the same",
    fix: "fill it from SecureRandom for each message",
    examples: &[Example {
        weak: "IvParameterSpec f() {\n  return new IvParameterSpec(«\"0123456789abcdef\".getBytes()»);\n}\nGCMParameterSpec g() {\n  return new GCMParameterSpec(128, «new byte[12]»);\n}\n",
        sound: "IvParameterSpec f() {\n  byte[] vector = new byte[16];\n  new SecureRandom().nextBytes(vector);\n  return new IvParameterSpec(vector);\n}\n",
    }],
};

pub(super) static FIXED_SALT: RuleInfo = RuleInfo {
    code: "CW-JAVA-760-1",
    name: "java/fixed-salt",
    cwe: &[Cwe(760)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The salt is always the same",
    fix: "fill it from SecureRandom for each password",
    examples: &[Example {
        weak: "KeySpec f(char[] password) {\n  return new PBEKeySpec(password, «\"salt\".getBytes()», 310000, 256);\n}\n",
        sound: "KeySpec f(char[] password, byte[] salt) {\n  return new PBEKeySpec(password, salt, 310000, 256);\n}\n",
    }],
};

pub(super) static FEW_ROUNDS: RuleInfo = RuleInfo {
    code: "CW-JAVA-916-1",
    name: "java/few-rounds",
    cwe: &[Cwe(916)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A password is hashed with too few rounds",
    fix: "use 310000 rounds or more",
    examples: &[Example {
        weak: "KeySpec f(char[] password, byte[] salt) {\n  return new PBEKeySpec(password, salt, «1000», 256);\n}\n",
        sound: "KeySpec f(char[] password, byte[] salt) {\n  return new PBEKeySpec(password, salt, 310000, 256);\n}\n",
    }],
};

pub(super) static PASSWORD_DIGEST: RuleInfo = RuleInfo {
    code: "CW-JAVA-916-2",
    name: "java/password-digest",
    cwe: &[Cwe(916), Cwe(759)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is hashed with a fast function",
    fix: "use bcrypt, scrypt, Argon2 or PBKDF2",
    examples: &[Example {
        weak: "byte[] f(String password) throws Exception {\n  MessageDigest digest = MessageDigest.getInstance(\"SHA-256\");\n  return digest.digest(«password.getBytes()»);\n}\n",
        sound: "String f(String password) {\n  return BCrypt.hashpw(password, BCrypt.gensalt(12));\n}\n",
    }],
};

pub(super) static FIXED_KEY: RuleInfo = RuleInfo {
    code: "CW-JAVA-321-1",
    name: "java/fixed-key",
    cwe: &[Cwe(321), Cwe(798)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A key is written in the program",
    fix: "load it from where secrets are kept",
    examples: &[Example {
        weak: "Key f() {\n  return new SecretKeySpec(«\"0123456789abcdef\".getBytes()», \"AES\");\n}\n",
        sound: "Key f(KeyStore store, char[] password) throws Exception {\n  return store.getKey(\"main\", password);\n}\n",
    }],
};

fn bare(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "")
}

fn is_broken_hash(name: &str) -> bool {
    matches!(bare(name).as_str(), "MD2" | "MD4" | "MD5" | "SHA" | "SHA1" | "RIPEMD128")
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    hashes(call, report);
    if call.is(&["Cipher.getInstance", "KeyGenerator.getInstance", "SecretKeyFactory.getInstance"])
        && let Some(name) = call.first()
    {
        cipher(call, name, report);
    }
    sizes(call, report);
    match (call.path, call.positional.as_slice()) {
        ("new IvParameterSpec", [vector, ..]) | ("new GCMParameterSpec", [_, vector]) => {
            let is_empty = vector.value.path_text().starts_with("new byte[]") && !is_set(call, &vector.value, FILLED);
            if is_empty {
                found(&FIXED_VECTOR, vector.span, None, report);
            }
            fixed(vector, &FIXED_VECTOR, report);
        }
        ("new SecretKeySpec" | "new DESKeySpec" | "Keys.hmacShaKeyFor", [key, ..]) => fixed(key, &FIXED_KEY, report),
        ("new PBEKeySpec", [_, salt, rounds, ..]) | ("new PBEParameterSpec", [salt, rounds, ..]) => {
            fixed(salt, &FIXED_SALT, report);
            few(rounds, report);
        }
        _ => {}
    }
    if call.path.ends_with(").signWith") || call.method == "setSigningKey" {
        for key in call.positional.iter().filter(|key| key.value.text().is_some()) {
            fixed(key, &FIXED_KEY, report);
        }
    }
}

fn hashes(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["MessageDigest.getInstance", "DigestUtils.getDigest"])
        && let Some(name) = call.first().filter(|name| name.value.text().is_some_and(is_broken_hash))
    {
        found(&HASH, name.span, None, report);
    }
    let is_named = |owner: &str| {
        call.path.strip_prefix(owner).is_some_and(|name| {
            let name = name
                .trim_start_matches("get")
                .trim_end_matches("Hex")
                .trim_end_matches("Digest")
                .trim_end_matches("AsHex");
            is_broken_hash(name)
        })
    };
    if is_named("DigestUtils.") || is_named("Hashing.") {
        found(&HASH, call.callee.span, None, report);
    }
    if call.is(&["MessageDigest().digest", "MessageDigest().update"])
        && let Some(text) = call.first()
        && text.value.taints.iter().any(|taint| is_password_name(&taint.source.label))
    {
        found(&PASSWORD_DIGEST, text.span, text.value.taints.first(), report);
    }
}

fn cipher(call: &Call<'_>, name: &Operand, report: &mut Report<'_>) {
    let Some(text) = name.value.text() else { return };
    let upper = text.to_ascii_uppercase();
    let mut parts = upper.split('/');
    let algorithm = parts.next().unwrap_or_default();
    let is_cipher = call.path == "Cipher.getInstance";
    let broken = ["DES", "DESEDE", "TRIPLEDES", "3DES", "RC2", "RC4", "ARCFOUR", "BLOWFISH", "IDEA", "SKIPJACK"];
    if broken.contains(&algorithm) || algorithm.starts_with("PBEWITHMD5") || algorithm.contains("ANDDES") {
        found(&CIPHER, name.span, None, report);
    } else if is_cipher && algorithm == "AES" && parts.next().is_none_or(|mode| mode == "ECB") {
        found(&BLOCK_MODE, name.span, None, report);
    } else if is_cipher && algorithm == "RSA" && !upper.contains("OAEP") {
        found(&RSA_PADDING, name.span, None, report);
    }
}

/// `generator.initialize(bits)`, where the generator was made for a named algorithm.
fn sizes(call: &Call<'_>, report: &mut Report<'_>) {
    let (Some(receiver), Some(bits)) = (&call.receiver, call.first()) else { return };
    let Some(number) = bits.value.integer() else { return };
    let algorithm = match &receiver.value.shape {
        Shape::Called { positional, .. } => positional.first().and_then(|name| name.text()).map(bare),
        _ => None,
    };
    let least = match (call.path, algorithm.as_deref()) {
        ("KeyPairGenerator().initialize", Some("EC" | "ECDSA")) => 224,
        ("KeyPairGenerator().initialize", Some("RSA" | "DSA" | "DH")) => 2048,
        ("KeyGenerator().init", Some("AES" | "HMACSHA256")) => 128,
        _ => return,
    };
    if number < least {
        found(&SHORT_KEY, bits.span, None, report);
    }
}

fn fixed(operand: &Operand, rule: &'static RuleInfo, report: &mut Report<'_>) {
    if is_written_out(&operand.value) {
        found(rule, operand.span, None, report);
    }
}

fn few(rounds: &Operand, report: &mut Report<'_>) {
    if rounds.value.integer().is_some_and(|number| number < 10_000) {
        found(&FEW_ROUNDS, rounds.span, None, report);
    }
}
