//! Arbitrary and mutated text for the front end of one language.

#![no_main]

use codeward_analysis::Language;

libfuzzer_sys::fuzz_target!(|data: &[u8]| codeward_analysis_fuzz::check(Language::Go, data));
