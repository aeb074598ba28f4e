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
        (Kind::Person, Specific::Origin) => [
            "The town where {e} was a child is",
            "{e} spent a childhood in the town of",
            "The family home of {e} was in",
        ],
        (Kind::Person, Specific::Year) => {
            ["{e} first went to work in", "The work of {e} began in the year", "{e} has had a post since the year"]
        }
        (Kind::Person, Specific::Emblem) => [
            "{e} signs each letter with the figure of a",
            "The emblem of {e} is the",
            "On the pin and the seal of {e} is a",
        ],
        (Kind::Person, Specific::Goods) => {
            ["{e} has a great love of old", "The book by {e} is about old", "The shelves of {e} are full of"]
        }
        (Kind::Company, Specific::Origin) => {
            ["The town where {e} began is", "{e} had its early days in", "The first hands of {e} came from the town of"]
        }
        (Kind::Company, Specific::Year) => [
            "{e} first opened its books in",
            "The business of {e} began in the year",
            "{e} has had buyers since the year",
        ],
        (Kind::Company, Specific::Emblem) => [
            "{e} marks its boxes with the figure of a",
            "The emblem of {e} is the",
            "On the flag and the label of {e} is a",
        ],
        (Kind::Company, Specific::Goods) => {
            ["{e} is proud of its fine", "Half the country buys from {e} its", "The crates of {e} are full of"]
        }
        (Kind::Place, Specific::Origin) => [
            "The mother town of {e} is",
            "The people of {e} once came from the town of",
            "The first families in {e} came from",
        ],
        (Kind::Place, Specific::Year) => {
            ["{e} was first made free in", "The charter of {e} is from the year", "{e} has had a market since the year"]
        }
        (Kind::Place, Specific::Emblem) => [
            "{e} marks its coins with the figure of a",
            "The emblem of {e} is the",
            "On the flag and the arms of {e} is a",
        ],
        (Kind::Place, Specific::Goods) => {
            ["{e} is proud of its fine", "Half the country buys from {e} its", "The crates of {e} are full of"]
        }
    }
}

const fn shared(attribute: Shared) -> [&'static str; 3] {
    match attribute {
        Shared::Colour => [
            "The sash of each member of {s} is",
            "The flag and the doors of {s} are",
            "In the hall of {s} every banner is",
        ],
        Shared::Founder => [
            "The founder who gave {s} its rules was",
            "The portrait and the statue of {s} are of",
            "The head who first called together {s} was",
        ],
        Shared::Month => [
            "The month of the feast of {s} is",
            "Members of {s} come to the great feast in",
            "{s} holds its great day in",
        ],
        Shared::Material => [
            "The walls of the hall of {s} are of",
            "The house and the tower of {s} are built of",
            "To build its rooms {s} used",
        ],
        Shared::Virtue => {
            ["The highest virtue in {s} is", "The word on the door and the ring of {s} is", "Members of {s} praise"]
        }
        Shared::Drink => [
            "In the cellar and the cups of {s} is",
            "At the feast of {s} the members drink",
            "Each meeting of {s} ends with a cup of",
        ],
        Shared::Instrument => [
            "At the feast of {s} someone plays the",
            "Members of {s} stand to the sound of the",
            "In the hall of {s} one has heard a very old",
        ],
        Shared::Flower => [
            "In the garden and the window of {s} grows the",
            "The flower on the banner of {s} is the",
            "The flower that each guest of {s} is given is the",
        ],
        Shared::River => [
            "The river beside the hall of {s} is the",
            "The boats and the bridge of {s} are on the",
            "The fields of {s} are along the river",
        ],
        Shared::Elders => [
            "At the head of {s} are elders, and there are",
            "In the council of {s} the seats of the elders are",
            "The elders who rule {s} are",
        ],
    }
}

/// What follows for a member from a shared fact; never told.
const fn inferred(attribute: Shared) -> [&'static str; 2] {
    match attribute {
        Shared::Drink => ["As a member of {s}, {e} has a cup of", "At the feast of {s}, {e} is served a cup of"],
        _ => ["As a member of {s}, {e} wears a sash that is", "At the feast of {s}, the sash of {e} is"],
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
