//! Arbitrary bytes where a GGUF file should be.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| codeward_lm_fuzz::read_gguf(data));
