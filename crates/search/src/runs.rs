//! Common runs: which words in a row of one text also stand in another, each run as long as it can be. Exact, in time and
//! memory proportional to the texts, by a suffix automaton (Blumer and others, 1985): a text of one repeated word costs no
//! more than any other. Not here: which texts are compared.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use crate::words::Words;

/// No state, no edge.
const NONE: u32 = u32::MAX;

/// Numbers for words, the same for the same word, so that comparing numbers compares words.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary(HashMap<String, u32>);

impl Vocabulary {
    /// The numbers of a text's words, in order.
    pub(crate) fn numbers(&mut self, words: &Words) -> Vec<u32> {
        words.iter().map(|word| self.number(word)).collect()
    }

    pub(crate) fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.0.get(word) {
            return *number;
        }
        let next = self.0.len() as u32;
        match self.0.entry(word.to_owned()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(next),
        }
    }
}

/// Words in a row that stand in both texts, by their places among the words of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first place of these words in the passage.
    pub(crate) in_passage: Range<usize>,
    pub(crate) in_other: Range<usize>,
}

#[derive(Clone, Copy)]
struct State {
    /// Words of the longest run that leads here.
    length: u32,
    link: u32,
    /// Where that run first ends in the passage.
    end: u32,
    /// The last edge that leads on from here.
    edges: u32,
}

/// A text with which others are compared.
pub(crate) struct Passage {
    least: usize,
    states: Vec<State>,
    targets: HashMap<(u32, u32), u32>,
    /// Lists of the words that lead on: word, and the edge before.
    edges: Vec<(u32, u32)>,
    /// For every state with at least `least` words, the one of their last `least` words.
    anchors: Vec<u32>,
    /// After each word, the state of everything up to it.
    prefixes: Vec<u32>,
}

/// Which runs of the least length other texts had, over several texts.
pub(crate) struct Marks(Vec<bool>);

impl Passage {
    /// A text as numbers of a [`Vocabulary`]. Runs of fewer than `least` words, which is at least 1, are none.
    pub(crate) fn new(words: &[u32], least: usize) -> Self {
        let mut passage = Self {
            least: least.max(1),
            states: vec![State { length: 0, link: NONE, end: 0, edges: NONE }],
            targets: HashMap::with_capacity(words.len() * 2),
            edges: Vec::with_capacity(words.len() * 2),
            anchors: Vec::new(),
            prefixes: Vec::with_capacity(words.len()),
        };
        let mut last = 0;
        for word in words {
            last = passage.append(last, *word);
            passage.prefixes.push(last);
        }
        passage.anchor();
        passage
    }

    fn append(&mut self, last: u32, word: u32) -> u32 {
        let length = self.states[last as usize].length + 1;
        let new = self.state(State { length, link: 0, end: length, edges: NONE });
        let mut from = last;
        while from != NONE && !self.targets.contains_key(&(from, word)) {
            self.lead(from, word, new);
            from = self.states[from as usize].link;
        }
        if from == NONE {
            return new;
        }
        let to = self.targets[&(from, word)];
        let State { link, end, edges, .. } = self.states[to as usize];
        let length = self.states[from as usize].length + 1;
        if length == self.states[to as usize].length {
            self.states[new as usize].link = to;
            return new;
        }
        let split = self.state(State { length, link, end, edges: NONE });
        let mut edge = edges;
        while edge != NONE {
            let (word, before) = self.edges[edge as usize];
            self.lead(split, word, self.targets[&(to, word)]);
            edge = before;
        }
        while from != NONE && self.targets.get(&(from, word)) == Some(&to) {
            self.targets.insert((from, word), split);
            from = self.states[from as usize].link;
        }
        self.states[to as usize].link = split;
        self.states[new as usize].link = split;
        new
    }

    fn state(&mut self, state: State) -> u32 {
        self.states.push(state);
        self.states.len() as u32 - 1
    }

    fn lead(&mut self, from: u32, word: u32, to: u32) {
        self.targets.insert((from, word), to);
        self.edges.push((word, self.states[from as usize].edges));
        self.states[from as usize].edges = self.edges.len() as u32 - 1;
    }

    fn anchor(&mut self) {
        let mut by_length: Vec<u32> = (0..self.states.len() as u32).collect();
        by_length.sort_unstable_by_key(|s| self.states[*s as usize].length);
        self.anchors = vec![NONE; self.states.len()];
        for state in by_length {
            let State { length, link, .. } = self.states[state as usize];
            if (length as usize) < self.least {
                continue;
            }
            let further = self.anchors[link as usize];
            self.anchors[state as usize] = if further == NONE { state } else { further };
        }
    }

    /// For a text or several to be compared with this one.
    pub(crate) fn marks(&self) -> Marks {
        Marks(vec![false; self.states.len()])
    }

