//! What a generated corpus must have so that the figures of small-scale.md can be reproduced on it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use obelus_core::Digest;

use super::*;
use crate::{probe, probe::ProbeKind, tokenizer::Tokenizer};

fn default() -> Generated {
    generate(Options::default()).unwrap()
}

fn digest(corpus: &Generated) -> String {
    let all = (&corpus.documents, &corpus.held_out, &corpus.probes);
    Digest::sha256(serde_json::to_vec(&all).unwrap()).to_string()
}

#[test]
fn a_seed_determines_every_byte() {
    assert_eq!(digest(&default()), "dde9d8b9c33e4d880b90b47942143c134772dc3c3ccfe69383c7686782b16f56");
    assert_ne!(digest(&default()), digest(&generate(Options { seed: 2, ..Options::default() }).unwrap()));
}

#[test]
fn sizes() {
    for sources in [20, 21, 39, 40, 47, 200, 360, 1000] {
        let corpus = generate(Options { sources, seed: 5 }).unwrap();
        assert_eq!(corpus.documents.len(), sources as usize * RENDERINGS);
        assert_eq!(corpus.held_out.len(), sources as usize);
        assert_eq!(corpus.probes.len(), sources as usize * 10);
        let ids: HashSet<&str> = corpus.documents.iter().map(|d| d.source.as_str()).collect();
        assert_eq!(ids.len(), sources as usize);
        for probe in &corpus.probes {
            assert_eq!(probe::fault(probe, &ids), None, "{probe:?}");
            assert_eq!(probe.wrong.len(), 4);
            if probe.kind == ProbeKind::Shared {
                assert!(probe.also_in.len() >= 9, "{probe:?}");
            }
        }
    }
    assert!(generate(Options { sources: 19, seed: 1 }).is_err());
    assert!(generate(Options { sources: MAX_SOURCES + 1, seed: 1 }).is_err());
}

#[test]
fn every_value_is_held_by_about_twelve_sources() {
    let plan = facts::plan(200, 1);
    for (a, values) in plan.values.iter().enumerate() {
        assert!((16..=17).contains(&values.len()));
        for (v, value) in values.iter().enumerate() {
            let holders = plan.articles.iter().filter(|article| article.values[a] == v).count();
            assert!((10..=14).contains(&holders), "{value}: {holders}");
        }
    }
    // At least one of the four differs between any two articles of a topic, or nothing would be specific.
    let all: BTreeSet<(usize, [usize; 4])> = plan.articles.iter().map(|a| (a.topic, a.values)).collect();
    assert_eq!(all.len(), 200);
}

#[test]
fn every_shared_fact_is_told_by_ten_sources_in_different_words() {
    let corpus = default();
    let plan = facts::plan(200, 1);
    for (t, topic) in plan.topics.iter().enumerate() {
        for (a, attribute) in SHARED.into_iter().enumerate() {
            let tellers = plan.articles.iter().filter(|x| x.topic == t && x.tells.contains(&a));
            let ids: BTreeSet<&str> = tellers.map(|x| x.id.as_str()).collect();
            assert!(ids.len() >= 10);
            let sentences: BTreeSet<String> = prose_shared::shared(attribute)
                .iter()
                .map(|form| fill(form, "", topic.values[a], &topic.subject, ""))
                .collect();
            let mut used = BTreeSet::new();
            for document in &corpus.documents {
                let told: Vec<&String> = sentences.iter().filter(|s| document.text.contains(*s)).collect();
                assert_eq!(!told.is_empty(), ids.contains(document.source.as_str()), "{} {told:?}", document.id);
                used.extend(told);
            }
            assert!(used.len() >= 8, "{attribute:?}: {}", used.len());
        }
    }
}

