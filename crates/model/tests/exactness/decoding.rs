//! Continuations: with a cache as without, in a batch as alone, and across the end of the context.

use obelus_model::{
    AttentionKernel, Decoding, LitSinks, ModelConfig, Prompt, Sampling, SourceMask, Transformer, generate,
};
use tch::Tensor;

use crate::{config, masks, parameters, tokens};

const NO_END: u32 = u32::MAX;

fn greedy(tokens: usize) -> Sampling {
    Sampling { temperature: 0.0, top_p: 1.0, seed: 3, tokens, end: NO_END }
}

fn prompt(length: i64, config: &ModelConfig) -> Vec<u32> {
    Vec::<i64>::try_from(tokens(1, length, config.vocab).view([-1])).unwrap().into_iter().map(|t| t as u32).collect()
}

/// The likeliest next tokens, the whole text computed anew for each.
fn uncached(model: &Transformer, prompt: &[u32], mask: Option<&SourceMask>, tokens: usize) -> Vec<u32> {
    let mut text: Vec<i64> = prompt.iter().map(|t| i64::from(*t)).collect();
    for _ in 0..tokens {
        let sinks = mask.map_or(LitSinks::None, |m| model.light(Some(m)));
        let hidden = model.hidden(&Tensor::from_slice(&text).unsqueeze(0), &sinks);
        text.push(model.logits(&hidden.select(1, text.len() as i64 - 1)).argmax(-1, false).int64_value(&[0]));
    }
    text[prompt.len()..].iter().map(|t| *t as u32).collect()
}

#[test]
fn cached_equals_uncached_and_a_batch_equals_its_rows() {
    let config = config().grown(1).unwrap();
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let masks = masks(&config, 3);
    // Different lengths, masks of their own, one in another segment, a shared one, and none.
    let texts: Vec<Vec<u32>> = [7, 3, 3, 11, 5].map(|n| prompt(n, &config)).into();
    let lit = [Some(&masks[0]), Some(&masks[1]), Some(&masks[1]), None, Some(&masks[2])];
    let prompts: Vec<Prompt<'_>> = texts.iter().zip(lit).map(|(t, mask)| Prompt { tokens: t, mask }).collect();
    let together = generate(&model, &prompts, greedy(12), |_, _| false);
    for (i, prompt) in prompts.iter().enumerate() {
        let alone = generate(&model, &[*prompt], greedy(12), |_, _| false).remove(0);
        assert_eq!(alone, uncached(&model, prompt.tokens, prompt.mask, 12), "text {i} with and without a cache");
        assert_eq!(together[i], alone, "text {i} in a batch and alone");
    }
    let unlit: Vec<Prompt<'_>> = prompts.iter().map(|p| Prompt { mask: None, ..*p }).collect();
    assert_ne!(together, generate(&model, &unlit, greedy(12), |_, _| false), "the masks must matter");
}

#[test]
fn draws_are_the_same_in_a_batch_and_alone() {
    let config = config();
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let texts = [prompt(6, &config), prompt(9, &config)];
    let prompts: Vec<Prompt<'_>> = texts.iter().map(|t| Prompt { tokens: t, mask: None }).collect();
    let how = Sampling { temperature: 0.8, top_p: 0.9, ..greedy(20) };
    let together = generate(&model, &prompts, how, |_, _| false);
    for (prompt, row) in prompts.iter().zip(&together) {
        assert_eq!(&generate(&model, &[*prompt], how, |_, _| false)[0], row);
    }
    assert_ne!(together, generate(&model, &prompts, Sampling { seed: 4, ..how }, |_, _| false));
}

#[test]
fn texts_end_where_they_should() {
    let config = config();
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    let text = prompt(6, &config);
    let prompts = [Prompt { tokens: &text, mask: None }];
    let all = generate(&model, &prompts, greedy(10), |_, _| false).remove(0);
    let end = Sampling { end: all[4], ..greedy(10) };
    let upto = all.iter().position(|t| *t == all[4]).unwrap();
    assert_eq!(generate(&model, &prompts, end, |_, _| false)[0], all[..upto]);
    assert_eq!(generate(&model, &prompts, greedy(10), |_, added| added.len() == 3)[0], all[..3]);
    assert!(generate(&model, &prompts, greedy(0), |_, _| false)[0].is_empty());
}

#[test]
fn a_text_may_outgrow_the_context() {
    let config = ModelConfig { context: 16, ..config() };
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    for length in [3, 15, 16, 40] {
        let text = prompt(length, &config);
        let added = generate(&model, &[Prompt { tokens: &text, mask: None }], greedy(50), |_, _| false);
        assert_eq!(added[0].len(), 50, "from {length} tokens");
    }
}

#[test]
fn a_new_token_is_attended_by_a_fused_kernel_and_asking_changes_nothing() {
    let config = config();
    let model = Transformer::new(config.clone(), &parameters(&config)).unwrap();
    for lengths in [[6, 6], [6, 9]] {
        let texts = lengths.map(|n| prompt(n, &config));
        let prompts: Vec<Prompt<'_>> = texts.iter().map(|t| Prompt { tokens: t, mask: None }).collect();
        let added = vec![vec![1], vec![2]];
        let continued = |ask: bool| {
            let (mut decoding, _) = tch::no_grad(|| Decoding::start(&model, &prompts, &[vec![], vec![]], 4));
            if ask {
                assert_eq!(decoding.attention_kernel(&model), AttentionKernel::Flash, "{lengths:?}");
            }
            tch::no_grad(|| decoding.next(&model, &added))
        };
        assert!(continued(true).equal(&continued(false)));
    }
}
