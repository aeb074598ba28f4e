//! Forward passes: gathered equals dense, packed equals single, documents are isolated.

use obelus_model::{LitSinks, Packing, SourceMask, Transformer};
use tch::{Kind, Tensor};

use crate::{config, definition::dense, largest, masks, parameters, tokens};

#[test]
fn gathered_equals_the_masked_dense_definition() {
    for tied in [true, false] {
        let config = obelus_model::ModelConfig { tied, ..config() };
        let masks = masks(&config, 3);
        let ids = tokens(3, 9, config.vocab);
        let p = parameters(&config);
        let exact = p.iter().map(|(n, t)| (n.clone(), t.to_kind(Kind::Double))).collect();
        let model = Transformer::new(config.clone(), &p).unwrap();
        let lit: Vec<&SourceMask> = masks.iter().collect();
        let rows: Vec<_> = masks.iter().map(Some).collect();
        let own = model.logits(&model.hidden(&ids, &model.light_rows(&lit)));
        assert!(largest(&own, &dense(&config, &exact, &ids, &rows)) < 2e-5);
        let shared = model.logits(&model.hidden(&ids, &model.light(Some(&masks[0]))));
        assert!(largest(&shared, &dense(&config, &exact, &ids, &[rows[0]; 3])) < 2e-5);
        let none = model.logits(&model.hidden(&ids, &LitSinks::None));
        assert!(largest(&none, &dense(&config, &exact, &ids, &[None; 3])) < 2e-5);
        assert!(largest(&shared, &none) > 1e-2, "the mask must matter");
    }
}

#[test]
fn sources_in_different_segments_are_computed_together() {
    let config = config().grown(2).unwrap();
    let p = parameters(&config);
    let exact = p.iter().map(|(n, t)| (n.clone(), t.to_kind(Kind::Double))).collect();
    let masks = masks(&config, 4);
    let ids = tokens(4, 9, config.vocab);
    let model = Transformer::new(config.clone(), &p).unwrap();
    let own = model.logits(&model.hidden(&ids, &model.light_rows(&masks.iter().collect::<Vec<_>>())));
    let rows: Vec<_> = masks.iter().map(Some).collect();
    assert!(largest(&own, &dense(&config, &exact, &ids, &rows)) < 2e-5);
    assert!(largest(&own, &dense(&config, &exact, &ids, &[rows[0]; 4])) > 1e-2, "the segment must matter");
}

#[test]
fn packed_documents_of_any_length_equal_the_same_documents_alone() {
    let config = config();
    let mask = masks(&config, 1).remove(0);
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let lengths = [7, 7, 1, 12, 3];
    let ids = tokens(1, lengths.iter().sum(), config.vocab).view([-1]);
    let sinks = model.light(Some(&mask));
    let packed = model.packed_hidden(&ids, &Packing::new(&lengths, &[5], &[0]), &sinks);
    let mut from = 0;
    for length in lengths {
        let alone = model.hidden(&ids.narrow(0, from, length).unsqueeze(0), &sinks).squeeze_dim(0);
        assert!(largest(&alone, &packed.narrow(0, from, length)) < 1e-5, "document of {length} tokens");
        from += length;
    }
}

#[test]
fn documents_of_a_batch_are_isolated_bit_for_bit() {
    let config = config();
    let masks = masks(&config, 3);
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let lit: Vec<&SourceMask> = masks.iter().collect();
    let ids = tokens(3, 9, config.vocab);
    let changed = ids.copy();
    changed.get(1).copy_(&(ids.get(1) + 1).remainder(i64::from(config.vocab)));
    let logits = |ids: &Tensor| model.logits(&model.hidden(ids, &model.light_rows(&lit)));
    let (before, after) = (logits(&ids), logits(&changed));
    for row in [0, 2] {
        assert!(before.get(row).equal(&after.get(row)), "row {row} saw another document");
    }
    assert!(!before.get(1).equal(&after.get(1)));
    // And no token sees what comes after it, so padding on the right changes nothing either.
    let longer = Tensor::cat(&[&ids, &ids.narrow(1, 0, 1)], 1);
    assert!(largest(&logits(&longer).narrow(1, 0, 9), &before) < 1e-5);
}

#[test]
fn packed_documents_are_isolated_bit_for_bit() {
    let config = config();
    let mask = masks(&config, 1).remove(0);
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let lengths = [5, 9, 9, 2];
    let ids = tokens(1, 25, config.vocab).view([-1]);
    let changed = ids.copy();
    changed.narrow(0, 5, 9).copy_(&(ids.narrow(0, 5, 9) + 1).remainder(i64::from(config.vocab)));
    let packing = Packing::new(&lengths, &[4], &[0]);
    let hidden = |ids: &Tensor| model.packed_hidden(ids, &packing, &model.light(Some(&mask)));
    let (before, after) = (hidden(&ids), hidden(&changed));
    for (from, length) in [(0, 5), (14, 9), (23, 2)] {
        assert!(before.narrow(0, from, length).equal(&after.narrow(0, from, length)), "tokens from {from}");
    }
    assert!(!before.narrow(0, 5, 9).equal(&after.narrow(0, 5, 9)));
}

#[test]
fn striking_in_memory_zeroes_exactly_the_mask() {
    let config = config();
    let masks = masks(&config, 2);
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let ids = tokens(2, 7, config.vocab);
    let logits = |m: &Transformer, mask: &SourceMask| m.logits(&m.hidden(&ids, &m.light(Some(mask))));
    let struck = model.with_struck(&masks[0]);
    let none = model.logits(&model.hidden(&ids, &LitSinks::None));
    assert!(largest(&logits(&struck, &masks[0]), &none) < 1e-5, "own mask after the strike is the backbone alone");
    assert!(largest(&logits(&model, &masks[0]), &none) > 1e-2, "the original is untouched");
}
