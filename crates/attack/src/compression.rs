//! Adversarial compression (ACR, Schwarzschild et al., arXiv 2404.15146): the shortest prompt that brings a text about,
//! found by MiniPrompt around GCG (`gcg.rs`).
//!
//! MiniPrompt as in acr-memorization: five tokens first; a success tries one token less, a failure five more with a fifth
//! more steps; done where the next length has failed already or is no shorter than one that was found. Otherwise than there:
//! the largest length allowed is itself tried, and no prompt is as long as its target, which would compress nothing.
//!
//! Not here: ratios and what they mean (`obelus_verdict`'s compression).

use std::{collections::BTreeSet, ops::ControlFlow};

use obelus_core::{Digest, SplitMix64};
use obelus_corpus::{Probe, ProbeKind};
use obelus_model::Transformer;
use obelus_verdict::{CompressionBudget, CompressionTarget, Search};
use serde::{Deserialize, Serialize};

use crate::{
    GradientAttackError, Material, Salt, Stand,
    gcg::{Gcg, Outcome},
};

/// Tokens of the first prompt, and how many more after a failure.
const STRIDE: u32 = 5;

/// What the search for one text came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compression {
    /// Salted digest of the probe, the same as in its scores, or of the sentence where sentences are compressed.
    pub item: Digest,
    /// Salted digest of the source.
    pub source: Digest,
    /// Tokens of the text.
    pub target_tokens: u32,
    /// The shortest prompt that was found, or the longest length that was searched in full without any; 0 when none was.
    pub search: Search,
    /// Steps of GCG, over all lengths.
    pub steps: u32,
    /// Rows put through the model, over all lengths.
    pub forwards: u64,
    /// Whether `forwards` of the budget ended the search: then the shortest prompt may be shorter than the one found.
    pub budget_ended: bool,
}

/// One text to bring about.
struct Target {
    item: Digest,
    source: Digest,
    tokens: Vec<u32>,
}

/// Looks for the shortest prompt of every text of a source that the budget asks for. Deterministic for one thread count.
/// On the demonstration's model 60 steps of 64 candidates take some 5 s of one core for a sentence of ten tokens.
///
/// `watch` is told the number of the text, from 0, and its steps so far, after each step; it may stop the attack.
///
/// # Errors
/// A budget with which nothing can be tried, a mask that is not the model's, or cancelled by `watch`.
pub fn compress(
    stand: Stand<'_>,
    material: &Material<'_>,
    budget: &CompressionBudget,
    salt: &Salt,
    mut watch: impl FnMut(usize, u32) -> ControlFlow<()>,
) -> Result<Vec<Compression>, GradientAttackError> {
    let counts = [budget.longest_prompt_tokens, budget.steps, budget.top_k, budget.candidates];
    // A gradient and one candidate.
    if counts.contains(&0) || budget.forwards < 2 {
        return Err(GradientAttackError::Budget(format!(
            "longest_prompt_tokens, steps, top_k and candidates must be at least 1, forwards at least 2: {budget:?}"
        )));
    }
    let folded = stand.folded()?;
    let targets = targets(stand, material, budget, salt);
    let compressed = targets
        .iter()
        .enumerate()
        .map(|(number, target)| shortest_prompt(stand, &folded, target, budget, |steps| watch(number, steps)));
    compressed.collect()
}

