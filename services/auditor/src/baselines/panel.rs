//! The draw of a panel: sources that a retrain leaves out so that questions about them show what chance gives. Not here:
//! which sources may be drawn.
//!
//! The sources are cut, in the order of the corpus, into as many runs as are to be drawn, so that every part of it (a topic,
//! a publisher, a year) has some; of each run the one is drawn whose SHA-256 over the campaign's salt, the seed and its name
//! is the least. Whoever has these three draws the same panel.

use obelus_core::Digest;

/// Separates these digests from all others.
const DOMAIN: &[u8] = b"obelus-panel/v1\0";

/// Draws `n` of `sources`, ascending by name; all of them when there are no more.
pub(super) fn draw(sources: &[&str], n: usize, salt: &Digest, seed: u64) -> Vec<String> {
    let runs = n.min(sources.len());
    let key = |id: &&&str| Digest::sha256([DOMAIN, salt.as_bytes(), &seed.to_be_bytes(), id.as_bytes()].concat());
    let run = |i: usize| &sources[i * sources.len() / runs..(i + 1) * sources.len() / runs];
    let mut drawn: Vec<String> =
        (0..runs).filter_map(|i| run(i).iter().min_by_key(key)).map(|id| (*id).to_owned()).collect();
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sources: usize, n: usize, seed: u64) -> Vec<String> {
        let names: Vec<String> = (0..sources).map(|i| format!("s{i:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let drawn = draw(&names, n, &Digest::sha256("salt"), seed);
        assert_eq!(drawn.len(), n.min(sources));
        assert!(drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
        assert_eq!(drawn, draw(&names, n, &Digest::sha256("salt"), seed));
        drawn
    }

    #[test]
    fn every_part_of_the_corpus_has_its_share_and_another_seed_draws_others() {
        let drawn = check(100, 10, 1);
        for (i, id) in drawn.iter().enumerate() {
            assert!(id.starts_with(&format!("s0{i}")), "{drawn:?}");
        }
        assert_ne!(drawn, check(100, 10, 2));
        assert_eq!(check(3, 10, 1), ["s000", "s001", "s002"]);
        assert_eq!(check(7, 7, 1).len(), 7);
        assert_eq!(check(0, 5, 1), Vec::<String>::new());
    }
}
