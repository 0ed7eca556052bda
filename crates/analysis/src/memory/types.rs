//! Types as they are written.

/// The words of a type without qualifiers.
fn plain(kind: &str) -> String {
    let words = kind.split_whitespace().filter(|word| {
        !matches!(*word, "const" | "static" | "extern" | "volatile" | "register" | "struct" | "union" | "enum")
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn is_pointer(kind: &str) -> bool {
    kind.contains('*')
}

/// The bytes of a value of this type, on a machine with 64-bit pointers.
pub(super) fn size(kind: &str) -> Option<i64> {
    if is_pointer(kind) {
        return Some(8);
    }
    Some(match plain(kind).as_str() {
        "char" | "unsigned char" | "signed char" | "uint8_t" | "int8_t" | "u8" | "byte" | "bool" | "BYTE"
        | "guchar" | "gchar" | "u_char" | "uchar" | "_Bool" => 1,
        "short" | "unsigned short" | "uint16_t" | "int16_t" | "u16" | "short int" | "unsigned short int" => 2,
        "int" | "unsigned" | "unsigned int" | "uint32_t" | "int32_t" | "u32" | "float" | "signed int" | "UINT32" => 4,
        "long" | "unsigned long" | "long long" | "unsigned long long" | "size_t" | "ssize_t" | "uint64_t"
        | "int64_t" | "u64" | "Py_ssize_t" | "double" | "off_t" | "uintptr_t" | "intptr_t" | "ptrdiff_t" | "time_t" => {
            8
        }
        other => return numbered_size(other),
    })
}

/// The bytes of a type that says how many bits it has: `u_int32_t`, `UINT16`, `ut8`, `__le32`.
fn numbered_size(plain: &str) -> Option<i64> {
    let lower = plain.to_ascii_lowercase();
    let name = lower.strip_suffix("_t").unwrap_or(&lower);
    let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let last = letters.rsplit('_').next().unwrap_or_default();
    let is_number =
        matches!(last, "u" | "s" | "i" | "ut" | "st" | "uint" | "int" | "guint" | "gint" | "le" | "be" | "ui" | "si");
    match (is_number, &name[letters.len()..]) {
        (true, "8") => Some(1),
        (true, "16") => Some(2),
        (true, "32") => Some(4),
        (true, "64") => Some(8),
        _ => None,
    }
}

/// The bytes of what an array or a pointer of this type leads to.
pub(super) fn element_size(kind: &str) -> Option<i64> {
    if let Some(element) = kind.strip_suffix("[]") {
        return if element.ends_with(']') { None } else { size(element) };
    }
    size(kind.strip_suffix('*')?.trim_end())
}

/// Sizes of buffers that the headers of the system give a name, as on Linux.
pub(super) fn named_size(name: &str) -> Option<i64> {
    Some(match name {
        "INET_ADDRSTRLEN" | "IFNAMSIZ" | "IF_NAMESIZE" => 16,
        "INET6_ADDRSTRLEN" => 46,
        "PATH_MAX" | "MAXPATHLEN" => 4096,
        "NAME_MAX" => 255,
        "BUFSIZ" => 8192,
        _ => return None,
    })
}

pub(super) fn is_integer(kind: &str) -> bool {
    let plain = plain(kind);
    !is_pointer(kind)
        && (!matches!(plain.as_str(), "bool" | "float" | "double" | "_Bool") && size(kind).is_some()
            || is_kernel_integer(&plain))
}

fn is_kernel_integer(plain: &str) -> bool {
    matches!(
        plain,
        "loff_t"
            | "pgoff_t"
            | "__u32"
            | "__u64"
            | "__u16"
            | "__u8"
            | "guint"
            | "gint"
            | "gsize"
            | "ut64"
            | "ut32"
            | "ut8"
    )
}

pub(super) fn is_unsigned(kind: &str) -> bool {
    let plain = plain(kind);
    !is_pointer(kind)
        && (plain.starts_with("unsigned")
            || matches!(
                plain.as_str(),
                "size_t"
                    | "uint32_t"
                    | "uint64_t"
                    | "uint16_t"
                    | "uint8_t"
                    | "u8"
                    | "u16"
                    | "u32"
                    | "u64"
                    | "guint"
                    | "gsize"
            ))
}

/// A signed type whose values can be less than zero.
pub(super) fn is_signed(kind: &str) -> bool {
    matches!(
        plain(kind).as_str(),
        "int" | "short" | "long" | "ssize_t" | "int32_t" | "int64_t" | "int16_t" | "long long" | "off_t"
    )
}

/// A type whose variables hold nothing until they are set.
pub(super) fn starts_unset(kind: &str) -> bool {
    !kind.contains("static")
        && !kind.contains("extern")
        && !kind.contains('&')
        && !kind.contains('[')
        && (is_pointer(kind) && !kind.contains("_ptr") || size(kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_size_of_a_64_bit_machine() {
        assert_eq!(size("const unsigned char"), Some(1));
        assert_eq!(size("struct thing *"), Some(8));
        assert_eq!(element_size("long long *"), Some(8));
        assert_eq!(element_size("char[]"), Some(1));
        assert_eq!(element_size("int[][]"), None);
        assert_eq!(size("struct thing"), None);
        assert!(is_signed("int") && !is_signed("size_t") && is_unsigned("unsigned long"));
    }
}
