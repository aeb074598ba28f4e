//! Clusters as sources: topics are found again, and the same documents always give the same clusters.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::collections::{BTreeMap, BTreeSet};

use obelus_corpus::{
    Document,
    clusters::{ClusterError, form, terms},
    document::sources,
    generator::{self, Options},
};

fn document(id: &str, text: &str) -> Document {
    Document { id: id.into(), source: id.into(), title: None, publisher: None, license: None, text: text.into() }
}

/// How far two divisions agree beyond chance (Hubert and Arabie, 1985): 1 for the same, about 0 for unrelated ones.
fn adjusted_rand_index(pairs: &[(&str, &str)]) -> f64 {
    let two = |n: usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let count = |key: &dyn Fn(&(&str, &str)) -> String| {
        let mut counts = BTreeMap::<String, usize>::new();
        pairs.iter().for_each(|pair| *counts.entry(key(pair)).or_default() += 1);
        counts.into_values().map(two).sum::<f64>()
    };
    let (one, other) = (count(&|p| p.0.to_owned()), count(&|p| p.1.to_owned()));
    let both = count(&|p| format!("{}\0{}", p.0, p.1));
    let expected = one * other / two(pairs.len());
    (both - expected) / ((one + other) / 2.0 - expected)
}

#[test]
fn the_index_is_1_for_the_same_and_low_for_others() {
    let check = |pairs: &[(&str, &str)], expected: f64| {
        assert!((adjusted_rand_index(pairs) - expected).abs() < 1e-4, "{}", adjusted_rand_index(pairs));
    };
    check(&[("a", "x"), ("a", "x"), ("b", "y"), ("b", "y")], 1.0);
    // scikit-learn: adjusted_rand_score([0, 0, 1, 2], [0, 0, 1, 1]) and ([0, 0, 1, 1], [0, 1, 0, 1]).
    check(&[("a", "x"), ("a", "x"), ("b", "y"), ("c", "y")], 0.571_428_57);
    check(&[("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")], -0.5);
}

#[test]
fn the_topics_of_the_generated_corpus_are_found() {
    for seed in [1, 2] {
        let mut documents = generator::generate(Options { sources: 200, seed }).unwrap().documents;
        documents.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        form(&mut documents, 10).unwrap();
        let pairs: Vec<(&str, &str)> =
            documents.iter().map(|d| (d.publisher.as_deref().unwrap(), d.source.as_str())).collect();
        let index = adjusted_rand_index(&pairs);
        println!("seed {seed}: adjusted Rand index {index:.3}");
        assert!(index > 0.95, "seed {seed}: {index}");
        // What a cluster is about is said in words of the body that its topic belongs to.
        for (source, words) in terms(&documents, 5) {
            let topic = pairs.iter().find(|(_, s)| *s == source).unwrap().0.to_lowercase();
            assert!(words.len() == 5 && words.iter().any(|word| topic.contains(word.as_str())), "{topic}: {words:?}");
        }
    }
}

#[test]
fn clusters_do_not_depend_on_the_order_of_the_input_and_are_numbered_by_their_first_documents() {
    let mut documents = generator::generate(Options { sources: 40, seed: 5 }).unwrap().documents;
    let mut turned: Vec<Document> = documents.iter().rev().cloned().collect();
    for all in [&mut documents, &mut turned] {
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        form(all, 7).unwrap();
    }
    assert_eq!(documents, turned);
    let mut first = Vec::new();
    documents.iter().for_each(|d| {
        if !first.contains(&d.source) {
            first.push(d.source.clone())
        }
    });
    assert_eq!(first, (1..=7).map(|n| format!("cluster-{n:04}")).collect::<Vec<_>>());
}

#[test]
fn no_cluster_is_empty_whatever_the_documents() {
    let alike: Vec<Document> = (0..6).map(|n| document(&n.to_string(), "the same words")).collect();
    let unlike: Vec<Document> = (0..6).map(|n| document(&n.to_string(), &format!("word{n}"))).collect();
    let wordless: Vec<Document> = (0..6).map(|n| document(&n.to_string(), "? !")).collect();
    let two: Vec<Document> = (0..6).map(|n| document(&n.to_string(), ["red fox", "blue whale"][n % 2])).collect();
    for documents in [alike, unlike, wordless, two] {
        for count in 1..=6 {
            let mut documents = documents.clone();
            form(&mut documents, count).unwrap();
            assert_eq!(sources(&documents).len(), count);
            let all: BTreeSet<&str> = terms(&documents, 3).into_keys().collect();
            assert_eq!(all.len(), count);
        }
    }
}

#[test]
fn impossible_numbers_of_clusters_are_refused() {
    let documents = vec![document("a", "one"), document("b", "two")];
    for count in [0, 3] {
        let mut refused = documents.clone();
        assert_eq!(form(&mut refused, count), Err(ClusterError::Count { clusters: count, documents: 2 }));
        assert_eq!(refused, documents);
    }
}