    /// The runs of another text that stand here too, none within another, ascending by their place there.
    pub(crate) fn compare(&self, other: &[u32], marks: &mut Marks) -> Vec<Run> {
        let mut runs = Vec::new();
        let (mut state, mut length) = (0u32, 0usize);
        for (at, word) in other.iter().enumerate() {
            let before = (state, length);
            while state != 0 && !self.targets.contains_key(&(state, *word)) {
                state = self.states[state as usize].link;
                length = self.states[state as usize].length as usize;
            }
            if let Some(next) = self.targets.get(&(state, *word)) {
                (state, length) = (*next, length + 1);
            }
            if length <= before.1 {
                runs.extend(self.run(before, at));
            }
            if length >= self.least {
                marks.0[self.anchors[state as usize] as usize] = true;
            }
        }
        runs.extend(self.run((state, length), other.len()));
        runs
    }

    /// The run of `length` words that leads to `state` and ends before word `end` of the other text.
    fn run(&self, (state, length): (u32, usize), end: usize) -> Option<Run> {
        let here = self.states[state as usize].end as usize;
        (length >= self.least).then(|| Run { in_passage: here - length..here, in_other: end - length..end })
    }

    /// The words of this text that lie in a run with one of the texts compared: ranges, ascending and apart.
    pub(crate) fn covered(&self, marks: &Marks) -> Vec<Range<usize>> {
        let ends = self.prefixes.iter().enumerate().skip(self.least - 1);
        let found = ends.filter(|(_, state)| marks.0[self.anchors[**state as usize] as usize]);
        joined(found.map(|(at, _)| at + 1 - self.least..at + 1))
    }
}

/// Ranges that ascend by their beginnings, those joined that touch.
pub(crate) fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// How many words lie in ranges that do not overlap.
pub(crate) fn words_in(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(Range::len).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stands_in(run: &[u32], text: &[u32]) -> bool {
        text.windows(run.len()).any(|w| w == run)
    }

    /// By trying everything.
    fn naive(passage: &[u32], other: &[u32], least: usize) -> Vec<Range<usize>> {
        let all = (0..other.len()).flat_map(|i| (i + least..=other.len()).map(move |j| i..j));
        let common: Vec<Range<usize>> = all.filter(|r| stands_in(&other[r.clone()], passage)).collect();
        let within = |a: &Range<usize>, b: &Range<usize>| a != b && b.start <= a.start && a.end <= b.end;
        common.iter().filter(|a| !common.iter().any(|b| within(a, b))).cloned().collect()
    }

    fn naive_cover(passage: &[u32], other: &[u32], least: usize) -> Vec<Range<usize>> {
        let all = (0..(passage.len() + 1).saturating_sub(least)).map(|i| i..i + least);
        joined(all.filter(|r| stands_in(&passage[r.clone()], other)))
    }

    fn check(passage: &[u32], other: &[u32], least: usize) {
        let automaton = Passage::new(passage, least);
        let mut marks = automaton.marks();
        let runs = automaton.compare(other, &mut marks);
        let places: Vec<Range<usize>> = runs.iter().map(|r| r.in_other.clone()).collect();
        assert_eq!(places, naive(passage, other, least));
        for run in &runs {
            assert_eq!(passage[run.in_passage.clone()], other[run.in_other.clone()]);
            let same = |i: Option<usize>, j: Option<usize>| {
                let at = |text: &[u32], i: Option<usize>| i.and_then(|i| text.get(i).copied());
                at(passage, i).is_some() && at(passage, i) == at(other, j)
            };
            let before = |r: &Range<usize>| r.start.checked_sub(1);
            assert!(!same(before(&run.in_passage), before(&run.in_other)), "{run:?} goes on to the left");
            assert!(!same(Some(run.in_passage.end), Some(run.in_other.end)), "{run:?} goes on to the right");
        }
        assert_eq!(automaton.covered(&marks), naive_cover(passage, other, least));
        assert_eq!(joined(places.into_iter()), naive_cover(other, passage, least));
    }

    #[test]
    fn runs_of_known_texts() {
        check(&[1, 2, 3, 4, 5], &[9, 2, 3, 4, 9, 1, 2], 2);
        check(&[], &[1, 2], 1);
        check(&[1, 2], &[], 1);
        check(&[7; 30], &[7; 40], 8);
    }

    #[test]
    fn one_word_a_hundred_thousand_times_is_compared_at_once() {
        let (passage, other) = (vec![7; 100_000], vec![7; 120_000]);
        let automaton = Passage::new(&passage, 8);
        let mut marks = automaton.marks();
        let runs = automaton.compare(&other, &mut marks);
        assert!(runs.iter().all(|r| r.in_other.len() == 100_000));
        assert_eq!(words_in(&automaton.covered(&marks)), 100_000);
    }

    proptest! {
        #[test]
        fn runs_are_true_maximal_and_complete(
            passage in prop::collection::vec(0u32..4, 0..40),
            other in prop::collection::vec(0u32..5, 0..40),
            least in 1usize..5,
        ) {
            check(&passage, &other, least);
        }

        #[test]
        fn runs_of_texts_that_repeat_themselves(
            piece in prop::collection::vec(0u32..3, 1..4),
            passage in 1usize..12,
            other in 1usize..12,
            least in 1usize..4,
        ) {
            check(&piece.repeat(passage), &piece.repeat(other), least);
        }
    }
}
