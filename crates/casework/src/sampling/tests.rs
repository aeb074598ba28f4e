//! Drawing, against a program in Python that stands in the documentation. Not here: the steps on databases, which the portal's
//! tests of oversight take on both.

use std::{fs, process::Command};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn population(seed: &str, size: u32, references: &[String]) -> Population {
    let at = Timestamp::from_micros(1_790_000_000_000_000);
    let listed =
        |reference: &String| Listed { reference: reference.clone(), state: "certified".to_owned(), received_at: at };
    Population {
        format: POPULATION.to_owned(),
        seed_digest: Digest::sha256(seed),
        size,
        closed: false,
        from: None,
        until: None,
        fixed_at: at,
        cases: references.iter().map(listed).collect(),
    }
}

fn references(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("OB-2026-{number:06}")).collect()
}

#[test]
fn a_known_seed_draws_known_cases() {
    // `printf 'correct-horse\0OB-2026-00000N' | sha256sum` for N from 1 to 5, sorted.
    let drawn = population("correct-horse", 3, &references(5)).draw("correct-horse");
    assert_eq!(drawn, ["OB-2026-000001", "OB-2026-000004", "OB-2026-000005"]);
}

#[test]
fn the_program_in_the_documentation_draws_the_same() {
    let page = include_str!("../../../../docs/sampling.md");
    let (_, program) = page.split_once("```python\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    assert_eq!(program, DRAW, "the portal and exports show another");
    let folder = TempDir::new().unwrap();
    let (file, script) = (folder.path().join("population.json"), folder.path().join("draw.py"));
    fs::write(&script, program).unwrap();
    for (seed, size, count) in [("0f".repeat(32), 7, 200), ("!~#".to_owned(), 1, 1), ("a".to_owned(), 40, 40)] {
        let population = population(&seed, size, &references(count));
        let bytes = canonical::to_bytes(&population).unwrap();
        fs::write(&file, &bytes).unwrap();
        let run = Command::new("python3").arg(&script).arg(&file).arg(&seed).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let mut expected = vec![format!("population {}", Digest::sha256(&bytes))];
        expected.extend(population.draw(&seed));
        assert_eq!(String::from_utf8(run.stdout).unwrap().lines().collect::<Vec<_>>(), expected);
        // Another seed than the one that was committed to draws nothing.
        assert!(!Command::new("python3").arg(&script).arg(&file).arg("other").output().unwrap().status.success());
    }
}

proptest! {
    /// What is drawn is of the population, each once, as many as were asked for, whatever the order of the list; and whoever
    /// is drawn stays so when others leave.
    #[test]
    fn a_sample_is_a_subset_that_depends_on_nothing_but_seed_and_cases(
        seed in "[!-~]{1,200}",
        count in 1usize..60,
        size in 1u32..60,
        turn in any::<prop::sample::Index>(),
    ) {
        let mut all = references(count);
        let drawn = population(&seed, size, &all).draw(&seed);
        prop_assert_eq!(drawn.len(), count.min(size as usize));
        prop_assert!(drawn.iter().all(|reference| all.contains(reference)));
        let mut once = drawn.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), drawn.len());
        let middle = turn.index(count);
        all.rotate_left(middle);
        prop_assert_eq!(&population(&seed, size, &all).draw(&seed), &drawn);
        all.reverse();
        prop_assert_eq!(&population(&seed, size, &all).draw(&seed), &drawn);
        prop_assert_eq!(population(&seed, size, &drawn).draw(&seed), drawn);
    }

    #[test]
    fn a_seed_can_be_typed(text in any::<String>()) {
        let fits = (1..=MOST_SEED).contains(&text.chars().count()) && text.chars().all(|c| c.is_ascii_graphic());
        prop_assert_eq!(is_seed(&text), fits);
    }
}
