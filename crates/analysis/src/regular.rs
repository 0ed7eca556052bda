//! A reading of Python's regular expressions, good enough to reason about their characters and their repetitions.

/// A set of characters: ASCII one by one, all others together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Letters {
    ascii: u128,
    others: bool,
}

impl Letters {
    const ALL: Self = Self { ascii: u128::MAX, others: true };

    fn one(letter: char) -> Self {
        let mut set = Self::default();
        set.add(letter);
        set
    }

    fn add(&mut self, letter: char) {
        if letter.is_ascii() { self.ascii |= 1 << (letter as u32) } else { self.others = true }
    }

    fn add_range(&mut self, from: char, to: char) {
        let (from, to) = (from as u32, to as u32);
        (from..=to.min(127)).for_each(|code| self.ascii |= 1 << code);
        self.others |= to > 127;
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self { ascii: self.ascii | other.ascii, others: self.others || other.others }
    }

    fn inverted(self) -> Self {
        Self { ascii: !self.ascii, others: !self.others }
    }

    pub(crate) fn contains(self, letter: char) -> bool {
        if letter.is_ascii() { self.ascii & (1 << (letter as u32)) != 0 } else { self.others }
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.ascii & other.ascii != 0 || self.others && other.others
    }

    /// The only character in the set.
    pub(crate) fn only(self) -> Option<char> {
        (self.ascii.is_power_of_two() && !self.others).then(|| char::from(self.ascii.trailing_zeros() as u8))
    }

    fn class(letter: char) -> Option<Self> {
        let mut set = Self::default();
        match letter.to_ascii_lowercase() {
            'd' => set.add_range('0', '9'),
            'w' => {
                set.add_range('a', 'z');
                set.add_range('A', 'Z');
                set.add_range('0', '9');
                set.add('_');
                set.others = true;
            }
            's' => " \t\n\r\u{b}\u{c}".chars().for_each(|space| set.add(space)),
            _ => return None,
        }
        Some(if letter.is_ascii_uppercase() { set.inverted() } else { set })
    }
}

/// A regular expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Regular {
    Set(Letters),
    Sequence(Vec<Regular>),
    Choice(Vec<Regular>),
    Repeat {
        inner: Box<Regular>,
        least: u32,
        most: Option<u32>,
        is_possessive: bool,
    },
    /// `^` or `\A`.
    Start,
    /// `$`, before which a line feed may stand.
    End,
    /// `\Z`.
    StrictEnd,
    /// `\b`, look-around, back references: no characters of their own that we follow.
    Other,
}

/// Groups nested deeper are not read.
const MAX_DEPTH: usize = 40;

/// Reads a pattern; `None` when it is not one.
pub(crate) fn parse(pattern: &str) -> Option<Regular> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut parser = Parser { letters: &letters, at: 0, is_verbose: pattern.starts_with("(?x)") };
    let parsed = parser.choice(0)?;
    (parser.at == letters.len()).then_some(parsed)
}

