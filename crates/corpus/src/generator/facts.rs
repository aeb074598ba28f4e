//! Who has which value and who tells which shared fact: the plan of a corpus, before any sentence is written.
//!
//! A specific value is held by about twelve sources, so that knowing it is worth nothing without knowing whose it is. A
//! shared fact is told by half of its topic, at least ten sources.

use super::{
    names::names,
    stream::Stream,
    topics::{SHARED, Shared, Topic, topics},
};

/// Sources that hold one value, as nearly as the inventories allow.
const HOLDERS: usize = 12;
/// Articles a topic; a remainder makes some larger.
const ARTICLES: usize = 20;
/// Shared facts that an article tells.
pub(super) const TOLD: usize = 5;

/// What is told of one article's subject alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Specific {
    /// A town.
    Origin,
    /// A year.
    Year,
    /// An animal.
    Emblem,
    /// Things, in the plural.
    Goods,
}

/// All of them.
pub(super) const SPECIFIC: [Specific; 4] = [Specific::Origin, Specific::Year, Specific::Emblem, Specific::Goods];

const TOWN_ONSETS: [&str; 20] = [
    "Ans", "Brim", "Carr", "Dun", "Ely", "Frod", "Grim", "Hex", "Ips", "Kel", "Lyn", "Mont", "Nant", "Oak", "Pen",
    "Rye", "Sel", "Thorn", "Upp", "Whit",
];
const TOWN_ENDINGS: [&str; 10] =
    ["haven", "mouth", "bury", "minster", "holm", "ness", "borough", "port", "cliff", "water"];
/// None begins with a vowel: they follow "a".
const ANIMALS: [&str; 59] = [
    "heron", "badger", "falcon", "lynx", "hare", "stag", "raven", "salmon", "bee", "swan", "fox", "wolf", "boar",
    "crane", "beetle", "dolphin", "pike", "toad", "viper", "goose", "magpie", "mole", "panther", "pelican", "rabbit",
    "spider", "squirrel", "stork", "swallow", "tiger", "trout", "turtle", "whale", "weasel", "wren", "lion", "leopard",
    "horse", "goat", "dove", "crab", "cobra", "bear", "bat", "camel", "cat", "cock", "dragon", "duck", "finch", "frog",
    "gull", "hawk", "hound", "jackal", "kestrel", "lizard", "mouse", "newt",
];
const GOODS: [&str; 56] = [
    "lanterns",
    "saddles",
    "violins",
    "barometers",
    "kettles",
    "mirrors",
    "baskets",
    "candles",
    "carpets",
    "clocks",
    "combs",
    "compasses",
    "fans",
    "gloves",
    "globes",
    "hats",
    "helmets",
    "jars",
    "kites",
    "knives",
    "locks",
    "maps",
    "masks",
    "medals",
    "needles",
    "nets",
    "ovens",
    "pens",
    "pipes",
    "plates",
    "puppets",
    "quilts",
    "ropes",
    "rugs",
    "sails",
    "scissors",
    "sledges",
    "spoons",
    "stamps",
    "stoves",
    "swords",
    "telescopes",
    "tiles",
    "toys",
    "trunks",
    "umbrellas",
    "vases",
    "wagons",
    "wheels",
    "whistles",
    "wigs",
    "boots",
    "bells",
    "buttons",
    "bowls",
    "bracelets",
];

impl Specific {
    fn inventory(self) -> usize {
        match self {
            Self::Origin => TOWN_ONSETS.len() * TOWN_ENDINGS.len(),
            Self::Year => 197,
            Self::Emblem => ANIMALS.len(),
            Self::Goods => GOODS.len(),
        }
    }

