//! Small sets: the places where input can do harm, and properties that stick to values.

use std::ops::{BitAnd, BitOr, Not};

/// The kinds of place where a value that carries input can still do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Classes(u64);

macro_rules! bits {
    ($set:ident: $($(#[$doc:meta])* $name:ident = $at:expr;)*) => {
        impl $set {
            $($(#[$doc])* pub(crate) const $name: Self = Self(1 << $at);)*
        }
    };
}

bits! { Classes:
    SHELL = 0;
    /// Read as an option by the program that gets it.
    OPTION = 1;
    SQL = 2;
    /// `<` opens a tag.
    HTML_TAG = 3;
    HTML_DOUBLE_QUOTE = 4;
    HTML_SINGLE_QUOTE = 5;
    /// `..` climbs out of a folder.
    PATH_UP = 6;
    /// An absolute path replaces the folder it is joined to.
    PATH_ABSOLUTE = 7;
    CODE = 8;
    LDAP_STAR = 9;
    LDAP_OPEN = 10;
    LDAP_CLOSE = 11;
    LDAP_BACKSLASH = 12;
    XPATH_SINGLE_QUOTE = 13;
    XPATH_DOUBLE_QUOTE = 14;
    /// Read as a format string.
    FORMAT = 15;
    /// Names an attribute, a global or a module.
    NAME = 16;
    CARRIAGE_RETURN = 17;
    LINE_FEED = 18;
    /// Names a host or a scheme in a redirect.
    REDIRECT_HOST = 19;
    /// `//host` in a redirect that must start with a slash.
    REDIRECT_SLASHES = 20;
    /// Starts a formula in a spreadsheet.
    FORMULA = 21;
    /// Names the host of a request made here.
    REQUEST_HOST = 22;
    /// Read as a regular expression.
    PATTERN = 23;
    /// Long or hostile text for a slow regular expression.
    BACKTRACKING = 24;
    PICKLE = 25;
    /// Declares entities.
    XML_DECLARATION = 26;
    /// A mapping or list where a plain value is expected.
    OPERATOR = 27;
    /// Any key may be present.
    KEYS = 28;
    EXTENSION = 29;
    SIZE = 30;
    /// Picks the algorithm by which it is verified.
    ALGORITHM = 31;
    /// Some path made from it was checked to stay inside a folder.
    PATH_MEMBER = 32;
    TEMPLATE = 33;
    /// Encoded: harmless until it is decoded.
    ENCODED = 34;
    /// What was set on an object that is used later; never carried by input.
    SET_FIRST = 48;
    SET_SECOND = 49;
    SET_THIRD = 50;
}

impl Classes {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self((1 << 35) - 1);
    pub(crate) const PATH: Self = Self(Self::PATH_UP.0 | Self::PATH_ABSOLUTE.0 | Self::PATH_MEMBER.0);
    pub(crate) const LINES: Self = Self(Self::CARRIAGE_RETURN.0 | Self::LINE_FEED.0);
    pub(crate) const HTML: Self = Self(Self::HTML_TAG.0 | Self::HTML_DOUBLE_QUOTE.0 | Self::HTML_SINGLE_QUOTE.0);
    pub(crate) const LDAP: Self =
        Self(Self::LDAP_STAR.0 | Self::LDAP_OPEN.0 | Self::LDAP_CLOSE.0 | Self::LDAP_BACKSLASH.0);
    pub(crate) const XPATH: Self = Self(Self::XPATH_SINGLE_QUOTE.0 | Self::XPATH_DOUBLE_QUOTE.0);
    pub(crate) const REDIRECT: Self = Self(Self::REDIRECT_HOST.0 | Self::REDIRECT_SLASHES.0);
    /// What a fact about the host of an address settles.
    pub(crate) const HOST: Self = Self(Self::REQUEST_HOST.0 | Self::REDIRECT.0);

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Classes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Classes {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Classes {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

/// The classes in which a text can do no harm once this character cannot occur in it.
pub(crate) fn harmless_without(letter: char) -> Classes {
    match letter {
        '<' => Classes::HTML_TAG,
        '"' => Classes::HTML_DOUBLE_QUOTE | Classes::XPATH_DOUBLE_QUOTE,
        '\'' => Classes::HTML_SINGLE_QUOTE | Classes::XPATH_SINGLE_QUOTE,
        '/' => Classes::PATH,
        '*' => Classes::LDAP_STAR,
        '(' => Classes::LDAP_OPEN,
        ')' => Classes::LDAP_CLOSE,
        '\\' => Classes::LDAP_BACKSLASH,
        '{' => Classes::FORMAT,
        '\r' => Classes::CARRIAGE_RETURN,
        '\n' => Classes::LINE_FEED,
        _ => Classes::NONE,
    }
}

/// The classes in which a text made only of these characters can do no harm.
pub(crate) fn harmless_with_only(may_occur: impl Fn(char) -> bool) -> Classes {
    let mut harmless = Classes::NONE;
    for letter in ['<', '"', '\'', '/', '*', '(', ')', '\\', '{', '\r', '\n'] {
        if !may_occur(letter) {
            harmless = harmless | harmless_without(letter);
        }
    }
    let lacks = |letters: &str| letters.chars().all(|letter| !may_occur(letter));
    if lacks(".") {
        harmless = harmless | Classes::PATH_UP | Classes::EXTENSION;
    }
    if lacks("-") {
        harmless = harmless | Classes::OPTION;
    }
    if lacks("'\"; \n()\\`/*") {
        harmless = harmless | Classes::SQL;
    }
    if lacks(";|&$`<>() \n\t'\"\\*?[]{}~!#") {
        harmless = harmless | Classes::SHELL;
    }
    if lacks("=+@\t\r") && lacks("-") {
        harmless = harmless | Classes::FORMULA;
    }
    // Numbers and operators calculate and no more.
    let lacks_names = lacks("[\"'`_$\\") && !('a'..='z').chain('A'..='Z').any(&may_occur);
    if lacks("(.[") || lacks_names {
        harmless = harmless | Classes::CODE;
    }
    if lacks(":/\\@") {
        harmless = harmless | Classes::REDIRECT;
    }
    if lacks("%{") {
        harmless = harmless | Classes::FORMAT | Classes::TEMPLATE;
    }
    if lacks("(*+?[\\{|") {
        harmless = harmless | Classes::PATTERN;
    }
    if lacks("<!") {
        harmless = harmless | Classes::XML_DECLARATION;
    }
    harmless
}

/// Properties that stick to a value and to what is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Labels(u16);

bits! { Labels:
    /// Text of an exception.
    ERROR_TEXT = 0;
    /// A printed stack.
    STACK = 1;
    /// From a generator that can be predicted.
    WEAK_RANDOM = 2;
    /// A path made absolute, with `..` and links resolved.
    RESOLVED_PATH = 4;
    /// Ends with a path separator.
    ENDS_WITH_SEPARATOR = 5;
    /// From a secure generator.
    STRONG_RANDOM = 6;
    /// From the clock or a process id.
    GUESSABLE = 7;
    /// From a computed authentication code or digest.
    DIGEST = 8;
    /// All but the first and the last character of a text.
    INNER = 9;
    /// Memory that something was written to since it was set aside.
    WRITTEN = 10;
    /// Known to be a text.
    TEXT = 12;
    /// Opened to add to its end.
    APPENDING = 14;
    /// The first character of a text.
    FIRST_CHARACTER = 15;
}

impl Labels {
    pub(crate) const NONE: Self = Self(0);
    /// What describes a path as a whole and is lost when something is added to it.
    pub(crate) const WHOLE_PATH: Self =
        Self(Self::RESOLVED_PATH.0 | Self::ENDS_WITH_SEPARATOR.0 | Self::FIRST_CHARACTER.0 | Self::INNER.0);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Labels {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Labels {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
