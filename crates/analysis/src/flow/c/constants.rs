//! Values of constants of the library that rules look at, as on Linux.

use crate::syntax::Constant;

#[expect(clippy::match_same_arms, reason = "a table of names, sorted by what they belong to")]
pub(super) fn named(path: &str) -> Option<Constant> {
    let number = match path {
        "O_RDONLY" | "SSL_VERIFY_NONE" | "CURL_SSLVERSION_DEFAULT" | "GNUTLS_VERIFY_DISABLE" => 0,
        "O_WRONLY" | "SSL_VERIFY_PEER" => 1,
        "O_RDWR" => 2,
        "O_CREAT" => 0o100,
        "O_EXCL" => 0o200,
        "O_TRUNC" => 0o1000,
        "O_APPEND" => 0o2000,
        "O_NOFOLLOW" => 0o400_000,
        "O_CLOEXEC" => 0o2_000_000,
        "XML_PARSE_RECOVER" => 1,
        "XML_PARSE_NOENT" => 2,
        "XML_PARSE_DTDLOAD" => 4,
        "XML_PARSE_DTDATTR" => 8,
        "XML_PARSE_NOERROR" => 32,
        "XML_PARSE_NOWARNING" => 64,
        "XML_PARSE_PEDANTIC" => 128,
        "XML_PARSE_NOBLANKS" => 256,
        "XML_PARSE_SAX1" => 512,
        "XML_PARSE_XINCLUDE" => 1024,
        "XML_PARSE_NODICT" => 4096,
        "XML_PARSE_NSCLEAN" => 8192,
        "XML_PARSE_NOCDATA" => 16_384,
        "XML_PARSE_NOXINCNODE" => 32_768,
        "XML_PARSE_COMPACT" => 65_536,
        "XML_PARSE_NONET" => 2048,
        "XML_PARSE_HUGE" => 1 << 19,
        "PATH_MAX" | "BUFSIZ" | "MAXPATHLEN" => 4096,
        "NAME_MAX" => 255,
        "S_IRWXU" => 0o700,
        "S_IRUSR" => 0o400,
        "S_IWUSR" => 0o200,
        "S_IXUSR" => 0o100,
        "S_IRWXG" => 0o070,
        "S_IRGRP" => 0o040,
        "S_IWGRP" => 0o020,
        "S_IXGRP" => 0o010,
        "S_IRWXO" => 0o007,
        "S_IROTH" => 0o004,
        "S_IWOTH" => 0o002,
        "S_IXOTH" => 0o001,
        _ => return None,
    };
    Some(Constant::Integer(number))
}
