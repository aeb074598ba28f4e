//! Measurements at sizes that take no time: the figures that do not depend on the machine.

use std::fs;

use crate::installation::Installation;

const SMALL: [&str; 16] = [
    "bench",
    "erase",
    "--layers",
    "2",
    "--d-model",
    "64",
    "--heads",
    "4",
    "--n-gen",
    "20",
    "--n-pool",
    "300",
    "--n-source",
    "7",
    "--vocab",
    "9000",
];

#[test]
fn erasing_writes_the_rows_of_one_source_and_a_second_takedown_does_not_read_the_file() {
    let here = Installation::empty();
    for (dtype, size_bytes) in [("float32", 4), ("bfloat16", 2)] {
        let figures = here.run(&[&SMALL[..], &["--dtype", dtype, "--threads", "2"]].concat()).json(0);
        let number = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name} in {figures}"));
        assert_eq!(number("bytes_written"), 3 * 7 * 2 * 64 * size_bytes);
        let file_bytes = number("file_bytes");
        assert!((1..8192).contains(&(file_bytes - number("parameters") * size_bytes)), "{figures}");
        assert!(number("bytes_read_second_takedown") < file_bytes / 20, "{figures}");
        assert_eq!(figures["verified"], true);
        assert_ne!(figures["root_before"], figures["root_after"]);
        for seconds in ["seconds_zero", "seconds_hash", "seconds_proof", "seconds_second_takedown"] {
            assert!(figures[seconds].as_f64().unwrap() > 0.0, "{seconds}");
        }
        assert!(number("peak_memory_bytes") > 0);
        assert_eq!(figures["dtype"], dtype);
    }
    assert!(!here.data().exists(), "a measurement needs no installation and makes none");
}

#[test]
fn a_checkpoint_that_is_to_be_left_stays_and_is_not_overwritten() {
    let here = Installation::empty();
    let out = here.path("out").to_str().unwrap().to_owned();
    let arguments = [&SMALL[..], &["--out", &out]].concat();
    let figures = here.run(&arguments).json(0);
    let checkpoint = here.path("out").join("model.safetensors");
    assert_eq!(fs::metadata(&checkpoint).unwrap().len(), figures["file_bytes"].as_u64().unwrap());
    assert!(here.run(&arguments).refused(2).contains("model.safetensors"));
}

#[test]
fn shapes_that_cannot_be_measured_are_refused() {
    let here = Installation::empty();
    assert!(here.run(&["bench", "erase"]).refused(2).contains("--preset"));
    assert!(here.run(&[&SMALL[..], &["--n-pool", "3"]].concat()).code == Some(2));
    // More than any disk holds.
    let wide = ["bench", "erase", "--preset", "wikipedia-1b", "--layers", "1024", "--n-pool", "100000000"];
    let said = here.run(&wide);
    assert!(said.refused(3).contains("--out"), "{}", said.stderr);
}

#[test]
fn training_and_decoding_say_what_attention_is_computed_with() {
    let here = Installation::empty();
    let shape = [&SMALL[2..], &["--threads", "1"]].concat();
    let train = here.run(&[&["bench", "train", "--docs", "2", "--tokens", "8", "--steps", "1"], &shape[..]].concat());
    assert_eq!(train.json(0)["attention"], "flash");
    let decode =
        here.run(&[&["bench", "decode", "--batch", "2", "--prompt", "5", "--tokens", "2"], &shape[..]].concat());
    let figures = decode.json(0);
    assert_eq!((&figures["attention"], &figures["prefill_attention"]), (&"flash".into(), &"flash".into()), "{figures}");
}

#[test]
fn registering_many_sources_proves_each_and_leaves_nothing() {
    let here = Installation::empty();
    let under = here.path("under").to_str().unwrap().to_owned();
    fs::create_dir(&under).unwrap();
    let figures = here.run(&["bench", "register", "--sources", "5001", "--under", &under]).json(0);
    assert_eq!((&figures["sources"], &figures["verified"]), (&5001.into(), &true.into()), "{figures}");
    for figure in ["seconds", "seconds_rows", "seconds_manifest", "record_proof_ms_median", "absence_proof_ms_median"] {
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figure} in {figures}");
    }
    assert!(figures["peak_memory_bytes"].as_u64().unwrap() > 0);
    // Header, keys, leaf hashes, and half as many nodes a level.
    let levels = std::iter::successors(Some(5001u64), |n| (*n > 1).then(|| n.div_ceil(2)));
    assert_eq!(figures["tree_bytes"].as_u64().unwrap(), 64 + 32 * 5001 + 32 * levels.sum::<u64>());
    assert_eq!(fs::read_dir(&under).unwrap().count(), 0);
    assert!(!here.data().exists(), "a measurement needs no installation and makes none");
}

#[test]
fn the_log_takes_what_is_offered_and_proves_it() {
    let here = Installation::empty();
    let under = here.path("under");
    fs::create_dir(&under).unwrap();
    let arguments = ["--leaves", "300", "--entries", "60", "--rate", "1000", "--under", under.to_str().unwrap()];
    let figures = here.run(&[&["bench", "log"][..], &arguments].concat()).json(0);
    assert_eq!((figures["filled"].as_u64(), figures["entries"].as_u64()), (Some(300), Some(60)));
    let number = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{name} in {figures}"));
    assert!(number("entries_per_second") > 0.0 && number("entries_per_second") <= 1100.0, "{figures}");
    for (median, p99, max) in
        [("entry_ms_median", "entry_ms_p99", "entry_ms_max"), ("proof_ms_median", "proof_ms_p99", "proof_ms_max")]
    {
        assert!(0.0 < number(median) && number(median) <= number(p99) && number(p99) <= number(max), "{figures}");
    }
    assert_eq!(fs::read_dir(&under).unwrap().count(), 0, "what was made for the measurement is removed");
    assert!(!here.data().exists());
}
