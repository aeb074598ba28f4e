//! The node cache against full passes: the same tree, the same proofs, and nothing believed that no longer matches.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use obelus_core::Digest;
use obelus_ledger::row_proof::RowProof;
use obelus_model::{
    CacheMismatch, ElementType, FileStamp, ModelConfig, Preset, SourceMask, WeightFile, WeightTree, write_stand_in,
    zero_rows,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// Where the stamp lies in a cache: after the format and the layout's digest.
const STAMP_AT: usize = 24 + 32;

/// A checkpoint of a test's own.
struct Checkpoint {
    folder: TempDir,
    config: ModelConfig,
}

impl Checkpoint {
    fn new(config: ModelConfig, element: ElementType) -> Self {
        let checkpoint = Self { folder: tempfile::tempdir().unwrap(), config };
        write_stand_in(&checkpoint.path(), &checkpoint.config, element, 1, |_| ()).unwrap();
        checkpoint
    }

    /// With its tree read and kept.
    fn kept(config: ModelConfig) -> (Self, Digest) {
        let checkpoint = Self::new(config, ElementType::Float32);
        let tree = checkpoint.read();
        tree.save().unwrap();
        (checkpoint, tree.root())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.safetensors")
    }

    fn cache(&self) -> PathBuf {
        WeightTree::cache_path(&self.path())
    }

    fn read(&self) -> WeightTree {
        WeightTree::read(&self.path(), 2, |_| ()).unwrap()
    }

    fn open(&self, signed: &Digest, mask: &SourceMask) -> (WeightTree, Option<CacheMismatch>) {
        WeightTree::open(&self.path(), signed, mask, 1, |_| ()).unwrap()
    }

    fn mask(&self, source: u8) -> SourceMask {
        SourceMask::derive(&[source; 32], 0, &self.config).unwrap()
    }

    /// Changes one bit of a row in place.
    fn spoil(&self, tensor: &str, row: u64) {
        let file = WeightFile::open(&self.path()).unwrap();
        let stored = &file.tensors()[tensor];
        let at = stored.offset + row * stored.row_bytes;
        let file = File::options().read(true).write(true).open(self.path()).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    /// Makes the cache say that it is about the file as it is now: what no write through the file system can do.
    fn forge_stamp(&self) {
        let stamp = FileStamp::of(&fs::metadata(self.path()).unwrap());
        let mut bytes = fs::read(self.cache()).unwrap();
        let numbers = [stamp.modified.0, stamp.modified.1, stamp.changed.0, stamp.changed.1];
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        bytes[STAMP_AT + 16..STAMP_AT + 48].copy_from_slice(&numbers);
        fs::write(self.cache(), bytes).unwrap();
    }
}

fn tiny() -> ModelConfig {
    Preset::named("tiny").unwrap().model
}

/// A model with so few rows that every byte of its cache can be tried.
fn smallest() -> ModelConfig {
    let mut config = ModelConfig {
        layers: 1,
        d_model: 2,
        heads: 1,
        kv_heads: 1,
        head_dim: 2,
        n_gen: 2,
        n_pool: 5,
        n_source: 2,
        vocab: 3,
        segments: vec![],
        ..tiny()
    };
    config.complete().unwrap();
    config
}

fn shapes() -> impl Strategy<Value = ModelConfig> {
    (1u32..4, 1u32..5, 1u32..40, 1u32..60, 1u32..30, any::<bool>()).prop_map(
        |(layers, d, n_gen, n_pool, vocab, tied)| {
            let n_source = n_pool.div_ceil(4);
            let mut config = ModelConfig {
                layers,
                d_model: 2 * d,
                heads: 1,
                kv_heads: 1,
                head_dim: 2,
                n_gen,
                n_pool,
                n_source,
                vocab,
                tied,
                segments: vec![],
                ..tiny()
            };
            config.complete().unwrap();
            config
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn takedowns_through_the_cache_are_those_of_full_passes(
        config in shapes(), bfloat16: bool, sources in prop::collection::vec(any::<u8>(), 1..4),
    ) {
        let element = if bfloat16 { ElementType::Bfloat16 } else { ElementType::Float32 };
        let checkpoint = Checkpoint::new(config, element);
        checkpoint.read().save().unwrap();
        for source in sources {
            let mask = checkpoint.mask(source);
            let whole = checkpoint.read();
            let (tree, mismatch) = checkpoint.open(&whole.root(), &mask);
            prop_assert!(mismatch.is_none(), "{mismatch:?}");
            prop_assert_eq!(tree.nodes(), whole.nodes());
            let struck = tree.leaves_of(&mask).unwrap();
            let proof = RowProof::new(tree.nodes(), &struck).unwrap();
            prop_assert_eq!(&proof, &RowProof::new(whole.nodes(), &struck).unwrap());
            let (report, tree) = tree.strike(&mask).unwrap();
            let tree = tree.unwrap();
            let rows = 3 * struck.len() as u64;
            let row_bytes = u64::from(checkpoint.config.d_model) * element.bytes();
            prop_assert_eq!((report.rows, report.bytes), (rows, rows * row_bytes));
            let after = checkpoint.read();
            prop_assert_eq!(tree.nodes(), after.nodes());
            prop_assert!(proof.verify(after.layout(), &struck, &whole.root(), &after.root()).is_ok());
            tree.save().unwrap();
        }
    }
}

#[test]
fn every_flipped_byte_and_truncation_of_a_cache_is_noticed() {
    let (checkpoint, root) = Checkpoint::kept(smallest());
    let mask = checkpoint.mask(1);
    let whole = fs::read(checkpoint.cache()).unwrap();
    assert!(checkpoint.open(&root, &mask).1.is_none());
    let check = |bytes: &[u8], what: String| {
        fs::write(checkpoint.cache(), bytes).unwrap();
        let (tree, mismatch) = checkpoint.open(&root, &mask);
        assert!(mismatch.is_some(), "{what}");
        assert_eq!(tree.root(), root, "{what}");
    };
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, format!("byte {at}"));
        check(&whole[..at], format!("cut to {at} bytes"));
    }
    check(&[&whole[..], &[0]].concat(), "one byte more".to_owned());
    fs::write(checkpoint.cache(), &whole).unwrap();
    assert!(checkpoint.open(&root, &mask).1.is_none());
}

#[test]
fn a_cache_of_other_weights_is_not_taken_for_those_that_were_signed() {
    let (checkpoint, root) = Checkpoint::kept(tiny());
    let signed = Digest::sha256("another model");
    let (tree, mismatch) = checkpoint.open(&signed, &checkpoint.mask(1));
    assert!(matches!(mismatch, Some(CacheMismatch::Root { found, wanted }) if (found, wanted) == (root, signed)));
    assert_eq!(tree.root(), root);
}

#[test]
fn a_checkpoint_that_was_written_to_is_hashed_anew_at_once_and_with_its_time_set_back() {
    let (checkpoint, root) = Checkpoint::kept(tiny());
    let modified = fs::metadata(checkpoint.path()).unwrap().modified().unwrap();
    checkpoint.spoil("norm.weight", 0);
    File::options().write(true).open(checkpoint.path()).unwrap().set_modified(modified).unwrap();
    let (tree, mismatch) = checkpoint.open(&root, &checkpoint.mask(1));
    assert!(mismatch.unwrap().to_string().contains("change time"));
    assert_ne!(tree.root(), root);
    // However soon after the pass: the clock has ticked before it began.
    for _ in 0..20 {
        let tree = checkpoint.read();
        tree.save().unwrap();
        checkpoint.spoil("norm.weight", 0);
        let (now, mismatch) = checkpoint.open(&tree.root(), &checkpoint.mask(1));
        assert!(matches!(mismatch, Some(CacheMismatch::Stamp(_))), "{mismatch:?}");
        assert_ne!(now.root(), tree.root());
    }
}

#[test]
fn a_copied_or_replaced_checkpoint_is_hashed_anew() {
    let (checkpoint, root) = Checkpoint::kept(tiny());
    let mask = checkpoint.mask(1);
    let other = Checkpoint { folder: tempfile::tempdir().unwrap(), config: tiny() };
    fs::copy(checkpoint.path(), other.path()).unwrap();
    fs::copy(checkpoint.cache(), other.cache()).unwrap();
    let (tree, mismatch) = other.open(&root, &mask);
    assert!(matches!(mismatch, Some(CacheMismatch::Stamp(_))), "{mismatch:?}");
    assert_eq!(tree.root(), root);
    fs::rename(other.path(), checkpoint.path()).unwrap();
    assert!(matches!(checkpoint.open(&root, &mask).1, Some(CacheMismatch::Stamp(_))));
    // A checkpoint of another shape under the same name.
    let larger = Checkpoint::new(ModelConfig { vocab: 600, ..tiny() }, ElementType::Float32);
    fs::copy(larger.path(), checkpoint.path()).unwrap();
    assert!(matches!(checkpoint.open(&root, &mask).1, Some(CacheMismatch::Form(_))));
    fs::remove_file(checkpoint.cache()).unwrap();
    assert!(matches!(checkpoint.open(&root, &mask).1, Some(CacheMismatch::Missing)));
}

#[test]
fn rows_to_be_struck_are_read_again_even_where_the_times_say_that_nothing_changed() {
    let (checkpoint, root) = Checkpoint::kept(tiny());
    let mask = checkpoint.mask(1);
    for part in ["gate", "up", "down"] {
        let neuron = mask.per_layer[1][3];
        checkpoint.spoil(&format!("layers.1.mlp.sinks.{part}"), u64::from(neuron));
        checkpoint.forge_stamp();
        let (tree, mismatch) = checkpoint.open(&root, &mask);
        let found = mismatch.unwrap();
        assert!(
            matches!(&found, CacheMismatch::Leaf { name, row } if name == "layers.1.mlp.sinks" && *row == u64::from(neuron)),
            "{found}"
        );
        assert_ne!(tree.root(), root);
        checkpoint.spoil(&format!("layers.1.mlp.sinks.{part}"), u64::from(neuron));
    }
}

/// What `weight_tree.rs` says about its limits: the sample misses single rows, a full pass never does.
#[test]
fn a_full_pass_finds_what_the_sample_misses() {
    let (checkpoint, root) = Checkpoint::kept(ModelConfig { vocab: 60, ..smallest() });
    let mask = checkpoint.mask(1);
    let mut missed = 0;
    for row in 0..60 {
        checkpoint.spoil("embed.weight", row);
        checkpoint.forge_stamp();
        let (tree, mismatch) = checkpoint.open(&root, &mask);
        missed += u64::from(mismatch.is_none());
        assert_eq!(tree.root() == root, mismatch.is_none());
        assert_ne!(checkpoint.read().root(), root, "row {row}");
        checkpoint.spoil("embed.weight", row);
    }
    assert!((1..60).contains(&missed), "{missed} of 60 single rows missed");
}

#[test]
fn a_takedown_that_was_cut_off_leaves_a_cache_that_matches_or_is_noticed() {
    let (checkpoint, before) = Checkpoint::kept(tiny());
    let mask = checkpoint.mask(1);
    let old_weights = fs::read(checkpoint.path()).unwrap();
    let half = SourceMask { per_layer: mask.per_layer.iter().map(|layer| layer[..3].to_vec()).collect() };
    // Cut off while zeroing, and after it.
    for part in [&half, &mask] {
        zero_rows(&checkpoint.path(), part).unwrap();
        for signed in [before, checkpoint.read().root()] {
            let (tree, mismatch) = checkpoint.open(&signed, &mask);
            assert!(mismatch.is_some());
            assert_eq!(tree.root(), checkpoint.read().root());
        }
    }
    // Cut off while the new cache was written.
    let after = checkpoint.read();
    let partial = checkpoint.folder.path().join("model.safetensors.tree.partial");
    fs::write(&partial, &fs::read(checkpoint.cache()).unwrap()[..100]).unwrap();
    assert!(checkpoint.open(&after.root(), &mask).1.is_some());
    after.save().unwrap();
    assert!(!partial.exists());
    // Cut off after it: it matches.
    let (tree, mismatch) = checkpoint.open(&after.root(), &mask);
    assert!(mismatch.is_none(), "{mismatch:?}");
    assert_eq!(tree.nodes(), after.nodes());
    // The old weights put back under the new cache.
    fs::write(checkpoint.path(), old_weights).unwrap();
    let (tree, mismatch) = checkpoint.open(&after.root(), &mask);
    assert!(mismatch.is_some());
    assert_eq!(tree.root(), before);
}

#[test]
fn a_strike_that_finds_another_file_zeroes_and_gives_no_tree() {
    let (checkpoint, root) = Checkpoint::kept(tiny());
    let mask = checkpoint.mask(1);
    let (tree, _) = checkpoint.open(&root, &mask);
    checkpoint.spoil("norm.weight", 0);
    let (report, followed) = tree.strike(&mask).unwrap();
    assert!(matches!(followed, Err(CacheMismatch::Stamp(_))), "{followed:?}");
    assert_eq!(report.rows, 3 * 2 * 8);
    assert!(obelus_model::erased_in(&checkpoint.path(), &mask).unwrap());
}

#[test]
fn a_takedown_through_the_cache_reads_a_small_part_of_the_file() {
    let config = ModelConfig { vocab: 8192, ..tiny() };
    let (checkpoint, root) = Checkpoint::kept(config);
    let whole_bytes = checkpoint.read().bytes_read();
    assert!(whole_bytes + 8192 > fs::metadata(checkpoint.path()).unwrap().len());
    let mask = checkpoint.mask(1);
    let (tree, mismatch) = checkpoint.open(&root, &mask);
    assert!(mismatch.is_none());
    let tree = tree.strike(&mask).unwrap().1.unwrap();
    assert!(tree.bytes_read() < whole_bytes / 20, "{} of {whole_bytes} bytes", tree.bytes_read());
}
