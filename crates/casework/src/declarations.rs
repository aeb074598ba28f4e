//! What somebody from outside declares when they file under a regime, in plain words. To be confirmed by counsel. Not here: the
//! regimes' clocks (`obelus-policy`), and what is kept of a filing (`filing.rs`).

/// A declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its name in a form.
    pub name: &'static str,
    /// What is declared, as it is read and kept.
    pub words: &'static str,
}

const fn declared(name: &'static str, words: &'static str) -> Declaration {
    Declaration { name, words }
}

const USUAL: &[Declaration] = &[
    declared("entitled", "I ask for myself, or I may act for whoever I ask for."),
    declared("true", "What I have said is true, as far as I know."),
];

/// 17 U.S.C. 512(c)(3)(A), (i), (v) and (vi).
const NOTICE: &[Declaration] = &[
    declared(
        "good_faith",
        "I believe in good faith that neither the owner of the right, nor their agent, nor the law permits this use of the work.",
    ),
    declared("true", "What I have said is accurate."),
    declared("entitled", "Under penalty of perjury: I own the right that is infringed, or may act for its owner."),
    declared("signature", "The name that I gave stands for my signature."),
];

/// What is declared under a regime. Whoever files by a page of ours declares all of it.
pub fn of(regime: &str) -> &'static [Declaration] {
    if regime == "dmca-512" { NOTICE } else { USUAL }
}

#[cfg(test)]
mod tests {
    use obelus_policy::Regime;

    use super::*;

    #[test]
    fn every_regime_has_declarations_with_names_of_their_own() {
        for regime in Regime::shipped_names() {
            let mut names: Vec<&str> = of(regime).iter().map(|declared| declared.name).collect();
            assert!(!names.is_empty(), "{regime}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), of(regime).len(), "{regime}");
        }
        assert_eq!(of("dmca-512").len(), 4);
    }
}
