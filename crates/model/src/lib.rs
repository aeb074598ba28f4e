//! The NULLs transformer: training, checkpoints, zeroing, scoring, generation.
