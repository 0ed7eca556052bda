//! Counting: what a side's answers are worth on a set of records.

use serde_json::{Map, Value, json};

/// Which of a side's findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    /// Only findings of at least medium severity and at least medium confidence.
    pub(crate) is_medium: bool,
    /// Only findings of the record's class, or directly above or below it.
    pub(crate) is_same_class: bool,
}

/// The views, those that are printed by default first.
pub(crate) const VIEWS: [View; 4] = [
    View { name: "medium, same class", is_medium: true, is_same_class: true },
    View { name: "medium, any class", is_medium: true, is_same_class: false },
    View { name: "all, same class", is_medium: false, is_same_class: true },
    View { name: "all, any class", is_medium: false, is_same_class: false },
];

/// Whether each side of a record was flagged, `None` where the record has no such side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) weak: Option<bool>,
    pub(crate) sound: Option<bool>,
}

/// Counts over records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    weak: Share,
    sound: Share,
    pairs: u32,
    told_apart: u32,
    both: u32,
    neither: u32,
    reversed: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    flagged: u32,
    all: u32,
}

impl Share {
    fn add(&mut self, is_flagged: bool) {
        self.all += 1;
        self.flagged += u32::from(is_flagged);
    }

    fn value(self) -> Option<f64> {
        ratio(self.flagged, self.all)
    }
}

fn ratio(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

impl Tally {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        if let Some(is_flagged) = outcome.weak {
            self.weak.add(is_flagged);
        }
        if let Some(is_flagged) = outcome.sound {
            self.sound.add(is_flagged);
        }
        let (Some(weak), Some(sound)) = (outcome.weak, outcome.sound) else { return };
        self.pairs += 1;
        let count = match (weak, sound) {
            (true, false) => &mut self.told_apart,
            (true, true) => &mut self.both,
            (false, false) => &mut self.neither,
            (false, true) => &mut self.reversed,
        };
        *count += 1;
    }

    /// Records with a weak side, and with a sound one.
    pub(crate) fn sizes(&self) -> (u32, u32) {
        (self.weak.all, self.sound.all)
    }

    /// Every figure that these records allow, by name.
    pub(crate) fn figures(&self) -> Vec<(&'static str, f64)> {
        let recall = self.weak.value();
        let false_positives = self.sound.value();
        // Without weak and sound texts beside each other these would only say how the set is made up.
        let is_mixed = self.weak.all > 0 && self.sound.all > 0;
        let precision = ratio(self.weak.flagged, self.weak.flagged + self.sound.flagged).filter(|_| is_mixed);
        let missed = self.weak.all - self.weak.flagged;
        let f1 = ratio(2 * self.weak.flagged, 2 * self.weak.flagged + self.sound.flagged + missed);
        let figures = [
            ("P-C", ratio(self.told_apart, self.pairs)),
            ("P-V", ratio(self.both, self.pairs)),
            ("P-B", ratio(self.neither, self.pairs)),
            ("P-R", ratio(self.reversed, self.pairs)),
            ("recall", recall),
            ("false positives", false_positives),
            ("Youden", recall.zip(false_positives).map(|(recall, wrong)| recall - wrong)),
            ("precision", precision),
            ("F1", f1.filter(|_| is_mixed)),
        ];
        figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(crate) fn to_json(self) -> Value {
        let mut object = Map::new();
        object.insert("weak".to_owned(), json!(self.weak.all));
        object.insert("sound".to_owned(), json!(self.sound.all));
        object.insert("pairs".to_owned(), json!(self.pairs));
        object.extend(self.figures().into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
        Value::Object(object)
    }
}

/// The columns of the table, in the order of [`Tally::figures`].
pub(crate) const COLUMNS: [(&str, &str); 9] = [
    ("P-C", "P-C"),
    ("P-V", "P-V"),
    ("P-B", "P-B"),
    ("P-R", "P-R"),
    ("recall", "recall"),
    ("false positives", "FPR"),
    ("Youden", "TPR-FPR"),
    ("precision", "prec."),
    ("F1", "F1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_by_what_happened_to_both_sides() {
        let mut tally = Tally::default();
        for (weak, sound) in [(true, false), (true, false), (true, true), (false, false), (false, true)] {
            tally.add(Outcome { weak: Some(weak), sound: Some(sound) });
        }
        let expected = [
            ("P-C", 0.4),
            ("P-V", 0.2),
            ("P-B", 0.2),
            ("P-R", 0.2),
            ("recall", 0.6),
            ("false positives", 0.4),
            ("Youden", 0.6 - 0.4),
            ("precision", 0.6),
            ("F1", 0.6),
        ];
        assert_eq!(tally.figures(), expected);
    }

    #[test]
    fn a_set_with_one_side_has_no_figure_that_needs_two() {
        let mut tally = Tally::default();
        tally.add(Outcome { weak: Some(true), sound: None });
        tally.add(Outcome { weak: Some(false), sound: None });
        assert_eq!(tally.figures(), [("recall", 0.5)]);
        assert_eq!(tally.sizes(), (2, 0));
        assert_eq!(Tally::default().figures(), []);
    }
}