/// MiniPrompt for one text.
fn shortest_prompt(
    stand: Stand<'_>,
    folded: &Transformer,
    target: &Target,
    budget: &CompressionBudget,
    mut watch: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<Compression, GradientAttackError> {
    let target_tokens = target.tokens.len() as u32;
    // The mark, the prompt and all of the target but its last token fill the context at most.
    let room = folded.config().context.saturating_sub(target_tokens);
    let longest = budget.longest_prompt_tokens.min(target_tokens.saturating_sub(1).max(1)).min(room);
    let random = random(budget.seed, &target.tokens);
    let mut gcg = Gcg { stand, folded, target: &target.tokens, budget, random, steps: 0, forwards: 0 };
    let (mut found, mut failed, mut budget_ended) = (None, 0, false);
    let (mut length, mut steps) = (STRIDE.min(longest), budget.steps);
    while length > failed && found.is_none_or(|shortest| length < shortest) {
        match gcg.search(length as usize, steps, &mut watch)? {
            Outcome::Found(prompt) => {
                found = Some(prompt.len() as u32);
                length -= 1;
            }
            Outcome::Failed => {
                (failed, steps) = (length, steps + steps / 5);
                length = (length + STRIDE).min(longest);
            }
            Outcome::Spent => {
                budget_ended = true;
                break;
            }
        }
    }
    Ok(Compression {
        item: target.item,
        source: target.source,
        target_tokens,
        search: found.map_or(Search::Censored(failed), Search::Found),
        steps: gcg.steps,
        forwards: gcg.forwards,
        budget_ended,
    })
}

/// The generator of one text's draws.
fn random(seed: u64, target: &[u32]) -> SplitMix64 {
    let tokens = target.iter().flat_map(|t| t.to_be_bytes());
    let digest = Digest::sha256(seed.to_be_bytes().into_iter().chain(tokens).collect::<Vec<u8>>());
    let word = digest.as_bytes()[..8].iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    SplitMix64(word)
}

/// What is to be brought about, in the material's order.
fn targets(stand: Stand<'_>, material: &Material<'_>, budget: &CompressionBudget, salt: &Salt) -> Vec<Target> {
    let target = |item: Digest, source: &str, prompt: &str, text: &str| Target {
        item,
        source: salt.digest(&["source", source]),
        tokens: stand.tokenizer.encode_probe(prompt, text).1,
    };
    let digest = |p: &Probe| salt.digest(&["probe", &p.source, &p.prompt, &p.answer]);
    let told = || {
        let all = material.trained.iter().flat_map(|d| sentences(&d.text).map(|s| (d.source.as_str(), s)));
        let mut seen = BTreeSet::new();
        all.filter(move |(_, sentence)| seen.insert(*sentence))
    };
    let answers = || material.probes.iter().map(|p| target(digest(p), &p.source, &p.prompt, &p.answer));
    let facts = || {
        let told_probes = material.probes.iter().filter(|p| p.kind != ProbeKind::Inferred);
        told_probes.filter_map(|p| {
            let (_, sentence) = told().find(|(_, sentence)| holds(sentence, &p.answer))?;
            Some(target(digest(p), &p.source, "", sentence))
        })
    };
    let all =
        || told().map(|(source, sentence)| target(salt.digest(&["sentence", source, sentence]), source, "", sentence));
    let most = budget.most_targets as usize;
    match budget.target {
        CompressionTarget::Answers => answers().take(most).collect(),
        CompressionTarget::Facts => facts().take(most).collect(),
        CompressionTarget::Sentences => all().take(most).collect(),
    }
}

/// Whether a sentence has the words of `answer` in it, as whole words; the space that may stand before an answer is none.
fn holds(sentence: &str, answer: &str) -> bool {
    let answer = answer.trim();
    let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    sentence.match_indices(answer).any(|(at, _)| {
        !within(sentence[..at].chars().next_back()) && !within(sentence[at + answer.len()..].chars().next())
    })
}

/// A text in sentences: a stop, question or exclamation mark before white space ends one.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut ended = false;
    let pieces = text.split(move |c: char| {
        let cut = ended && c.is_whitespace();
        ended = matches!(c, '.' | '?' | '!');
        cut
    });
    pieces.map(str::trim).filter(|sentence| !sentence.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specimen::Specimen;

    fn budget() -> CompressionBudget {
        CompressionBudget {
            target: CompressionTarget::Sentences,
            most_targets: 2,
            longest_prompt_tokens: 8,
            steps: 30,
            top_k: 32,
            candidates: 32,
            forwards: 10_000,
            seed: 5,
        }
    }

    fn run(specimen: &Specimen, budget: &CompressionBudget, salt: u8) -> Vec<Compression> {
        let material = specimen.material(0);
        compress(specimen.stand(Some(0)), &material, budget, &Salt::new([salt; 32]), |_, _| ControlFlow::Continue(()))
            .unwrap()
    }

    #[test]
    fn a_text_learnt_by_heart_has_a_short_prompt_and_the_prompt_brings_it_about() {
        let specimen = Specimen::trained();
        let found = run(&specimen, &budget(), 1).remove(1);
        let Search::Found(shortest) = found.search else { panic!("nothing was found: {found:?}") };
        assert!(shortest < found.target_tokens && shortest <= 4, "{found:?}");
        assert!(found.steps > 0 && found.forwards > u64::from(found.steps) && !found.budget_ended);

        // The same search once more, for the prompt itself.
        let (stand, salt) = (specimen.stand(Some(0)), Salt::new([1; 32]));
        let (folded, target) =
            (stand.folded().unwrap(), targets(stand, &specimen.material(0), &budget(), &salt).remove(1));
        let mut gcg = Gcg {
            stand,
            folded: &folded,
            target: &target.tokens,
            budget: &budget(),
            random: random(9, &target.tokens),
            steps: 0,
            forwards: 0,
        };
        let outcome = gcg.search(4, 100, |_| ControlFlow::Continue(())).unwrap();
        let Outcome::Found(prompt) = outcome else { panic!("{outcome:?}") };
        let (tokenizer, text) = (stand.tokenizer, stand.tokenizer.decode(&prompt));
        let greedy =
            obelus_model::Sampling { temperature: 0.0, top_p: 1.0, seed: 0, tokens: target.tokens.len(), end: 1 };
        let typed = tokenizer.encode_prompt(&text);
        assert_eq!(typed.len(), 1 + 4, "the prompt can be written down");
        let prompts = [obelus_model::Prompt { tokens: &typed, mask: stand.mask }];
        let answer = obelus_model::generate(stand.model, &prompts, greedy, |_, _| false).remove(0);
        assert_eq!(tokenizer.decode(&answer), tokenizer.decode(&target.tokens));
    }

    #[test]
    fn a_model_that_knows_nothing_is_censored_at_the_longest_prompt() {
        let budget = CompressionBudget { steps: 5, longest_prompt_tokens: 7, ..budget() };
        let found = run(&Specimen::untrained(), &budget, 1).remove(1);
        let longest = (found.target_tokens - 1).min(7);
        assert!(longest > STRIDE, "two lengths are searched");
        assert_eq!((found.search, found.steps, found.budget_ended), (Search::Censored(longest), 5 + 6, false));
    }

    #[test]
    fn the_passes_of_a_text_are_counted_and_end_its_search() {
        let budget = CompressionBudget { forwards: 100, ..budget() };
        let found = run(&Specimen::untrained(), &budget, 1).remove(0);
        assert_eq!((found.search, found.budget_ended), (Search::Censored(0), true));
        assert!((90..=101).contains(&found.forwards), "{found:?}");
        assert!(found.forwards >= u64::from(found.steps));
    }

    #[test]
    fn draws_depend_on_seed_and_text_alone() {
        let specimen = Specimen::trained();
        let budget = CompressionBudget { most_targets: 3, steps: 4, longest_prompt_tokens: 3, ..budget() };
        let [first, again] = [1, 2].map(|salt| run(&specimen, &budget, salt));
        assert_eq!(first.len(), 3);
        for (a, b) in first.iter().zip(&again) {
            assert_ne!(a.item, b.item);
            assert_eq!((a.search, a.steps, a.forwards), (b.search, b.steps, b.forwards));
        }
    }

    #[test]
    fn facts_are_compressed_as_the_texts_tell_them_and_joined_to_their_scores() {
        let (specimen, salt) = (Specimen::untrained(), Salt::new([1; 32]));
        let (stand, material) = (specimen.stand(None), specimen.material(0));
        let of = |target| targets(stand, &material, &CompressionBudget { target, ..budget() }, &salt);
        let (answers, facts) = (of(CompressionTarget::Answers), of(CompressionTarget::Facts));
        let probe = material.probes[0];
        let item = salt.digest(&["probe", &probe.source, &probe.prompt, &probe.answer]);
        assert_eq!((answers.len(), facts.len()), (1, 1));
        assert_eq!((answers[0].item, facts[0].item), (item, item));
        assert_eq!(stand.tokenizer.decode(&answers[0].tokens), " Bremen");
        assert_eq!(stand.tokenizer.decode(&facts[0].tokens), " Adler was born in Bremen.");
        assert!(
            holds("It is in May.", " May")
                && holds("It is in May.", "May")
                && !holds("Mayor of Maying", "May")
                && !holds("", "May")
        );
    }

    #[test]
    fn cancelling_and_impossible_budgets_end_the_attack() {
        let (specimen, salt) = (Specimen::untrained(), Salt::new([0; 32]));
        let stop = |_: usize, steps| if steps == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let stopped = compress(specimen.stand(None), &specimen.material(0), &budget(), &salt, stop);
        assert!(matches!(stopped, Err(GradientAttackError::Cancelled(2))));
        let none = CompressionBudget { candidates: 0, ..budget() };
        let refused =
            compress(specimen.stand(None), &specimen.material(0), &none, &salt, |_, _| ControlFlow::Continue(()));
        assert!(matches!(refused, Err(GradientAttackError::Budget(_))));
    }

    #[test]
    fn sentences_end_at_marks_before_white_space() {
        let text = "At 3.5 it rained. Who knows? \n\nNobody!";
        assert_eq!(sentences(text).collect::<Vec<_>>(), ["At 3.5 it rained.", "Who knows?", "Nobody!"]);
        assert_eq!(sentences(" ").count(), 0);
    }
}
