//! The native language model: checkpoints, tokenizer, decoder, sampling, gradients.
