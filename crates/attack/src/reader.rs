//! Teacher-forced scores of one source's questions and texts.

use obelus_corpus::ProbeKind;
use obelus_model::{SpanScore, score_spans};
use obelus_verdict::{
    FactKind, FactScore, MembershipScore, Passage, PassageScore, Protocol, exact_memorization, extraction_strength,
};

use crate::{Material, Salt, Stand, membership::membership, windows::windows};

/// Every kind of passage, in the order in which they are read.
pub(crate) const EVERY_KIND: &[Passage] = &[Passage::Trained, Passage::HeldOut];

/// Scores one source's material.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub stand: Stand<'a>,
    pub salt: &'a Salt,
    pub protocol: &'a Protocol,
    /// What trained texts are told by, beside their loss.
    pub membership: &'a [MembershipScore],
}

impl Reader<'_> {
    pub(crate) fn facts(&self, material: &Material<'_>) -> Vec<FactScore> {
        let mut spans = Vec::new();
        for probe in &material.probes {
            let answers = std::iter::once(&probe.answer).chain(&probe.wrong);
            spans.extend(answers.map(|answer| self.stand.answer_span(&probe.prompt, answer)));
        }
        let mut scores = score_spans(self.stand.model, self.stand.mask, &spans).into_iter();
        let mut next = || scores.next().map_or(f64::NAN, |s| s.log_prob_mean());
        material
            .probes
            .iter()
            .map(|probe| FactScore {
                item: self.salt.digest(&["probe", &probe.source, &probe.prompt, &probe.answer]),
                fact: self.salt.digest(&["fact", &probe.source, probe.kind.name(), &probe.answer]),
                source: self.salt.digest(&["source", &probe.source]),
                kind: match probe.kind {
                    ProbeKind::Specific => FactKind::Specific,
                    ProbeKind::Shared => FactKind::Shared,
                    ProbeKind::Inferred => FactKind::Inferred,
                },
                answer_log_prob: next(),
                wrong_log_probs: probe.wrong.iter().map(|_| next()).collect(),
            })
            .collect()
    }

    /// Its passages of these kinds, kind by kind.
    pub(crate) fn passages(&self, material: &Material<'_>, kinds: &[Passage]) -> Vec<PassageScore> {
        let mut passages = Vec::new();
        for &kind in kinds {
            let documents = match kind {
                Passage::Trained => &material.trained,
                Passage::HeldOut => &material.held_out,
            };
            let context = self.stand.model.config().context;
            let all = documents.iter().flat_map(|document| {
                windows(self.stand.tokenizer, document, context).into_iter().enumerate().map(move |w| (*document, w))
            });
            passages.extend(all.take(self.protocol.most_passages as usize).map(|(d, w)| (kind, d, w)));
        }
        let spans: Vec<(Vec<u32>, usize)> = passages.iter().map(|(_, _, (_, tokens))| (tokens.clone(), 1)).collect();
        let scores = score_spans(self.stand.model, self.stand.mask, &spans);
        let told = membership(&self.stand, &spans, &scores, self.membership, self.protocol.min_k);
        passages
            .iter()
            .zip(scores.iter().zip(told))
            .map(|((passage, document, (number, _)), (score, membership))| PassageScore {
                item: self.salt.digest(&["passage", &document.id, &number.to_string()]),
                source: self.salt.digest(&["source", &document.source]),
                passage: *passage,
                blocks: blocks(score, self.protocol.block_tokens as usize),
                extraction_strength: extraction_strength(&score.first_choice),
                exact_memorization: exact_memorization(&score.first_choice).unwrap_or_default(),
                membership,
            })
            .collect()
    }
}

/// Sums over blocks of consecutive tokens; a last block shorter than half joins the one before.
pub(crate) fn blocks(score: &SpanScore, block_tokens: usize) -> Vec<(f64, u32)> {
    let mut blocks: Vec<(f64, u32)> =
        score.log_probs.chunks(block_tokens).map(|block| (block.iter().sum(), block.len() as u32)).collect();
    if let [.., before, last] = &mut blocks[..]
        && (last.1 as usize) * 2 < block_tokens
    {
        before.0 += last.0;
        before.1 += last.1;
        blocks.pop();
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_every_token_once() {
        let score = |n: usize| SpanScore { log_probs: vec![-1.0; n], first_choice: vec![true; n] };
        assert_eq!(blocks(&score(7), 4), [(-4.0, 4), (-3.0, 3)]);
        assert_eq!(blocks(&score(9), 4), [(-4.0, 4), (-5.0, 5)]);
        assert_eq!(blocks(&score(1), 4), [(-1.0, 1)]);
        assert_eq!(blocks(&score(0), 4), []);
    }
}
