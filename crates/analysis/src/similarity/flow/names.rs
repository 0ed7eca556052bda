//! The sources of an edge in both orders.

use std::rc::Rc;

/// Names by number.
#[derive(Debug, Clone)]
pub(super) enum Names {
    /// No name, or one.
    Few(Option<[usize; 1]>),
    /// Several, in two orders.
    Many(Rc<Orders>),
}

/// The same names in two orders.
#[derive(Debug)]
pub(super) struct Orders {
    package: Vec<usize>,
    ordered: Vec<usize>,
}

impl Names {
    pub(super) const NONE: Self = Self::Few(None);

    pub(super) fn one(name: usize) -> Self {
        Self::Few(Some([name]))
    }

    /// A list as it was written, repetitions included.
    pub(super) fn listed(names: Vec<usize>) -> Self {
        match *names {
            [] => Self::NONE,
            [name] => Self::one(name),
            _ => Self::Many(Rc::new(Orders { package: names.clone(), ordered: names })),
        }
    }

    pub(super) fn package(&self) -> &[usize] {
        match self {
            Self::Few(names) => names.as_slice().as_flattened(),
            Self::Many(orders) => &orders.package,
        }
    }

    pub(super) fn ordered(&self) -> &[usize] {
        match self {
            Self::Few(names) => names.as_slice().as_flattened(),
            Self::Many(orders) => &orders.ordered,
        }
    }

    /// The union of two lists, in the order that `set_order` gives and by first appearance.
    pub(super) fn join(
        &self,
        other: &Self,
        set_order: impl FnOnce(&mut dyn Iterator<Item = usize>) -> Vec<usize>,
    ) -> Self {
        if let (Self::Few(one), Self::Few(two)) = (self, other)
            && (one == two || one.is_none() || two.is_none())
        {
            return if one.is_none() { other.clone() } else { self.clone() };
        }
        let package = set_order(&mut self.package().iter().chain(other.package()).copied());
        if let [name] = *package {
            return Self::one(name);
        }
        let mut ordered = Vec::with_capacity(package.len());
        for name in self.ordered().iter().chain(other.ordered()) {
            // Lists that are joined seldom hold more than a few names, and their lengths are paid for.
            if !ordered.contains(name) {
                ordered.push(*name);
            }
        }
        Self::Many(Rc::new(Orders { package, ordered }))
    }
}
