//! How the functional part changes in the course of a training: the binary-then-partial curriculum of SecureCodeRL (arXiv 2601.01184,
//! variants) and mixtures of the two.

use serde::{Deserialize, Serialize};

use crate::partial_credit::PartialCredit;

/// From a step on, another form of credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The first step with this form.
    pub from_step: u64,
    /// The form.
    pub credit: PartialCredit,
}

/// The forms of credit in the order in which they come. Without switches the recipe's own form holds throughout.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// In ascending order of steps. Before the first, the recipe's own form holds.
    pub switch: Vec<Switch>,
    /// So many steps after a switch are a linear mixture of the form before and the form after.
    pub blend_steps: u64,
}

/// A form of credit with its share of the functional part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CreditShare {
    /// The form.
    pub credit: PartialCredit,
    /// Its share, in (0, 1].
    pub share: f64,
}

impl Schedule {
    /// The forms that count in a step, with shares that sum to 1.
    pub fn at(&self, own: PartialCredit, step: u64) -> Vec<CreditShare> {
        let passed = self.switch.iter().take_while(|switch| switch.from_step <= step).count();
        let form = |index: usize| index.checked_sub(1).map_or(own, |at| self.switch[at].credit);
        let after = form(passed);
        let Some(last) = passed.checked_sub(1) else { return vec![CreditShare { credit: after, share: 1.0 }] };
        let before = form(last);
        let since = step - self.switch[last].from_step;
        if since >= self.blend_steps || before == after {
            return vec![CreditShare { credit: after, share: 1.0 }];
        }
        // The first step of a blend is no pure mixture of the old form: it counts as one of the steps.
        let share = (since + 1) as f64 / (self.blend_steps + 1) as f64;
        vec![CreditShare { credit: before, share: 1.0 - share }, CreditShare { credit: after, share }]
    }

    /// The first pair of switches that are out of order.
    pub(crate) fn out_of_order(&self) -> Option<(u64, u64)> {
        self.switch
            .windows(2)
            .map(|pair| (pair[0].from_step, pair[1].from_step))
            .find(|(before, after)| before >= after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PartialCredit::{Binary, Staged};

    #[test]
    fn binary_first_and_then_in_stages() {
        let schedule = Schedule {
            switch: vec![Switch { from_step: 0, credit: Binary }, Switch { from_step: 10, credit: Staged }],
            blend_steps: 0,
        };
        for (step, credit) in [(0, Binary), (9, Binary), (10, Staged), (1000, Staged)] {
            assert_eq!(schedule.at(Staged, step), [CreditShare { credit, share: 1.0 }], "step {step}");
        }
        assert_eq!(Schedule::default().at(Staged, 5), [CreditShare { credit: Staged, share: 1.0 }]);
    }

    #[test]
    fn a_blend_moves_over_in_equal_strides() {
        let schedule = Schedule { switch: vec![Switch { from_step: 4, credit: Staged }], blend_steps: 3 };
        let shares: Vec<f64> = (3..9)
            .map(|step| {
                schedule.at(Binary, step).iter().filter(|form| form.credit == Staged).map(|form| form.share).sum()
            })
            .collect();
        assert_eq!(shares, [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
        for step in 0..9 {
            assert_eq!(schedule.at(Binary, step).iter().map(|form| form.share).sum::<f64>(), 1.0);
        }
    }
}