struct Parser<'a> {
    letters: &'a [char],
    at: usize,
    is_verbose: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn choice(&mut self, depth: usize) -> Option<Regular> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut choices = vec![self.sequence(depth)?];
        while self.eat('|') {
            choices.push(self.sequence(depth)?);
        }
        if choices.len() == 1 { choices.pop() } else { Some(Regular::Choice(choices)) }
    }

    fn sequence(&mut self, depth: usize) -> Option<Regular> {
        let mut parts = Vec::new();
        while let Some(letter) = self.peek() {
            if matches!(letter, '|' | ')') {
                break;
            }
            if self.is_verbose && letter.is_whitespace() {
                self.at += 1;
                continue;
            }
            let atom = self.atom(depth)?;
            parts.push(self.repeat(atom)?);
        }
        if parts.len() == 1 { parts.pop() } else { Some(Regular::Sequence(parts)) }
    }

    fn repeat(&mut self, atom: Regular) -> Option<Regular> {
        let mut atom = atom;
        loop {
            let (least, most) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => match self.bounds() {
                    Some(bounds) => bounds,
                    None => return Some(atom),
                },
                _ => return Some(atom),
            };
            self.at += 1;
            let is_possessive = self.eat('+');
            if !is_possessive {
                self.eat('?');
            }
            atom = Regular::Repeat { inner: Box::new(atom), least, most, is_possessive };
        }
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` up to the closing brace; leaves the place alone when it is a literal brace.
    fn bounds(&mut self) -> Option<(u32, Option<u32>)> {
        let close = self.letters[self.at..].iter().position(|letter| *letter == '}')? + self.at;
        let text: String = self.letters[self.at + 1..close].iter().collect();
        let bounds = match text.split_once(',') {
            None => text.parse().ok().map(|count| (count, Some(count))),
            Some(("", most)) => most.parse().ok().map(|most| (0, Some(most))),
            Some((least, "")) => least.parse().ok().map(|least| (least, None)),
            Some((least, most)) => least.parse().ok().zip(most.parse().ok().map(Some)),
        }?;
        self.at = close;
        Some(bounds)
    }

    fn atom(&mut self, depth: usize) -> Option<Regular> {
        Some(match self.next()? {
            '.' => {
                let mut all = Letters::ALL;
                all.ascii &= !(1 << ('\n' as u32));
                Regular::Set(all)
            }
            '^' => Regular::Start,
            '$' => Regular::End,
            '[' => Regular::Set(self.set()?),
            '(' => self.group(depth)?,
            '\\' => self.escape()?,
            letter => Regular::Set(Letters::one(letter)),
        })
    }

    fn escape(&mut self) -> Option<Regular> {
        let letter = self.next()?;
        if let Some(set) = Letters::class(letter) {
            return Some(Regular::Set(set));
        }
        Some(match letter {
            'A' => Regular::Start,
            'Z' | 'z' => Regular::StrictEnd,
            'b' | 'B' | '1'..='9' => Regular::Other,
            _ => Regular::Set(Letters::one(self.escaped(letter))),
        })
    }

    /// The character that an escape stands for.
    fn escaped(&mut self, letter: char) -> char {
        let digits = match letter {
            'n' => return '\n',
            'r' => return '\r',
            't' => return '\t',
            '0' => return '\0',
            'x' => 2,
            'u' => 4,
            _ => return letter,
        };
        let mut code = 0;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|digit| digit.to_digit(16)) else { break };
            code = code * 16 + digit;
            self.at += 1;
        }
        char::from_u32(code).unwrap_or('\u{fffd}')
    }

    fn set(&mut self) -> Option<Letters> {
        let is_inverted = self.eat('^');
        let mut set = Letters::default();
        let mut is_first = true;
        loop {
            let letter = self.next()?;
            if letter == ']' && !is_first {
                break;
            }
            is_first = false;
            let from = if letter == '\\' {
                let escaped = self.next()?;
                if let Some(class) = Letters::class(escaped) {
                    set = set.union(class);
                    continue;
                }
                self.escaped(escaped)
            } else {
                letter
            };
            let is_range = self.peek() == Some('-') && self.letters.get(self.at + 1).is_some_and(|next| *next != ']');
            if is_range {
                self.at += 1;
                let mut to = self.next()?;
                if to == '\\' {
                    let escaped = self.next()?;
                    to = self.escaped(escaped);
                }
                set.add_range(from, to);
            } else {
                set.add(from);
            }
        }
        Some(if is_inverted { set.inverted() } else { set })
    }

    fn group(&mut self, depth: usize) -> Option<Regular> {
        let mut is_assertion = false;
        let mut is_atomic = false;
        if self.eat('?') {
            match self.next()? {
                ':' => {}
                '>' => is_atomic = true,
                '=' | '!' => is_assertion = true,
                '#' => {
                    while !self.eat(')') {
                        self.next()?;
                    }
                    return Some(Regular::Sequence(Vec::new()));
                }
                '<' if matches!(self.peek(), Some('=' | '!')) => {
                    self.at += 1;
                    is_assertion = true;
                }
                '<' => while self.next()? != '>' {},
                'P' => match self.next()? {
                    '<' => while self.next()? != '>' {},
                    '=' => {
                        while !self.eat(')') {
                            self.next()?;
                        }
                        return Some(Regular::Other);
                    }
                    _ => return None,
                },
                _ => {
                    // Flags such as `(?i)` or `(?i:...)`.
                    loop {
                        match self.next()? {
                            ')' => return Some(Regular::Sequence(Vec::new())),
                            ':' => break,
                            _ => {}
                        }
                    }
                }
            }
        }
        let inner = self.choice(depth + 1)?;
        if !self.eat(')') {
            return None;
        }
        Some(if is_assertion {
            Regular::Other
        } else if is_atomic {
            Regular::Repeat { inner: Box::new(inner), least: 1, most: Some(1), is_possessive: true }
        } else {
            inner
        })
    }
}

impl Regular {
    /// Every character that a match may contain; `None` when that is not known.
    pub(crate) fn letters(&self) -> Option<Letters> {
        match self {
            Self::Set(set) => Some(*set),
            Self::Sequence(parts) | Self::Choice(parts) => {
                parts.iter().try_fold(Letters::default(), |all, part| Some(all.union(part.letters()?)))
            }
            Self::Repeat { inner, .. } => inner.letters(),
            Self::Start | Self::End | Self::StrictEnd => Some(Letters::default()),
            Self::Other => None,
        }
    }

    /// Whether it matches the empty text.
    pub(crate) fn is_optional(&self) -> bool {
        match self {
            Self::Set(_) => false,
            Self::Sequence(parts) => parts.iter().all(Self::is_optional),
            Self::Choice(parts) => parts.iter().any(Self::is_optional),
            Self::Repeat { inner, least, .. } => *least == 0 || inner.is_optional(),
            Self::Start | Self::End | Self::StrictEnd | Self::Other => true,
        }
    }

    /// The characters with which a match may start.
    pub(crate) fn first(&self) -> Letters {
        match self {
            Self::Set(set) => *set,
            Self::Sequence(parts) => {
                let mut all = Letters::default();
                for part in parts {
                    all = all.union(part.first());
                    if !part.is_optional() {
                        break;
                    }
                }
                all
            }
            Self::Choice(parts) => parts.iter().fold(Letters::default(), |all, part| all.union(part.first())),
            Self::Repeat { inner, .. } => inner.first(),
            Self::Start | Self::End | Self::StrictEnd | Self::Other => Letters::default(),
        }
    }

    /// The parts that follow one another.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::Sequence(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether some text can be matched in exponentially many ways, so that a text that fails at its end takes for ever.
    pub(crate) fn can_explode(&self) -> bool {
        let mut open = vec![self];
        while let Some(part) = open.pop() {
            match part {
                Self::Sequence(parts) | Self::Choice(parts) => open.extend(parts),
                Self::Repeat { inner, most, is_possessive, .. } => {
                    let is_unbounded = most.is_none_or(|most| most > 12);
                    if is_unbounded && !is_possessive && inner.is_ambiguous_when_repeated() {
                        return true;
                    }
                    open.push(inner);
                }
                _ => {}
            }
        }
        false
    }

    /// Whether two rounds of a repetition can share out one text in different ways.
    fn is_ambiguous_when_repeated(&self) -> bool {
        match self {
            // `(a+)+`: where one round ends is free.
            Self::Repeat { inner, most, is_possessive, .. } => {
                !is_possessive && most.is_none_or(|most| most > 1) && !matches!(inner.as_ref(), Self::Other)
            }
            Self::Choice(choices) => {
                let overlap = choices.iter().enumerate().any(|(at, one)| {
                    choices[at + 1..].iter().any(|other| one.first().overlaps(other.first()) && one.may_equal(other))
                });
                overlap || choices.iter().any(Self::is_ambiguous_when_repeated)
            }
            Self::Sequence(parts) => is_ambiguous_sequence(parts),
            _ => false,
        }
    }

    fn is_unbounded(&self) -> bool {
        matches!(self, Self::Repeat { most: None, is_possessive: false, .. })
    }

    /// Whether two alternatives can match the same text; their first characters overlap.
    fn may_equal(&self, other: &Self) -> bool {
        let (one, two) = (self.parts(), other.parts());
        let singles = |parts: &[Self]| parts.iter().all(|part| matches!(part, Self::Set(_)));
        if singles(one) && singles(two) {
            let overlap = |(one, two): (&Self, &Self)| match (one, two) {
                (Self::Set(one), Self::Set(two)) => one.overlaps(*two),
                _ => true,
            };
            return one.len() == two.len() && one.iter().zip(two).all(overlap);
        }
        true
    }
}

/// Whether one part repeats, and every part that must also be there could be taken for one more round of it.
fn is_ambiguous_sequence(parts: &[Regular]) -> bool {
    let needed: Vec<_> = parts.iter().filter(|part| !part.is_optional()).collect();
    if needed.is_empty() {
        return parts.len() > 1 && parts.iter().any(Regular::is_unbounded);
    }
    parts.iter().any(|repeated| {
        let Some(letters) = repeated.letters().filter(|_| repeated.is_ambiguous_when_repeated()) else { return false };
        let others = needed.iter().filter(|part| !std::ptr::eq(**part, repeated));
        others.into_iter().all(|part| part.letters().is_some_and(|other| other.overlaps(letters)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_take_for_ever_are_told_from_those_that_do_not() {
        for pattern in [
            r"(a+)+$",
            r"^(\w+\s?)*$",
            r"(a|a)*b",
            r"([a-z]+)*@",
            r"(\d+)*x",
            r"^(([a-z])+.)+[A-Z]",
            r"(.*)*",
            r"(\w|\d)+$",
        ] {
            assert!(parse(pattern).unwrap().can_explode(), "{pattern}");
        }
        for pattern in [
            r"^\w+$",
            r"(ab|cd)*",
            r"([a-z]+,)*[a-z]+",
            r"^[\w.]+@[\w.]+$",
            r"(a+)?",
            r"\d{1,3}(\.\d{1,3}){3}",
            r"(?:\w+-)*\w+",
        ] {
            assert!(!parse(pattern).unwrap().can_explode(), "{pattern}");
        }
    }

    #[test]
    fn letters_of_a_pattern() {
        let letters = parse(r"[\w .@-]+").unwrap().letters().unwrap();
        assert!("aZ9_ .@-é".chars().all(|letter| letters.contains(letter)));
        assert!("()*\\\n/'".chars().all(|letter| !letters.contains(letter)));
        assert_eq!(parse("(a"), None);
        assert_eq!(parse("[^/]").unwrap().letters().unwrap().only(), None);
        assert_eq!(parse(r"\/").unwrap().letters().unwrap().only(), Some('/'));
    }
}