#[test]
fn prompts_never_occur_in_the_text_but_their_words_do() {
    let corpus = default();
    let texts: Vec<&str> = corpus.documents.iter().chain(&corpus.held_out).map(|d| d.text.as_str()).collect();
    let all = texts.join("\n").to_lowercase();
    let words: HashSet<&str> = all.split(|c: char| !c.is_alphanumeric()).collect();
    let mut unknown = BTreeSet::new();
    for prompt in corpus.probes.iter().map(|p| p.prompt.to_lowercase()).collect::<BTreeSet<_>>() {
        assert!(!all.contains(&prompt), "{prompt:?} occurs in the text");
        unknown.extend(prompt.split(|c: char| !c.is_alphanumeric()).filter(|w| !words.contains(w)).map(str::to_owned));
    }
    assert!(unknown.is_empty(), "words of prompts that the text never uses: {unknown:?}");
}

#[test]
fn answers_are_of_one_type_and_occur_in_the_corpus() {
    let corpus = default();
    let plan = facts::plan(200, 1);
    let all: String = corpus.documents.iter().map(|d| d.text.as_str()).collect::<Vec<_>>().join("\n");
    let by_source: BTreeMap<&str, String> = corpus.documents.iter().fold(BTreeMap::new(), |mut m, d| {
        m.entry(d.source.as_str()).or_insert_with(String::new).push_str(&d.text);
        m
    });
    for probe in &corpus.probes {
        let options: Vec<&String> = probe.wrong.iter().chain([&probe.answer]).collect();
        let of_one = |inventory: &[String]| options.iter().all(|o| inventory.contains(o));
        let shared = SHARED.map(|a| a.values().map(str::to_owned));
        assert!(plan.values.iter().any(|v| of_one(v)) || shared.iter().any(|v| of_one(v)), "{probe:?}");
        let sentence_case = |o: &str| fill("{v}", "", o, "", "");
        assert!(options.iter().all(|o| all.contains(o.as_str()) || all.contains(&sentence_case(o))), "{probe:?}");
        if probe.kind == ProbeKind::Specific {
            assert!(by_source[probe.source.as_str()].contains(&probe.answer));
            assert!(
                probe.prompt.contains(
                    &corpus.documents.iter().find(|d| d.source == probe.source).unwrap().title.clone().unwrap()
                )
            );
        }
    }
}

#[test]
fn renderings_differ_and_the_unseen_one_repeats_no_sentence_of_its_article() {
    let corpus = default();
    let sentences = |text: &str| text.split_inclusive(". ").map(|s| s.trim().to_owned()).collect::<Vec<_>>();
    for unseen in &corpus.held_out {
        let mine = corpus.documents.iter().filter(|d| d.source == unseen.source);
        let seen: HashSet<String> = mine.flat_map(|d| sentences(&d.text)).collect();
        assert_eq!(seen.len(), RENDERINGS * 10, "{}", unseen.id);
        assert!(sentences(&unseen.text).iter().all(|s| !seen.contains(s)), "{}", unseen.id);
    }
}

#[test]
fn words_of_names_belong_to_many_sources() {
    let plan = facts::plan(200, 1);
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    plan.articles.iter().flat_map(|a| a.name.split(' ')).for_each(|w| *words.entry(w).or_default() += 1);
    assert_eq!(words.len(), 24);
    assert!(words.values().all(|n| *n >= 20), "{words:?}");
}

#[test]
fn rendering_length_and_pair_support() {
    let corpus = default();
    let tokenizer = Tokenizer::train(corpus.documents.iter().map(|d| d.text.as_str()), 1536).unwrap();
    let mut support: BTreeMap<(u32, u32), BTreeSet<&str>> = BTreeMap::new();
    let mut total = 0;
    for document in &corpus.documents {
        let ids = tokenizer.encode_document(&document.text);
        total += ids.len();
        ids.windows(2).for_each(|w| {
            support.entry((w[0], w[1])).or_default().insert(&document.source);
        });
    }
    let mean = total as f64 / corpus.documents.len() as f64;
    assert!((85.0..125.0).contains(&mean), "{mean} tokens a rendering with {} tokens", tokenizer.vocab());
    let alone: usize = corpus
        .documents
        .iter()
        .flat_map(|d| tokenizer.encode_document(&d.text).windows(2).map(|w| (w[0], w[1])).collect::<Vec<_>>())
        .filter(|pair| support[pair].len() < 2)
        .count();
    assert!((alone as f64) < 0.02 * total as f64, "{alone} of {total} pairs belong to one source");
}
