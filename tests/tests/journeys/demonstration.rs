//! `obelus demo` with the tiny preset: the story and the JSON that scripts rely on. What a real model knows is measured
//! by the demonstration itself, not here: tiny models know nothing.

use std::path::Path;

use crate::installation::Installation;

#[test]
fn the_story_ends_with_a_certificate_that_verifies() {
    let here = Installation::empty();
    let demo = ["demo", "--no-serve", "--preset", "tiny", "--sources", "40", "--panel", "4"];
    let ended = here.run(&demo);
    let story = ended.json(0);
    for condition in [
        "on",
        "off_nearest",
        "off_random",
        "off_none",
        "zeroed",
        "zeroed_nearest",
        "placebo",
        "retrain_nearest",
        "retrain_none",
    ] {
        for kind in ["specific", "shared"] {
            let known = story["known_fraction"][condition][kind].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&known), "{condition} {kind}");
        }
    }
    assert_eq!(story["known_fraction"]["off_none"], story["known_fraction"]["zeroed"], "zeroed sinks are no sinks");
    for field in ["certificate", "verdict", "level", "model", "source", "request", "root_before", "root_after"] {
        assert!(story[field].is_string(), "{field}");
    }
    assert!(story["seconds"]["total"].as_f64().unwrap() > 0.0);
    assert!(ended.stderr.contains("A continuation of") && ended.stderr.contains("Collateral"));
    let certificate = story["certificate"].as_str().unwrap();
    assert!(Path::new(certificate).is_absolute());
    let trust = here.data().join("exports/trust");
    here.run(&["verify", certificate, "--trust", trust.to_str().unwrap()]).json(0);

    // Told again in the same folder it strikes the next source, without training again.
    let next = here.run(&demo).json(0);
    assert_ne!(next["source"], story["source"]);
    assert_eq!(next["root_before"], story["root_after"]);
}
