//! SFT and GRPO: the loop, the run folder, resume.
