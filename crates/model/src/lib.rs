//! The NULLs transformer (arXiv 2606.13873): masks applied, training, checkpoints, zeroing, scoring, generation.
//!
//! Not here: where a mask comes from (`obelus-mask`), how a checkpoint is signed (`obelus-ledger`), what a score means
//! (`obelus-verdict`), and any database.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod adamw;
mod adaptation;
mod batches;
mod checkpoint;
mod config;
mod decoder;
mod element_type;
mod error;
mod file_stamp;
mod folded;
mod generation;
mod gradients;
mod head;
mod initial;
mod leaf_pass;
mod llama;
mod llama_strike;
mod node_cache;
mod packing;
mod parameters;
mod post_hoc;
mod record;
mod residual;
mod rounding;
mod routing;
mod schedule;
mod scoring;
mod segments;
mod sink_pool;
mod sinks;
mod stand_in;
mod strike;
mod surprise;
mod training;
mod training_state;
mod transformer;
mod weight_file;
mod weight_tree;

pub use adaptation::{grow, renew};
pub use batches::{Batch, TrainingDocument, TrainingSet};
pub use checkpoint::{load_tensors, save_tensors};
pub use config::{Control, ModelConfig, Preset, TrainingConfig};
pub use decoder::AttentionKernel;
pub use element_type::ElementType;
pub use error::ModelError;
pub use file_stamp::FileStamp;
pub use generation::{Decoding, Prompt, Sampling, generate};
pub use leaf_pass::checkpoint_layout;
pub use llama::Llama;
pub use node_cache::CacheMismatch;
pub use packing::Packing;
pub use post_hoc::{PostHoc, PostHocMethod};
pub use record::{Adapted, Measured, ModelRecord, Unlearned};
pub use residual::{Push, last_residuals, score_spans_pushed};
pub use rounding::Rounding;
pub use routing::{Router, pooled_feature};
pub use schedule::learning_rate;
pub use scoring::{SpanScore, score_spans};
pub use segments::{Assignment, PoolSegment};
pub use sinks::{LitRows, LitSinks, MaskKey, SourceMask};
pub use stand_in::{stand_in_bytes, write_stand_in};
pub use strike::{StrikeReport, erased_in, zero_rows};
pub use surprise::{TokenSurprise, surprise_spans};
pub use training::{Form, Progress, RunSettings, Trained, Trainer, TrainingOutcome};
pub use transformer::{Matrix, Transformer};
pub use weight_file::{StoredTensor, WeightFile};
pub use weight_tree::WeightTree;

/// Sets the threads of one tensor operation. Results are bit-identical only for the same number of threads.
pub fn set_threads(threads: u32) {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(i32::MAX));
}
