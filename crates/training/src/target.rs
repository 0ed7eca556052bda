//! What an update is to make of a rollout, token by token: between the algorithm, which decides it, and the update, which does it.

/// What is to become of the tokens of one rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Target {
    /// How much better than expected each token was.
    pub(crate) advantages: Vec<f32>,
    /// What each token's value was and should have been, where there is a value head.
    pub(crate) values: Option<ValueTarget>,
}

/// What is to become of the values of one rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ValueTarget {
    /// The values when the rollout was sampled.
    pub(crate) old: Vec<f32>,
    /// What they should have been.
    pub(crate) returns: Vec<f32>,
}

/// By group and rollout; nothing for those that take no part.
pub(crate) type Targets = Vec<Vec<Option<Target>>>;
