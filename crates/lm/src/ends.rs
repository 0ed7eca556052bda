//! What ends a completion before the limit on its tokens.

/// What ends a completion.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ends<'a> {
    /// Tokens that end a completion; they belong to it.
    pub tokens: &'a [u32],
}

impl<'a> Ends<'a> {
    /// These tokens and nothing else.
    pub fn tokens(tokens: &'a [u32]) -> Self {
        Self { tokens }
    }
}
