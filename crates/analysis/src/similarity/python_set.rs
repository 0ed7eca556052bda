//! In which order CPython lists a set of strings.
//!
//! The package merges names with `list(set(..))` and compares the lists in order, so that its data-flow figure hangs on Python's
//! hash seed: with a random seed, Python's default, two runs over the same pair differ. This is the order under
//! `PYTHONHASHSEED=0` on CPython 3.11 or later: the layout of its hash table, built by inserting one element after the other.

use super::hash::sip;

/// The table's first size; a power of two, as all sizes.
const FIRST_SIZE: usize = 8;

/// How many neighbours are tried before the search jumps.
const NEIGHBOURS: usize = 9;

/// What the search takes in from the hash's upper bits at each jump.
const SHIFT: u32 = 5;

/// Above this many elements the table grows by two instead of four.
const LARGE: usize = 50_000;

/// A string's hash: of its characters in the narrowest of one, two or four bytes that holds them all.
pub(super) fn string_hash(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let widest = text.chars().max().map_or(0, u32::from);
    let hash = match widest {
        0..=0x7f => sip(text.as_bytes()),
        0x80..=0xff => sip(&text.chars().map(|character| u32::from(character) as u8).collect::<Vec<_>>()),
        0x100..=0xffff => {
            let units = text.chars().flat_map(|character| (u32::from(character) as u16).to_le_bytes());
            sip(&units.collect::<Vec<_>>())
        }
        _ => sip(&text.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect::<Vec<_>>()),
    };
    // -1 means an error to CPython.
    if hash == u64::MAX { u64::MAX - 1 } else { hash }
}

/// The different elements in the order of a set made from a list; `hash` gives an element's.
pub(super) fn set_order(elements: impl Iterator<Item = usize>, hash: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut table: Vec<Option<usize>> = vec![None; FIRST_SIZE];
    let mut count = 0;
    for element in elements {
        let place = find(&table, hash(element), |held| held == element);
        if table[place].is_some() {
            continue;
        }
        table[place] = Some(element);
        count += 1;
        if count * 5 >= (table.len() - 1) * 3 {
            table = grown(&table, count, &hash);
        }
    }
    table.into_iter().flatten().collect()
}

fn grown(table: &[Option<usize>], count: usize, hash: impl Fn(usize) -> u64) -> Vec<Option<usize>> {
    let least = if count > LARGE { count * 2 } else { count * 4 };
    let mut size = FIRST_SIZE;
    while size <= least {
        size *= 2;
    }
    let mut larger = vec![None; size];
    for element in table.iter().flatten() {
        let place = find(&larger, hash(*element), |_| false);
        larger[place] = Some(*element);
    }
    larger
}

/// The place of an element that is there, or the free one where it belongs.
fn find(table: &[Option<usize>], hash: u64, is_same: impl Fn(usize) -> bool) -> usize {
    let mask = table.len() - 1;
    let mut place = hash as usize & mask;
    let mut upper = hash;
    loop {
        let neighbours = if place + NEIGHBOURS <= mask { NEIGHBOURS } else { 0 };
        let near = table[place..=place + neighbours].iter().position(|held| held.is_none_or(&is_same));
        if let Some(near) = near {
            return place + near;
        }
        upper >>= SHIFT;
        place = place.wrapping_mul(5).wrapping_add(1).wrapping_add(upper as usize) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PYTHONHASHSEED=0 python3.11 -c "print(list(set(TEXT.split())))"`.
    fn listed(text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        let first = |word: &&str| words.iter().position(|other| other == word).unwrap();
        let order = set_order(words.iter().map(first), |at| string_hash(words[at]));
        order.into_iter().map(|at| words[at]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sets_are_listed_as_cpython_lists_them() {
        let known = [
            ("a b c", "c a b"),
            ("total count index value", "count total index value"),
            ("x y x z", "y x z"),
            ("größe naïve 名前 𝒳 plain", "名前 naïve plain 𝒳 größe"),
            (
                "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9",
                "a8 b1 b5 a7 b6 b3 b0 a3 a5 b9 a4 b7 a9 b2 b4 a6 a0 a1 a2 b8",
            ),
        ];
        for (text, order) in known {
            assert_eq!(listed(text), order);
        }
    }
}
