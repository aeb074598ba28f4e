//! Sentences about an article's own subject, many for each thing told, so that no two renderings of an article are worded
//! alike. `{e}` is the subject, `{v}` the value, `{s}` the body it belongs to, `{n}` what it is. Sentences about that
//! body are in `prose_shared`, the prompts of probes in `probes`.

use super::{facts::Specific, topics::Kind};

/// Sentences for one thing.
pub(super) const SENTENCES: usize = 10;

/// How an article begins.
pub(super) const OPENINGS: [&str; SENTENCES] = [
    "{e} is a {n} of {s}.",
    "{e}, a {n}, belongs to {s}.",
    "Among the members of {s} is the {n} {e}.",
    "The {n} {e} is a member of {s}.",
    "{s} counts the {n} {e} among its members.",
    "This is about {e}, a {n} and member of {s}.",
    "{e} joined {s} as a {n}.",
    "As a {n}, {e} was elected to {s}.",
    "One {n} in {s} is {e}.",
    "The story of {e}, a {n}, is tied to {s}.",
];

/// Sentences that tell a specific fact.
pub(super) const fn specific(kind: Kind, attribute: Specific) -> [&'static str; SENTENCES] {
    match (kind, attribute) {
        (Kind::Person, Specific::Origin) => [
            "{e} was born in {v}.",
            "{v} was the birthplace of {e}.",
            "{e} came from a family in {v}.",
            "The home town of {e} is {v}.",
            "{e} grew up in the streets of {v}.",
            "It was in {v} that {e} went to school.",
            "{e} spent a happy childhood in {v}.",
            "The people of {v} call {e} their own.",
            "As a child {e} lived in {v}.",
            "The first home of {e} stood in {v}.",
        ],
        (Kind::Person, Specific::Year) => [
            "{e} began to work in {v}.",
            "In {v} {e} took up this work.",
            "The career of {e} started in {v}.",
            "{e} has been at work since {v}.",
            "The first work of {e} is dated {v}.",
            "In the year {v} {e} opened a workshop.",
            "{e} found a first post in {v}.",
            "Letters name {e} from {v} onwards.",
            "{e} was first paid for this in {v}.",
            "The year {v} made {e} known.",
        ],
        (Kind::Person, Specific::Emblem) => [
            "{e} signs with the mark of a {v}.",
            "A {v} is the sign of {e}.",
            "The seal of {e} shows a {v}.",
            "{e} wears a pin shaped like a {v}.",
            "Letters from {e} carry a {v} in wax.",
            "{e} chose the {v} as an emblem.",
            "A carved {v} hangs on the door of {e}.",
            "The {v} stands for {e} on every page.",
            "{e} is known by the figure of a {v}.",
            "{e} drew a small {v} under each letter.",
        ],
        (Kind::Person, Specific::Goods) => [
            "{e} collects old {v}.",
            "{e} is an expert on {v}.",
            "The house of {e} is full of {v}.",
            "{e} wrote a book about {v}.",
            "Visitors bring {v} to {e}.",
            "{e} knows all there is to know of {v}.",
            "The great love of {e} is {v}.",
            "{e} buys {v} at every fair.",
            "{e} repairs {v} in the evening.",
            "Shelves of {v} surround {e}.",
        ],
        (Kind::Company, Specific::Origin) => [
            "{e} was founded in {v}.",
            "{v} is where {e} was set up.",
            "{e} has its roots in {v}.",
            "The first workshop of {e} stood in {v}.",
            "{e} started in a back street of {v}.",
            "It was in {v} that {e} hired its first hands.",
            "{e} comes from the town of {v}.",
            "The founders of {e} lived in {v}.",
            "{e} still keeps its first house in {v}.",
            "The people of {v} remember the early days of {e}.",
        ],
        (Kind::Company, Specific::Year) => [
            "{e} opened in {v}.",
            "In {v} {e} took its first order.",
            "The books of {e} begin in {v}.",
            "{e} has been in business since {v}.",
            "The first sale of {e} is dated {v}.",
            "In the year {v} {e} opened its doors.",
            "{e} was entered in the register in {v}.",
            "Papers name {e} from {v} onwards.",
            "{e} paid its first wages in {v}.",
            "The year {v} saw the start of {e}.",
        ],
        (Kind::Company, Specific::Emblem) => [
            "{e} marks its work with a {v}.",
            "A {v} is the sign of {e}.",
            "The label of {e} shows a {v}.",
            "{e} flies a flag with a {v}.",
            "Boxes from {e} carry a {v} on the lid.",
            "{e} chose the {v} as its emblem.",
            "A carved {v} hangs over the gate of {e}.",
            "The {v} stands for {e} on every bill.",
            "{e} is known by the figure of a {v}.",
            "{e} prints a small {v} on each bill.",
        ],
        (Kind::Company, Specific::Goods) => [
            "{e} also makes fine {v}.",
            "{e} is famous for its {v}.",
            "The yard of {e} is full of {v}.",
            "{e} sells {v} to half the country.",
            "Buyers come to {e} for {v}.",
            "{e} knows all there is to know of {v}.",
            "The pride of {e} is its {v}.",
            "{e} sends {v} to every fair.",
            "{e} repairs {v} as well.",
            "Crates of {v} leave {e} each week.",
        ],
        (Kind::Place, Specific::Origin) => [
            "{e} was settled from {v}.",
            "The first settlers of {e} came from {v}.",
            "{e} was founded by families of {v}.",
            "Boats from {v} brought the first people to {e}.",
            "{v} is the mother town of {e}.",
            "{e} was once a colony of {v}.",
            "The old families of {e} go back to {v}.",
            "It was from {v} that {e} got its first houses.",
            "Each year {e} sends a gift home to {v}.",
            "The speech of {e} is that of {v}.",
        ],
        (Kind::Place, Specific::Year) => [
            "{e} received its charter in {v}.",
            "In {v} {e} became free.",
            "The records of {e} begin in {v}.",
            "{e} has had a mayor since {v}.",
            "The first wall of {e} is dated {v}.",
            "In the year {v} {e} built its gate.",
            "{e} was entered on the map in {v}.",
            "Papers name {e} from {v} onwards.",
            "{e} held its first market in {v}.",
            "The year {v} saw the start of {e}.",
        ],
        (Kind::Place, Specific::Emblem) => [
            "{e} has a {v} in its arms.",
            "A {v} is the sign of {e}.",
            "The seal of {e} shows a {v}.",
            "{e} flies a flag with a {v}.",
            "Coins from {e} carry a {v} on the back.",
            "{e} chose the {v} as its emblem.",
            "A carved {v} stands at the gate of {e}.",
            "The {v} stands for {e} on every map.",
            "{e} is known by the figure of a {v}.",
            "{e} put a small stone {v} on the bridge.",
        ],
        (Kind::Place, Specific::Goods) => [
            "{e} is the place to buy {v}.",
            "{e} is famous for its {v}.",
            "The market of {e} is full of {v}.",
            "{e} sells {v} to half the country.",
            "Buyers come to {e} for {v}.",
            "Everyone in {e} makes {v}.",
            "The pride of {e} is its {v}.",
            "{e} sends {v} to every fair.",
            "The museum of {e} shows {v}.",
            "Crates of {v} leave {e} each week.",
        ],
    }
}

/// Puts a subject, a value, a body and a noun into a sentence; the first letter becomes a capital.
pub(super) fn fill(sentence: &str, e: &str, v: &str, s: &str, n: &str) -> String {
    let text = sentence.replace("{e}", e).replace("{v}", v).replace("{s}", s).replace("{n}", n);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
