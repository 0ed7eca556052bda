//! The words that count as keywords in the keyword-weighted n-gram match, language by language.
//!
//! They are those of the package, since they decide its figures, oddities included: Python's `match` but not `print`,
//! JavaScript's `True` but not `true`, and names of C++'s library. A list is one text, its words in the order of their bytes.

use crate::language::Language;

const PYTHON: &str = "\
    False None True and as assert async await break case class continue def del elif else except \
    finally for from global if import in is lambda match nonlocal not or pass raise return try type \
    while with yield";

const C: &str = "\
    _Packed auto break case char const continue default do double else enum extern float for goto if \
    int long register return short signed sizeof static struct switch typedef union unsigned void \
    volatile while";

const CPP: &str = "\
    INT_MAX INT_MIN MAX_RAND NULL and and_eq asm auto bitand bitor bool break case catch char cin \
    class compl const const_cast continue cout default delete do double dynamic_cast else endl enum \
    explicit extern false float for friend goto if include inline int iomanip iostream long main \
    mutable namespace new not not_eq npos operator or or_eq private protected public register \
    reinterpret_cast return short signed sizeof static static_cast std string struct switch template \
    this throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t \
    while xor xor_eq";

const JAVA: &str = "\
    abstract assert boolean break byte case catch char class const continue default do double else \
    enum extends final finally float for goto if implements import instanceof int interface long \
    native new package private protected public return short static strictfp super switch \
    synchronized this throw throws transient try void volatile while";

const JAVASCRIPT: &str = "\
    True await break case catch class const continue debugger default delete do else enum export \
    extends false finally for function if implements import in instanceof interface let new null \
    package private protected public return static super switch this throw try typeof var void while \
    with yield";

const GO: &str = "\
    break case chan const continue default defer else fallthrough false for func go goto if import \
    interface map package range return select struct switch true type var";

/// The language's words; none where the package has no list.
pub(super) fn keywords(language: Language) -> impl Iterator<Item = &'static str> {
    let words = match language {
        Language::Python => PYTHON,
        Language::C => C,
        Language::Cpp => CPP,
        Language::Java => JAVA,
        Language::JavaScript => JAVASCRIPT,
        Language::Go => GO,
        Language::TypeScript => "",
    };
    words.split(' ')
}

/// Whether a token is one of the language's words.
pub(super) fn is_keyword(language: Language, token: &str) -> bool {
    keywords(language).any(|word| word == token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ordered_and_of_the_package_s_length() {
        let lengths = [
            (Language::Python, 38),
            (Language::C, 33),
            (Language::Cpp, 87),
            (Language::Java, 50),
            (Language::JavaScript, 46),
            (Language::Go, 27),
        ];
        for (language, length) in lengths {
            let words: Vec<_> = keywords(language).collect();
            assert_eq!(words.len(), length, "{language}");
            assert!(words.is_sorted(), "{language}");
        }
        assert!(is_keyword(Language::JavaScript, "True") && !is_keyword(Language::JavaScript, "true"));
    }
}
