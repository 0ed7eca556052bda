//! Texts by number.

use super::hash::quick;

/// Marks a free place of the table.
const FREE: u32 = u32::MAX;

/// Different texts, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// All texts one behind the other.
    text: String,
    /// Where each ends, and its hash.
    ends: Vec<(u32, u64)>,
    /// Numbers by hash; a power of two, at most half of it taken.
    table: Vec<u32>,
}

impl Words {
    /// Forgets all texts and makes room for some.
    pub(super) fn clear(&mut self, room: usize) {
        self.text.clear();
        self.ends.clear();
        self.table.clear();
        self.table.resize((2 * room).next_power_of_two(), FREE);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A text by its number.
    pub(super) fn get(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1].0 };
        &self.text[start as usize..self.ends[number].0 as usize]
    }

    /// The number of the text that `write` appends, if it is wanted. No more texts may come than there was room made for.
    pub(super) fn number(
        &mut self,
        write: impl FnOnce(&mut String),
        is_wanted: impl FnOnce(&str) -> bool,
    ) -> Option<usize> {
        let start = self.text.len();
        write(&mut self.text);
        let text = &self.text[start..];
        if !is_wanted(text) {
            self.text.truncate(start);
            return None;
        }
        let hash = quick(text.as_bytes());
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let known = self.table[place];
            if known == FREE {
                let number = self.ends.len();
                self.table[place] = number as u32;
                self.ends.push((self.text.len() as u32, hash));
                return Some(number);
            }
            if self.ends[known as usize].1 == hash && self.get(known as usize) == &self.text[start..] {
                self.text.truncate(start);
                return Some(known as usize);
            }
            place = (place + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_equal_numbers() {
        let mut words = Words::default();
        for _ in 0..2 {
            words.clear(6);
            let mut number = |text: &str| words.number(|all| all.push_str(text), |text| text != "(");
            assert_eq!(
                ["a", "index", "(", "a", "", "index"].map(&mut number),
                [Some(0), Some(1), None, Some(0), Some(2), Some(1)]
            );
            assert_eq!((words.len(), words.get(0), words.get(1), words.get(2)), (3, "a", "index", ""));
        }
    }
}
