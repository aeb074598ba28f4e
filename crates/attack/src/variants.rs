//! The same questions asked of altered weights, or in other words.

use obelus_model::{ModelError, Rounding, Transformer};
use obelus_verdict::{FactScore, Steering, Variant, log_truth_ratio};

use crate::{AnswerScore, Material, Stand, prompts::ask_family, steering::steer};

/// The weights that a variant asks; none where it alters none.
///
/// # Errors
/// Never for the roundings that there are.
pub(crate) fn altered(variant: Variant, model: &Transformer) -> Result<Option<Transformer>, ModelError> {
    let rounding = match variant {
        Variant::Int8 => Rounding::INT8,
        Variant::Int4 => Rounding::INT4,
        Variant::Steered | Variant::Prompt(_) => return Ok(None),
    };
    model.rounded(rounding).map(Some)
}

/// The scores of `plain` as the variant finds them, without the questions that cannot be asked so.
pub(crate) fn asked_otherwise(
    variant: Variant,
    stand: Stand<'_>,
    material: &Material<'_>,
    plain: Vec<FactScore>,
    strangers: &[&str],
    steering: Option<&Steering>,
    seed: u64,
) -> Vec<FactScore> {
    let answers: Vec<Option<AnswerScore>> = match variant {
        Variant::Prompt(family) => ask_family(stand, material, family, seed),
        Variant::Steered => steered(stand, material, strangers, steering),
        Variant::Int8 | Variant::Int4 => return plain,
    };
    let found = plain.iter().zip(answers).filter_map(|(plain, answer)| Some(answer?.of_fact(plain)));
    found.collect()
}

/// Under the factor that brings the right answers out best: an adversary tries them all.
fn steered(
    stand: Stand<'_>,
    material: &Material<'_>,
    strangers: &[&str],
    steering: Option<&Steering>,
) -> Vec<Option<AnswerScore>> {
    let all = steering.and_then(|steering| steer(stand, material, strangers, steering)).unwrap_or_default();
    let given = |answers: &[AnswerScore]| -> f64 {
        answers.iter().map(|a| log_truth_ratio(a.answer_log_prob, &a.wrong_log_probs)).sum()
    };
    let best = all.into_iter().max_by(|a, b| given(&a.answers).total_cmp(&given(&b.answers)));
    best.map_or_else(Vec::new, |best| best.answers.into_iter().map(Some).collect())
}
