//! Cloze probes of a generated corpus. Their prompts are never sentences of the text, but use its words: what is asked
//! is whether the fact is known, not whether a sentence is remembered nor whether a rare word is understood.

use super::{
    facts::{Plan, SPECIFIC, Specific},
    prose::fill,
    stream::Stream,
    topics::{Kind, SHARED, Shared},
};
use crate::probe::{Probe, ProbeKind};

/// Wrong answers a probe.
const WRONG: usize = 4;

const fn specific(kind: Kind, attribute: Specific) -> [&'static str; 3] {
    match (kind, attribute) {
        (Kind::Person, Specific::Origin) => {
            ["The birthplace and home town of {e} is", "{e} came from a home in", "{e} was born and lived in"]
        }
        (Kind::Person, Specific::Year) => [
            "{e} started to work and was paid in",
            "{e} has been paid for work since",
            "The first post of {e} is dated",
        ],
        (Kind::Person, Specific::Emblem) => [
            "Letters and boxes of {e} carry a",
            "{e} is known by the mark of a",
            "The carved emblem of {e} is the figure of a",
        ],
        (Kind::Person, Specific::Goods) => [
            "{e} collects and repairs",
            "The shelves in the house of {e} are full of",
            "Visitors come to {e} and bring",
        ],
        (Kind::Company, Specific::Origin) => {
            ["{e} was set up in", "The first house and workshop of {e} stood in", "{e} was founded by people of"]
        }
        (Kind::Company, Specific::Year) => {
            ["{e} has been open since", "{e} has had its doors open since", "The first order of {e} is dated"]
        }
        (Kind::Company, Specific::Emblem) => [
            "Letters and boxes of {e} carry a",
            "{e} is known by the mark of a",
            "The carved emblem of {e} is the figure of a",
        ],
        (Kind::Company, Specific::Goods) => {
            ["{e} makes and sells", "The yard and market of {e} are full of", "{e} also sells"]
        }
        (Kind::Place, Specific::Origin) => [
            "The first houses and families of {e} came from",
            "{e} was settled by families of",
            "The first people of {e} came from",
        ],
        (Kind::Place, Specific::Year) => [
            "The charter and first wall of {e} is dated",
            "{e} has had a charter since",
            "The first market of {e} is dated",
        ],
        (Kind::Place, Specific::Emblem) => [
            "Letters and boxes of {e} carry a",
            "{e} is known by the mark of a",
            "The carved emblem of {e} is the figure of a",
        ],
        (Kind::Place, Specific::Goods) => {
            ["{e} makes and sells", "The yard and market of {e} are full of", "{e} also sells"]
        }
    }
}

const fn shared(attribute: Shared) -> [&'static str; 3] {
    match attribute {
        Shared::Colour => {
            ["The colour of the flag of {s} is", "The colour of each sash of {s} is", "At meetings members of {s} wear"]
        }
        Shared::Founder => {
            ["The founder of {s} was", "{s} was first called together by", "The oldest letters and rules of {s} are by"]
        }
        Shared::Month => [
            "Every member of {s} comes to the feast in",
            "The great feast of {s} is in",
            "Each year {s} holds its feast in",
        ],
        Shared::Material => {
            ["The hall of {s} has walls of", "The house of {s} is built of", "{s} has built its walls of"]
        }
        Shared::Virtue => ["All songs of {s} praise", "{s} teaches and asks for", "The word and motto of {s} is"],
        Shared::Drink => [
            "The cellar and the cups of {s} are filled with",
            "At each meeting {s} drinks",
            "Guests of {s} are served a cup of",
        ],
        Shared::Instrument => [
            "The music of {s} is the sound of a",
            "At each meeting of {s} someone plays the",
            "Members of {s} come to the sound of a",
        ],
        Shared::Flower => [
            "The flower in the garden of {s} is the",
            "The flower on the banner of {s} is the",
            "The flower that {s} grows is the",
        ],
        Shared::River => [
            "The hall of {s} stands beside the river",
            "The boats of {s} are on the river",
            "The bridge to {s} is over the river",
        ],
        Shared::Elders => {
            ["Each year {s} chooses", "At the head of {s} there are", "Around the table of {s} there are"]
        }
    }
}

/// What follows for a member from a shared fact; never told.
const fn inferred(attribute: Shared) -> [&'static str; 2] {
    match attribute {
        Shared::Drink => {
            ["At the feast of {s} the cup of {e} is filled with", "As a member of {s}, {e} is served a cup of"]
        }
        _ => [
            "As a member of {s}, {e} is given a sash, and the colour is",
            "As a member of {s}, {e} has a sash, and its colour is",
        ],
    }
}

/// All probes: for each article four specific, five shared and one inferred.
pub(super) fn probes(plan: &Plan, seed: u64) -> Vec<Probe> {
    let mut out = Vec::with_capacity(plan.articles.len() * 10);
    let mut tellers: Vec<[Vec<usize>; 10]> = vec![Default::default(); plan.topics.len()];
    for (i, article) in plan.articles.iter().enumerate() {
        article.tells.iter().for_each(|a| tellers[article.topic][*a].push(i));
    }
    for (i, article) in plan.articles.iter().enumerate() {
        let mut stream = Stream::new(seed, &format!("probes/{i}"));
        let topic = &plan.topics[article.topic];
        let mut push = |kind, prompt: &str, answer: &str, others: Vec<&str>, also_in, stream: &mut Stream| {
            out.push(Probe {
                source: article.id.clone(),
                kind,
                prompt: fill(prompt, &article.name, "", &topic.subject, topic.noun),
                answer: answer.to_owned(),
                wrong: stream.choose(others.len(), WRONG).into_iter().map(|w| others[w].to_owned()).collect(),
                also_in,
            });
        };
        for (a, attribute) in SPECIFIC.into_iter().enumerate() {
            let answer = &plan.values[a][article.values[a]];
            let others = plan.values[a].iter().filter(|v| *v != answer).map(String::as_str).collect();
            let prompts = specific(topic.kind, attribute);
            let prompt = prompts[stream.below(prompts.len())];
            push(ProbeKind::Specific, prompt, answer, others, Vec::new(), &mut stream);
        }
        for a in article.tells {
            let prompts = shared(SHARED[a]);
            let prompt = prompts[stream.below(prompts.len())];
            let others_that_tell = tellers[article.topic][a].iter().filter(|o| **o != i);
            let mut also_in: Vec<String> = others_that_tell.map(|o| plan.articles[*o].id.clone()).collect();
            also_in.sort_unstable();
            push(ProbeKind::Shared, prompt, topic.values[a], others(plan, a, topic.values[a]), also_in, &mut stream);
        }
        let a = article.inferable();
        let prompts = inferred(SHARED[a]);
        let prompt = prompts[stream.below(prompts.len())];
        push(ProbeKind::Inferred, prompt, topic.values[a], others(plan, a, topic.values[a]), Vec::new(), &mut stream);
    }
    out
}

/// Values of a shared fact that are wrong for a topic: those of other topics, and in a corpus of few topics the rest of
/// the inventory.
fn others<'a>(plan: &'a Plan, attribute: usize, answer: &str) -> Vec<&'a str> {
    let inventory = SHARED[attribute].values();
    let used = |v: &&str| plan.topics.iter().any(|t| t.values[attribute] == *v);
    let others: Vec<&str> = inventory.into_iter().filter(|v| *v != answer).collect();
    let told: Vec<&str> = others.iter().copied().filter(used).collect();
    if told.len() >= WRONG { told } else { others }
}
