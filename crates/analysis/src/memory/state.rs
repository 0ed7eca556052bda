//! What is known of each place at one point of a function.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::syntax::Span;

/// Why a pointer may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Allocation,
    Opening,
    /// A function of the library that finds something or does not.
    Search,
    /// A function of another file whose name says that it finds or makes something.
    Named,
    /// Another function, whose name says that it may find nothing.
    Call,
    /// A search in a container, which returns its end if it finds nothing.
    Container,
}

/// Whether a pointer may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Nullness {
    #[default]
    Unknown,
    Unchecked(Origin),
    Null,
    NotNull,
}

/// How memory was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allocator {
    Malloc,
    New,
    NewArray,
}

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Number {
    #[default]
    Plain,
    /// Of whoever calls, or from a conversion of text.
    Input,
    /// Read from data that a parameter leads to.
    Stored,
    /// What a function returned that read up to the whole size of this buffer.
    ReadInto(Rc<str>),
    /// What `snprintf` returned.
    Printed,
    /// A product that may have wrapped around.
    Product,
}

/// What is known of one place.
#[expect(clippy::struct_excessive_bools, reason = "each says something else, and any of them may hold")]
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) null: Nullness,
    /// Where it was given back.
    pub(super) freed: Option<Span>,
    /// It was compared with something that it must not exceed.
    pub(super) has_upper: bool,
    /// It was compared with something that it must not be less than.
    pub(super) has_lower: bool,
    /// It is no more than this.
    pub(super) max: Option<i64>,
    /// It is at least this.
    pub(super) min: Option<i64>,
    /// Its holder gave up the reference here.
    pub(super) given_up: Option<Span>,
    /// Something was added to it.
    pub(super) was_moved: bool,
    /// It grew in a loop, and nobody asked how far.
    pub(super) is_grown: bool,
    /// It was compared with something that is no plain number.
    pub(super) is_weighed: bool,
    pub(super) is_unset: bool,
    pub(super) allocator: Option<Allocator>,
    /// This function has to give it back.
    pub(super) is_owned: bool,
    pub(super) number: Number,
    /// It was compared with null somewhere above.
    pub(super) was_compared: bool,
    /// Where it was first followed.
    pub(super) followed: Option<Span>,
    /// Where the file that it names was asked about.
    pub(super) asked: Option<Span>,
    /// It was filled with something that is always the same.
    pub(super) is_fixed: bool,
    /// The bytes of a stream that are known to be left.
    pub(super) left: Option<i64>,
    /// Another name of the same pointer.
    pub(super) alias: Option<Rc<str>>,
    /// It is no more than this number, which has a name.
    pub(super) reaches: Option<Rc<str>>,
    /// Memory behind it: the number of bytes, where known.
    pub(super) bytes: Option<i64>,
    /// Memory behind it was taken for a text of this length, and no more.
    pub(super) exact_length_of: Option<Rc<str>>,
}

/// What is known at one point.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) places: BTreeMap<Rc<str>, Place>,
    /// No execution comes here.
    pub(super) is_dead: bool,
}

impl State {
    pub(super) fn place(&mut self, key: &Rc<str>) -> &mut Place {
        self.places.entry(Rc::clone(key)).or_default()
    }

    /// What holds whichever way was taken.
    pub(super) fn join(self, other: Self) -> Self {
        if self.is_dead {
            return other;
        }
        if other.is_dead {
            return self;
        }
        let (mut joined, other_places) = (self, other.places);
        for (key, place) in &mut joined.places {
            if !other_places.contains_key(key) {
                place.is_unset = false;
                place.is_owned = false;
                place.max = None;
                place.min = None;
                if matches!(place.null, Nullness::Null | Nullness::NotNull) {
                    place.null = Nullness::Unknown;
                }
            }
        }
        for (key, right) in other_places {
            if let Some(left) = joined.places.get_mut(&key) {
                left.join(right);
            } else {
                let null = match right.null {
                    Nullness::Null | Nullness::NotNull => Nullness::Unknown,
                    null => null,
                };
                joined
                    .places
                    .insert(key, Place { is_unset: false, is_owned: false, max: None, min: None, null, ..right });
            }
        }
        joined
    }

    /// Forgets a place and all that is reached through it.
    pub(super) fn forget(&mut self, key: &str) {
        self.places.remove(key);
        self.forget_below(key);
    }

    /// Forgets what is reached through a place.
    pub(super) fn forget_below(&mut self, key: &str) {
        self.places.retain(|other, _| other.len() <= key.len() || !reaches_through(other, key));
    }
}

/// Whether a place is reached through another: `*p.next` through `p`.
pub(super) fn reaches_through(place: &str, through: &str) -> bool {
    let mut starts = (0..place.len()).filter(|at| place.as_bytes()[*at..].starts_with(through.as_bytes()));
    starts.any(|at| {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let before = place[..at].chars().next_back();
        let after = place[at + through.len()..].chars().next();
        !before.is_some_and(|letter| is_word(letter) || letter == '.') && !after.is_some_and(is_word)
    })
}

impl Place {
    fn join(&mut self, other: Self) {
        self.null = match (self.null, other.null) {
            (one, two) if one == two => one,
            (Nullness::Unchecked(origin), _) | (_, Nullness::Unchecked(origin)) => Nullness::Unchecked(origin),
            _ => Nullness::Unknown,
        };
        self.freed = self.freed.or(other.freed);
        self.has_upper |= other.has_upper;
        self.has_lower |= other.has_lower;
        self.max = self.max.zip(other.max).map(|(one, two)| one.max(two));
        self.min = self.min.zip(other.min).map(|(one, two)| one.min(two));
        self.is_weighed |= other.is_weighed;
        self.given_up = self.given_up.or(other.given_up);
        self.is_grown |= other.is_grown;
        self.was_moved |= other.was_moved;
        self.is_unset &= other.is_unset;
        self.is_owned &= other.is_owned;
        if self.allocator != other.allocator {
            self.allocator = None;
        }
        if self.number == Number::Plain {
            self.number = other.number;
        }
        self.was_compared |= other.was_compared;
        self.followed = self.followed.or(other.followed);
        self.asked = self.asked.or(other.asked);
        self.is_fixed |= other.is_fixed;
        self.left = self.left.zip(other.left).map(|(one, two)| one.min(two));
        if self.alias != other.alias {
            self.alias = None;
        }
        if self.reaches != other.reaches {
            self.reaches = None;
        }
        if self.bytes != other.bytes {
            self.bytes = None;
        }
        if self.exact_length_of != other.exact_length_of {
            self.exact_length_of = None;
        }
    }
}
