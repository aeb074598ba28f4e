//! What a model gives back of a text, word for word. Not here: how it is asked (`obelus-attack`).

/// 1 - k/len, where k is the shortest prefix after which every token is the model's first choice; 0 for no tokens
/// (Carlini et al. in the form of open-unlearning, which gives 1/len where the last token alone is wrong and 0 is meant).
pub fn extraction_strength(first_choice: &[bool]) -> f64 {
    if first_choice.is_empty() {
        return 0.0;
    }
    let k = first_choice.iter().rposition(|first| !first).map_or(0, |last_wrong| last_wrong + 1);
    1.0 - k as f64 / first_choice.len() as f64
}

/// Share of tokens that are the model's first choice when all before them are the true ones; none for no tokens.
pub fn exact_memorization(first_choice: &[bool]) -> Option<f64> {
    let right = first_choice.iter().filter(|first| **first).count();
    (!first_choice.is_empty()).then(|| right as f64 / first_choice.len() as f64)
}

/// ROUGE-L (Lin 2004) of one text against another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeL {
    /// Longest common subsequence over the words of the generated text.
    pub precision: f64,
    /// Over the words of the reference.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f_measure: f64,
}

/// ROUGE-L over words as Google's rouge-score has them without a stemmer: runs of a-z and 0-9, in lower case. All zero when
/// a text has no words.
pub fn rouge_l(reference: &str, generated: &str) -> RougeL {
    let (reference, generated) = (words(reference), words(generated));
    if reference.is_empty() || generated.is_empty() {
        return RougeL::default();
    }
    let common = longest_common_subsequence(&reference, &generated) as f64;
    let (precision, recall) = (common / generated.len() as f64, common / reference.len() as f64);
    let f_measure = if common > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    RougeL { precision, recall, f_measure }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Length of the longest common subsequence, one row of the table at a time.
fn longest_common_subsequence<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extraction_counts_the_suffix_that_comes_by_itself() {
        assert!((extraction_strength(&[true; 4]) - 1.0).abs() < 1e-12);
        assert!((extraction_strength(&[true, false, true, true]) - 0.5).abs() < 1e-12);
        assert!(extraction_strength(&[true, true, false]).abs() < 1e-12);
        assert!(extraction_strength(&[]).abs() < 1e-12);
    }

    #[test]
    fn memorization_of_nothing_is_no_number() {
        assert_eq!(exact_memorization(&[]), None);
        assert_eq!(exact_memorization(&[true, false, true, true]), Some(0.75));
    }

    #[test]
    fn texts_without_words_have_nothing_in_common() {
        assert_eq!(rouge_l("", "a"), RougeL::default());
        assert_eq!(rouge_l("—", "—"), RougeL::default());
        assert_eq!(rouge_l("a b", "c"), RougeL::default());
    }
}
