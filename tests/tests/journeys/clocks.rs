//! What a request's regime demands, and by when.

use std::fs;

use obelus_core::Digest;
use serde_json::{Value, json};

use crate::installation::{Installation, MODEL};

/// A request under a regime, and its clocks.
fn filed(here: &Installation, regime: &str, source: &str) -> (String, Value) {
    let filed = here.run(&["request", "file", "--source", source, "--model", MODEL, "--regime", regime]).json(0);
    let reference = filed["reference"].as_str().unwrap().to_owned();
    let shown = here.run(&["request", "show", &reference]).json(0);
    (reference, shown["clocks"].clone())
}

#[test]
fn a_request_says_by_when_it_must_be_answered_and_by_which_file() {
    let here = Installation::trained();
    let sources = here.panel();
    let (reference, clocks) = filed(&here, "gdpr-art17", &sources[0]);
    let file = include_str!("../../../policies/regimes/gdpr-art17.toml");
    assert_eq!((&clocks["version"], &clocks["sha256"]), (&json!(2), &json!(Digest::sha256(file).to_string())));
    let [answer] = clocks["running"].as_array().unwrap().as_slice() else { panic!("{clocks}") };
    assert_eq!(answer["clock"], "answer");
    let (statutory, safe) = (answer["statutory"].as_str().unwrap(), answer["conservative"].as_str().unwrap());
    let received = here.run(&["request", "show", &reference]).json(0)["received_at"].as_str().unwrap()[..10].to_owned();
    assert!(*received < *safe && safe <= statutory, "{received} {safe} {statutory}");

    let (_, clocks) = filed(&here, "ccpa", &sources[1]);
    let names: Vec<&Value> = clocks["running"].as_array().unwrap().iter().map(|clock| &clock["clock"]).collect();
    assert_eq!(names, ["confirm", "answer"]);
    let (_, clocks) = filed(&here, "dmca-512", &sources[2]);
    let expected = json!([{ "clock": "take_down", "statutory": null, "conservative": null, "words": "expeditiously" }]);
    assert_eq!(clocks["running"], expected, "nothing was contradicted yet, so nothing must be put back");

    // Where the operator is, the day of receipt may be another one: east of here tomorrow, and never yesterday.
    let settings = here.data().join("obelus.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{before}time_zone = \"Pacific/Kiritimati\"\n")).unwrap();
    let east = here.run(&["request", "show", &reference]).json(0)["clocks"]["running"][0]["statutory"].clone();
    assert!(east.as_str().unwrap() >= statutory, "{east} {statutory}");
    fs::write(&settings, format!("{before}time_zone = \"Atlantis/Centre\"\n")).unwrap();
    assert!(here.run(&["request", "show", &reference]).refused(3).contains("Atlantis/Centre"));
}
