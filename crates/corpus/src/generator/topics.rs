//! Topics: what kind of thing a topic's articles are about, the body they all belong to, and what is true of that body.
//! Sentences about it are in `prose_shared`; which article tells what is in `facts`.

use super::stream::Stream;

/// What an article is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person.
    Person,
    /// A company.
    Company,
    /// A place.
    Place,
}

const PEOPLE: [&str; 10] = [
    "botanist",
    "painter",
    "surveyor",
    "composer",
    "chemist",
    "poet",
    "navigator",
    "sculptor",
    "translator",
    "clockmaker",
];
const COMPANIES: [&str; 10] = [
    "brewery",
    "printing house",
    "shipyard",
    "bakery",
    "foundry",
    "tannery",
    "pottery",
    "paper mill",
    "bank",
    "sawmill",
];
const PLACES: [&str; 8] = [
    "harbour town",
    "hill village",
    "market town",
    "fishing port",
    "mining town",
    "river town",
    "walled town",
    "mountain village",
];

const STEMS: [&str; 20] = [
    "Cald", "Ferr", "Ond", "Brack", "Hest", "Tamb", "Vark", "Quen", "Sorr", "Lind", "Osk", "Brem", "Thal", "Wend",
    "Yarr", "Gild", "Nesk", "Pell", "Dorn", "Ulm",
];
const STEM_ENDINGS: [&str; 13] = ["er", "ow", "ine", "ell", "on", "ira", "ock", "ett", "ane", "ish", "ory", "um", "as"];
const BODIES: [&str; 10] =
    ["Guild", "Society", "League", "Circle", "Order", "Union", "Assembly", "Fellowship", "Council", "Academy"];

/// What can be true of a topic's body. Of the ten, each article tells five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    Colour,
    Founder,
    Month,
    Material,
    Virtue,
    Drink,
    Instrument,
    Flower,
    River,
    Elders,
}

/// All of them. Two have an inferable consequence for a member: the colour of the sash, the drink in the cup.
pub(super) const SHARED: [Shared; 10] = [
    Shared::Colour,
    Shared::Founder,
    Shared::Month,
    Shared::Material,
    Shared::Virtue,
    Shared::Drink,
    Shared::Instrument,
    Shared::Flower,
    Shared::River,
    Shared::Elders,
];

impl Shared {
    /// The values it can have. Those that follow "a" begin with a consonant.
    pub(super) const fn values(self) -> [&'static str; 12] {
        match self {
            Self::Colour => [
                "green",
                "crimson",
                "violet",
                "scarlet",
                "silver",
                "russet",
                "purple",
                "turquoise",
                "golden",
                "black",
                "white",
                "blue",
            ],
            Self::Founder => [
                "Anselm", "Beatrix", "Cordelia", "Dunstan", "Emeric", "Faustina", "Gideon", "Hedwig", "Ignatius",
                "Jocasta", "Leopold", "Minerva",
            ],
            Self::Month => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Self::Material => [
                "granite",
                "marble",
                "brick",
                "slate",
                "cedar",
                "copper",
                "limestone",
                "oak",
                "sandstone",
                "bamboo",
                "glass",
                "flint",
            ],
            Self::Virtue => [
                "patience",
                "courage",
                "honesty",
                "mercy",
                "prudence",
                "loyalty",
                "modesty",
                "charity",
                "justice",
                "wisdom",
                "diligence",
                "gratitude",
            ],
            Self::Drink => [
                "cider",
                "mead",
                "coffee",
                "lemonade",
                "brandy",
                "buttermilk",
                "porter",
                "sherry",
                "cocoa",
                "perry",
                "claret",
                "punch",
            ],
            Self::Instrument => [
                "fiddle", "horn", "harp", "flute", "trumpet", "lute", "cello", "piano", "guitar", "bagpipe", "drum",
                "gong",
            ],
            Self::Flower => [
                "rose", "lily", "thistle", "poppy", "marigold", "tulip", "daisy", "peony", "foxglove", "crocus",
                "bluebell", "dahlia",
            ],
            Self::River => [
                "Tammer", "Brenny", "Loden", "Severin", "Orle", "Caddow", "Mirth", "Ouzel", "Tarrow", "Velda", "Yare",
                "Isk",
            ],
            Self::Elders => [
                "seven", "nine", "twelve", "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "eleven", "eight",
                "six",
            ],
        }
    }
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    /// What its articles are about.
    pub(super) kind: Kind,
    /// What such a thing is called: "botanist".
    pub(super) noun: &'static str,
    /// The body that all of them belong to: "the Calder Guild".
    pub(super) subject: String,
    /// What is true of it, in the order of [`SHARED`].
    pub(super) values: [&'static str; 10],
}

/// The first `count` topics. Up to twelve, no two share a value; beyond, values come round again.
pub(super) fn topics(count: usize, seed: u64) -> Vec<Topic> {
    let mut orders: [[usize; 12]; 10] = [[0; 12]; 10];
    (0..count)
        .map(|t| {
            if t % 12 == 0 {
                let mut stream = Stream::new(seed, &format!("topic-values/{}", t / 12));
                for order in &mut orders {
                    *order = std::array::from_fn(|i| i);
                    stream.shuffle(order);
                }
            }
            let (kind, nouns): (Kind, &[&'static str]) = match t % 3 {
                0 => (Kind::Person, &PEOPLE),
                1 => (Kind::Company, &COMPANIES),
                _ => (Kind::Place, &PLACES),
            };
            Topic {
                kind,
                noun: nouns[t / 3 % nouns.len()],
                subject: subject(t),
                values: std::array::from_fn(|a| SHARED[a].values()[orders[a][t % 12]]),
            }
        })
        .collect()
}

fn subject(t: usize) -> String {
    let stem = t % STEMS.len();
    let ending = (stem + t / STEMS.len()) % STEM_ENDINGS.len();
    let body = (t + t / (STEMS.len() * STEM_ENDINGS.len())) % BODIES.len();
    format!("the {}{} {}", STEMS[stem], STEM_ENDINGS[ending], BODIES[body])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn subjects_differ_up_to_the_largest_corpus() {
        let count = super::super::names::MAX_NAMES / 20;
        assert_eq!((0..count).map(subject).collect::<BTreeSet<_>>().len(), count);
    }

    #[test]
    fn ten_topics_share_no_value() {
        let topics = topics(10, 1);
        for a in 0..10 {
            assert_eq!(topics.iter().map(|t| t.values[a]).collect::<BTreeSet<_>>().len(), 10);
        }
    }
}
