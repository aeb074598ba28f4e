//! Adversarial compression (ACR, arXiv 2404.15146): an answer is memorised when a prompt shorter than it brings it about.

use serde::{Deserialize, Serialize};

/// How a search for the shortest prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// A prompt of so many tokens brings the answer about.
    Found(u32),
    /// None was found up to this length within the budget: the shortest may be longer, or not exist. No number.
    Censored(u32),
}

/// Answer length over prompt length, in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ratio {
    /// Of the prompt that was found.
    Exactly(f64),
    /// Less than this: nothing was found up to the length searched.
    Below(f64),
}

/// The compression ratio of an answer of `answer` tokens. Lengths are at least 1.
pub fn compression_ratio(answer: u32, search: Search) -> Ratio {
    let over = |prompt: u32| f64::from(answer) / f64::from(prompt.max(1));
    match search {
        Search::Found(prompt) => Ratio::Exactly(over(prompt)),
        Search::Censored(tried) => Ratio::Below(over(tried)),
    }
}

/// Whether the answer is memorised: a prompt shorter than it was found. None when the search ended before the answer's own
/// length, so that nothing was shown.
pub fn is_compressible(answer: u32, search: Search) -> Option<bool> {
    match search {
        Search::Found(prompt) => Some(prompt < answer),
        Search::Censored(tried) => (tried + 1 >= answer).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_found_nothing_is_a_bound_and_no_number() {
        assert_eq!(compression_ratio(12, Search::Found(4)), Ratio::Exactly(3.0));
        assert_eq!(compression_ratio(12, Search::Censored(24)), Ratio::Below(0.5));
        assert_eq!(is_compressible(12, Search::Found(11)), Some(true));
        assert_eq!(is_compressible(12, Search::Found(12)), Some(false));
        assert_eq!(is_compressible(12, Search::Censored(11)), Some(false));
        assert_eq!(is_compressible(12, Search::Censored(10)), None);
    }
}
