//! Values of the standard library's constants that rules look at.

use crate::syntax::Constant;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

/// The value of a named constant, as on Linux.
pub(super) fn named(path: &str) -> Option<Constant> {
    let text = |parts: &[&str]| Some(Constant::Text(parts.concat().into()));
    let number = |number: i64| Some(Constant::Integer(number));
    match path {
        "string.ascii_lowercase" => text(&[LOWER]),
        "string.ascii_uppercase" => text(&[UPPER]),
        "string.ascii_letters" | "string.letters" => text(&[LOWER, UPPER]),
        "string.digits" => text(&[DIGITS]),
        "string.hexdigits" => text(&[DIGITS, "abcdefABCDEF"]),
        "string.octdigits" => text(&["01234567"]),
        "string.whitespace" => text(&[" \t\n\r\u{b}\u{c}"]),
        "string.punctuation" => text(&["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]),
        "os.linesep" => text(&["\n"]),
        "os.O_RDONLY" => number(0),
        "os.O_WRONLY" => number(1),
        "os.O_RDWR" => number(2),
        "os.O_CREAT" => number(0o100),
        "os.O_EXCL" => number(0o200),
        "os.O_TRUNC" => number(0o1000),
        "os.O_APPEND" => number(0o2000),
        "os.O_NOFOLLOW" => number(0o400_000),
        "os.O_CLOEXEC" => number(0o2_000_000),
        _ => permission(path.strip_prefix("stat.S_I")?).map(Constant::Integer),
    }
}

/// `RUSR`, `RWXO` and the like.
fn permission(name: &str) -> Option<i64> {
    let (kind, whose) = name.split_at_checked(name.len().checked_sub(3)?)?;
    let shift = match whose {
        "USR" => 6,
        "GRP" => 3,
        "OTH" => 0,
        _ => {
            return match name {
                "RWXU" => Some(0o700),
                "RWXG" => Some(0o070),
                "RWXO" => Some(0o007),
                "READ" => Some(0o400),
                "WRITE" => Some(0o200),
                "EXEC" => Some(0o100),
                _ => None,
            };
        }
    };
    let bits = match kind {
        "R" => 4,
        "W" => 2,
        "X" => 1,
        _ => return None,
    };
    Some(bits << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_have_their_usual_values() {
        assert_eq!(named("stat.S_IRUSR"), Some(Constant::Integer(0o400)));
        assert_eq!(named("stat.S_IWOTH"), Some(Constant::Integer(0o002)));
        assert_eq!(named("stat.S_IRWXG"), Some(Constant::Integer(0o070)));
        assert_eq!(named("stat.S_IFREG"), None);
    }
}
