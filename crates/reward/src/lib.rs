//! What a completion is worth, part by part, or why it could not be scored.
