//! Damage by somebody without keys: flipped bits, cut ends, other spellings. Not here: documents that were put together
//! on purpose (`forgeries.rs`).

use obelus_ledger::{
    row_proof::RowProof,
    verify::{Input, verify},
};

use crate::fixture::{Fixture, refusal};

/// Runs `case` for 0..count on all cores; says which cases are wrong.
pub fn check_all(count: usize, case: impl Fn(usize) -> Result<(), String> + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let case = &case;
        let work = |first: usize| move || (first..count).step_by(threads).filter_map(|i| case(i).err()).collect();
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(work(first))).collect();
        running
            .into_iter()
            .flat_map(|thread: std::thread::ScopedJoinHandle<'_, Vec<String>>| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{} accepted, first: {}", wrong.len(), wrong[0]);
}

pub fn flipped(bytes: &[u8], at: usize, bits: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= bits;
    changed
}

#[test]
fn the_unchanged_certificate_verifies_with_and_without_its_row_proof() {
    let fixture = Fixture::usual();
    let file = fixture.file();
    assert_eq!(fixture.refusal(&file, Some(&fixture.proof)), None);
    assert_eq!(fixture.refusal(&file, None), None);
    let report = verify(&Input { file: &file, ..Default::default() }, &fixture.trust).unwrap();
    let proof_check = report.checks.iter().find(|check| check.name == "row proof").unwrap();
    assert!(proof_check.detail.starts_with("left out"), "{}", proof_check.detail);
    let beside = Input { file: &fixture.proof, document: Some(&file), proofs: &[] };
    assert_eq!(refusal(&beside, &fixture.trust), None);
}

#[test]
fn every_flipped_byte_of_a_certificate_is_noticed_without_the_row_proof() {
    let fixture = Fixture::usual();
    let file = fixture.file();
    check_all(file.len(), |at| {
        // 0x20 turns letters into their other case; taking turns with 0x01 halves the time.
        for bits in [if at % 2 == 0 { 0x01 } else { 0x20 }, 0x80] {
            if fixture.refusal(&flipped(&file, at, bits), None).is_none() {
                return Err(format!("byte {at} xor {bits:#x}"));
            }
        }
        Ok(())
    });
}

#[test]
fn every_truncation_of_a_certificate_is_noticed() {
    let fixture = Fixture::usual();
    let file = fixture.file();
    check_all(file.len(), |length| match fixture.refusal(&file[..length], Some(&fixture.proof)) {
        Some(_) => Ok(()),
        None => Err(format!("{length} bytes")),
    });
}

#[test]
fn every_flipped_byte_and_truncation_of_a_row_proof_is_noticed() {
    let fixture = Fixture::usual();
    let file = fixture.file();
    let accepts = |proof: &[u8]| {
        let beside = Input { file: proof, document: Some(&file), proofs: &[] };
        fixture.refusal(&file, Some(proof)).is_none() || refusal(&beside, &fixture.trust).is_none()
    };
    check_all(fixture.proof.len(), |at| {
        let changed = [0x01, 0x20, 0x80].map(|bits| flipped(&fixture.proof, at, bits));
        let noticed = !changed.iter().any(|proof| accepts(proof)) && !accepts(&fixture.proof[..at]);
        if noticed { Ok(()) } else { Err(format!("byte {at}")) }
    });
}

#[test]
fn a_row_proof_in_another_packing_is_not_the_cited_file() {
    let fixture = Fixture::usual();
    let plain = RowProof::from_bytes(&fixture.proof).unwrap().to_bytes().unwrap();
    let longer = [&fixture.proof[..], b"\n"].concat();
    for proof in [plain, longer] {
        let refused = fixture.refusal(&fixture.file(), Some(&proof)).unwrap();
        assert!(refused.contains("not the file that the erasure cites"), "{refused}");
    }
}

#[test]
fn other_spellings_of_the_same_certificate_are_refused() {
    let fixture = Fixture::usual();
    let file = String::from_utf8(fixture.file()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&file).unwrap();
    let format = r#""format":"obelus-certificate/v1","#;
    let other_spellings = [
        serde_json::to_string_pretty(&value).unwrap(),
        format!("{file}\n"),
        format!("\u{feff}{file}"),
        file.replacen('{', "{ ", 1),
        file.replacen(format, &format!("{format}{format}"), 1),
        file.replacen(format, &format!(r#"{format}"note":"x","#), 1),
        file.replacen(r#""index":"#, r#""index":0"#, 1),
        file.replacen("böll", "b\\u00f6ll", 1),
        file.replacen("obelus-certificate", "obelus\\u002dcertificate", 1),
        file.replacen(r#""exhibit":"campaign""#, r#""exhibit":"campaign","note":1"#, 1),
        file.replacen(r#""payloadType""#, r#""payload":"","payloadType""#, 1),
    ];
    for other in other_spellings {
        assert_ne!(other, file);
        assert!(fixture.refusal(other.as_bytes(), Some(&fixture.proof)).is_some(), "{}", &other[..120]);
    }
}
