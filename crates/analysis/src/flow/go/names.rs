//! Names of packages.
//!
//! Packages of the standard library go by their import path (`os/exec`), all others by the last part of theirs (`gin`). A text without
//! imports is read as if the usual ones were there.

use std::rc::Rc;

use crate::syntax::Constant;

/// Packages of the standard library whose path is longer than their name.
const STANDARD: &[(&str, &str)] = &[
    ("aes", "crypto/aes"),
    ("ast", "go/ast"),
    ("atomic", "sync/atomic"),
    ("base32", "encoding/base32"),
    ("base64", "encoding/base64"),
    ("binary", "encoding/binary"),
    ("bzip2", "compress/bzip2"),
    ("cgi", "net/http/cgi"),
    ("cipher", "crypto/cipher"),
    ("csv", "encoding/csv"),
    ("des", "crypto/des"),
    ("dsa", "crypto/dsa"),
    ("ecdsa", "crypto/ecdsa"),
    ("ed25519", "crypto/ed25519"),
    ("elliptic", "crypto/elliptic"),
    ("exec", "os/exec"),
    ("filepath", "path/filepath"),
    ("flate", "compress/flate"),
    ("fs", "io/fs"),
    ("gob", "encoding/gob"),
    ("gzip", "compress/gzip"),
    ("hex", "encoding/hex"),
    ("hmac", "crypto/hmac"),
    ("http", "net/http"),
    ("httptest", "net/http/httptest"),
    ("httputil", "net/http/httputil"),
    ("ioutil", "io/ioutil"),
    ("json", "encoding/json"),
    ("mail", "net/mail"),
    ("md5", "crypto/md5"),
    ("multipart", "mime/multipart"),
    ("netip", "net/netip"),
    ("pem", "encoding/pem"),
    ("pprof", "net/http/pprof"),
    ("rc4", "crypto/rc4"),
    ("rpc", "net/rpc"),
    ("rsa", "crypto/rsa"),
    ("sha1", "crypto/sha1"),
    ("sha256", "crypto/sha256"),
    ("sha512", "crypto/sha512"),
    ("signal", "os/signal"),
    ("slog", "log/slog"),
    ("smtp", "net/smtp"),
    ("sql", "database/sql"),
    ("subtle", "crypto/subtle"),
    ("syslog", "log/syslog"),
    ("tar", "archive/tar"),
    ("textproto", "net/textproto"),
    ("tls", "crypto/tls"),
    ("url", "net/url"),
    ("user", "os/user"),
    ("utf8", "unicode/utf8"),
    ("x509", "crypto/x509"),
    ("xml", "encoding/xml"),
    ("zip", "archive/zip"),
    ("zlib", "compress/zlib"),
];

/// What tells the two packages named `rand` apart where no import does.
const SECURE_RANDOM: &[&str] = &["Reader", "Prime"];
const WEAK_RANDOM: &[&str] = &[
    "Intn",
    "Int31",
    "Int31n",
    "Int63",
    "Int63n",
    "Seed",
    "New",
    "NewSource",
    "Float64",
    "Perm",
    "Shuffle",
    "IntN",
    "N",
    "Uint32",
    "Uint64",
];

/// The usual name of what a path names.
pub(super) fn canonical(path: &str) -> Rc<str> {
    if path.contains('/') {
        return imported(path);
    }
    let (head, rest) = path.split_once('.').map_or((path, ""), |(head, _)| (head, &path[head.len()..]));
    if head == "rand" {
        let name = rest.trim_start_matches('.').split(['.', '(']).next().unwrap_or_default();
        if SECURE_RANDOM.contains(&name) {
            return format!("crypto/rand{rest}").into();
        }
        return if WEAK_RANDOM.contains(&name) { format!("math/rand{rest}").into() } else { path.into() };
    }
    match STANDARD.binary_search_by(|(name, _)| (*name).cmp(head)) {
        Ok(at) => format!("{}{rest}", STANDARD[at].1).into(),
        Err(_) => path.into(),
    }
}

/// The name of a package by its import path, with what follows it.
fn imported(path: &str) -> Rc<str> {
    let (host, _) = path.split_once('/').unwrap_or((path, ""));
    if !host.contains('.') {
        let path = path.strip_prefix("math/rand/v2").map_or_else(|| path.to_owned(), |rest| format!("math/rand{rest}"));
        return path.replace("io/ioutil.ReadAll", "io.ReadAll").replace("io/ioutil.ReadFile", "os.ReadFile").into();
    }
    // Of `github.com/golang-jwt/jwt/v5.Parse` only `jwt.Parse` says what it is.
    let package_end = path.find('(').unwrap_or(path.len());
    let start = path[..package_end].rfind('/').map_or(0, |at| at + 1);
    let last = &path[start..];
    let is_version = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        let digits = digits.split('.').next().unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (name, rest) = if is_version(last) {
        let before = path[..start.saturating_sub(1)].rsplit('/').next().unwrap_or_default();
        (before, last.split_once('.').map_or("", |(version, _)| &last[version.len()..]))
    } else {
        last.split_once('.').map_or((last, ""), |(name, _)| (name, &last[name.len()..]))
    };
    // `yaml.v3`: a version within the name.
    let rest = match rest.strip_prefix('.') {
        Some(version) if is_version(version) => {
            version.split_once('.').map_or("", |(version, _)| &rest[version.len() + 1..])
        }
        _ => rest,
    };
    let name = name.strip_prefix("go-").unwrap_or(name);
    if STANDARD.binary_search_by(|(known, _)| (*known).cmp(name)).is_ok() {
        return path.into();
    }
    format!("{name}{rest}").into()
}

/// Constants of the library that rules look at.
pub(super) fn constant(path: &str) -> Option<Constant> {
    let text = |text: &str| Some(Constant::Text(text.into()));
    let number = |number: i64| Some(Constant::Integer(number));
    match path {
        "os.PathSeparator" | "path/filepath.Separator" => text("/"),
        "os.ModePerm" | "io/fs.ModePerm" => number(0o777),
        "crypto/tls.VersionSSL30" => number(0x300),
        "crypto/tls.VersionTLS10" => number(0x301),
        "crypto/tls.VersionTLS11" => number(0x302),
        "crypto/tls.VersionTLS12" => number(0x303),
        "crypto/tls.VersionTLS13" => number(0x304),
        "bcrypt.MinCost" => number(4),
        "bcrypt.DefaultCost" => number(10),
        "crypto/aes.BlockSize" => number(16),
        "crypto/sha256.Size" => number(32),
        "crypto/sha512.Size" => number(64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_one_name_each() {
        assert!(STANDARD.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let name = |path: &str| canonical(path).to_string();
        assert_eq!(name("exec.Command"), "os/exec.Command");
        assert_eq!(name("os/exec.Command"), "os/exec.Command");
        assert_eq!(name("github.com/golang-jwt/jwt/v5"), "jwt");
        assert_eq!(name("gopkg.in/yaml.v3"), "yaml");
        assert_eq!(name("math/rand/v2"), "math/rand");
        assert_eq!(name("rand.Intn"), "math/rand.Intn");
        assert_eq!(name("rand.Reader"), "crypto/rand.Reader");
        assert_eq!(name("github.com/gin-gonic/gin"), "gin");
    }
}
