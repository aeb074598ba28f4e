//! Names that no single source owns. A name is three words, each from a small inventory that many sources draw on, and
//! every two neighbouring words are neighbours in several sources: knowing a word, or a pair of words, says nothing about
//! whose name it is. (Rare names are what the unmasked weights learn first; see small-scale.md.)

use super::stream::Stream;

const ONSETS: [&str; 20] = [
    "Mar", "Tor", "Bel", "Kes", "Dal", "Ven", "Hal", "Lor", "Sar", "Fen", "Gar", "Nor", "Per", "Wil", "Cal", "Ros",
    "Ald", "Jun", "Edr", "Pol",
];
const FIRST: [&str; 12] = ["en", "is", "ara", "in", "ova", "wyn", "el", "ita", "on", "us", "eth", "ley"];
const MIDDLE: [&str; 12] = ["den", "low", "mer", "well", "ton", "by", "man", "ford", "ham", "dale", "kin", "worth"];
const LAST: [&str; 12] =
    ["stone", "wick", "gate", "field", "ridge", "brook", "shaw", "croft", "hurst", "moor", "beck", "lock"];

/// Most names that can be told apart at three sources a pair.
pub(super) const MAX_NAMES: usize = 50_000;

/// Word `i` of an inventory: onsets first change, so that the first words of it look different.
fn word(i: usize, endings: &[&str; 12]) -> String {
    let onset = i % ONSETS.len();
    let ending = (onset * 5 + i / ONSETS.len()) % endings.len();
    format!("{}{}", ONSETS[onset], endings[ending])
}

/// `count` different names in random order.
///
/// With w words an inventory, name (a, b, r) is word a, word b and word (a + b + 3r) mod w, or (a + b + r) mod w where
/// 3 divides w; for each pair (a, b) there are count / w^2 values of r, so each pair of neighbours has about as many
/// sources.
pub(super) fn names(count: usize, seed: u64) -> Vec<String> {
    let words = inventory(count);
    let step = if words.is_multiple_of(3) { 1 } else { 3 };
    let mut stream = Stream::new(seed, "names");
    // Which of the words meet differs from seed to seed, the inventories do not.
    let [a, b, c] = [0; 3].map(|_: u8| stream.choose(words, words));
    let mut triples: Vec<(usize, usize, usize)> = (0..count)
        .map(|i| {
            let (pair, round) = (i % (words * words), i / (words * words));
            let (first, middle) = (pair % words, pair / words);
            (first, middle, (first + middle + step * round) % words)
        })
        .collect();
    stream.shuffle(&mut triples);
    triples
        .into_iter()
        .map(|(i, j, k)| format!("{} {} {}", word(a[i], &FIRST), word(b[j], &MIDDLE), word(c[k], &LAST)))
        .collect()
}

/// Words an inventory for `count` names: each pair of neighbours in three sources or so, and w^3 >= count.
fn inventory(count: usize) -> usize {
    (2..).find(|w: &usize| w * w * 3 + w * w / 2 >= count && w.pow(3) >= count).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn names_differ_and_pairs_are_common() {
        for (count, least) in [(20, 2), (23, 2), (200, 3), (360, 2), (1000, 3), (5000, 3)] {
            let names = names(count, 1);
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count);
            let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
            for name in &names {
                let words: Vec<&str> = name.split(' ').collect();
                words.windows(2).for_each(|w| *pairs.entry((w[0], w[1])).or_default() += 1);
            }
            assert!(pairs.values().all(|n| *n >= least), "{count}: {pairs:?}");
        }
    }

    #[test]
    fn words_of_an_inventory_differ() {
        for endings in [FIRST, MIDDLE, LAST] {
            let words: BTreeSet<String> = (0..ONSETS.len() * 12).map(|i| word(i, &endings)).collect();
            assert_eq!(words.len(), ONSETS.len() * 12);
        }
        assert!(inventory(MAX_NAMES) <= ONSETS.len() * 12);
    }
}