    fn value(self, i: usize) -> String {
        match self {
            Self::Origin => {
                let onset = i % TOWN_ONSETS.len();
                let ending = (onset + i / TOWN_ONSETS.len()) % TOWN_ENDINGS.len();
                format!("{}{}", TOWN_ONSETS[onset], TOWN_ENDINGS[ending])
            }
            // 197 is a prime: the first 197 years differ, and neighbours in the list do not look alike.
            Self::Year => (1700 + (i * 17 + 3) % 197).to_string(),
            Self::Emblem => ANIMALS[i].to_owned(),
            Self::Goods => GOODS[i].to_owned(),
        }
    }
}

/// One source of the corpus.
#[derive(Clone, Debug)]
pub(super) struct Article {
    /// The name, three words.
    pub(super) name: String,
    /// The source's id: the name in small letters with hyphens.
    pub(super) id: String,
    /// Index of its topic.
    pub(super) topic: usize,
    /// Its values, as indices into [`Plan::values`], in the order of [`SPECIFIC`].
    pub(super) values: [usize; 4],
    /// The shared facts that it tells, as indices into [`SHARED`].
    pub(super) tells: [usize; TOLD],
}

impl Article {
    /// The shared fact, told here, from which something follows that is told nowhere.
    pub(super) fn inferable(&self) -> usize {
        let has_consequence = |a: &&usize| matches!(SHARED[**a], Shared::Colour | Shared::Drink);
        // `plan` puts colour and drink five places apart in a circle of ten of which an article tells five in a row.
        *self.tells.iter().find(has_consequence).expect("five in a row of that circle hold one of the two")
    }
}

/// Everything that is true in a corpus.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) topics: Vec<Topic>,
    /// Values in use for each of [`SPECIFIC`].
    pub(super) values: [Vec<String>; 4],
    /// Topic after topic.
    pub(super) articles: Vec<Article>,
}

/// Plans a corpus of `sources` articles, at least 20.
pub(super) fn plan(sources: usize, seed: u64) -> Plan {
    let topics = topics((sources / ARTICLES).max(1), seed);
    let mut assigned: [Vec<usize>; 4] = Default::default();
    let values = std::array::from_fn(|a| {
        let attribute = SPECIFIC[a];
        let count = ((sources + HOLDERS / 2) / HOLDERS).clamp(5, attribute.inventory());
        let mut stream = Stream::new(seed, &format!("specific/{a}"));
        assigned[a] = (0..sources).map(|i| i % count).collect();
        stream.shuffle(&mut assigned[a]);
        stream.choose(attribute.inventory(), count).into_iter().map(|i| attribute.value(i)).collect()
    });
    let circles: Vec<[usize; 10]> = (0..topics.len()).map(|t| circle(t, seed)).collect();
    let mut places = vec![0; topics.len()];
    let articles = names(sources, seed)
        .into_iter()
        .enumerate()
        .map(|(i, name)| {
            let topic = i * topics.len() / sources;
            let start = places[topic];
            places[topic] += 1;
            Article {
                id: name.to_lowercase().replace(' ', "-"),
                name,
                topic,
                values: std::array::from_fn(|a| assigned[a][i]),
                tells: std::array::from_fn(|k| circles[topic][(start + k) % 10]),
            }
        })
        .collect();
    Plan { topics, values, articles }
}

/// The ten shared facts of a topic in a circle, colour and drink opposite each other. Article after article begins one
/// place further and tells five in a row, so that of 20 articles exactly ten tell each.
fn circle(topic: usize, seed: u64) -> [usize; 10] {
    let is = |wanted: Shared| move |a: &usize| SHARED[*a] == wanted;
    let mut rest: Vec<usize> = (0..10).filter(|a| !is(Shared::Colour)(a) && !is(Shared::Drink)(a)).collect();
    Stream::new(seed, &format!("circle/{topic}")).shuffle(&mut rest);
    let mut rest = rest.into_iter();
    std::array::from_fn(|place| {
        let fixed = match place {
            0 => (0..10).find(is(Shared::Colour)),
            5 => (0..10).find(is(Shared::Drink)),
            _ => rest.next(),
        };
        fixed.expect("ten facts for ten places")
    })
}
