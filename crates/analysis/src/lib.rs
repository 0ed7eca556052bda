//! Which weaknesses this code contains: parse, rules, spans.
