//! Project Wycheproof's test vectors: what our keys accept must be exactly what is valid. Not here: our own formats, and
//! the second spelling of ECDSA signatures, which is valid and which `model.sig` refuses all the same.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use obelus_ledger::{keys::PublicKey, model_key::ModelPublicKey};
use wycheproof::{TestResult, ecdsa, eddsa};

/// Counts the vectors; every one must come out as the project says.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn check(&mut self, number: usize, comment: &str, wanted: TestResult, accepted: bool) {
        match wanted {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.invalid += 1,
            TestResult::Acceptable => self.wrong.push(format!("{number}: undecided vectors are not expected")),
        }
        if accepted != (wanted == TestResult::Valid) {
            self.wrong.push(format!("{number} ({comment}): {wanted:?}, accepted {accepted}"));
        }
    }

    fn agrees(self, valid: usize, invalid: usize) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert_eq!((self.valid, self.invalid), (valid, invalid), "vectors are missing, or there are new ones");
    }
}

#[test]
fn ed25519_agrees_with_every_vector() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let key = PublicKey::from_pem(&group.pem).unwrap();
        assert_eq!(key.as_bytes()[..], group.key.pk[..]);
        for test in group.tests {
            tally.check(test.tc_id, &test.comment, test.result, key.verify(&test.msg, &test.sig).is_ok());
        }
    }
    tally.agrees(88, 62);
}

#[test]
fn ecdsa_on_p256_agrees_with_every_vector() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let key = ModelPublicKey::from_pem(&group.pem).unwrap();
        for test in group.tests {
            tally.check(test.tc_id, &test.comment, test.result, key.verify(&test.msg, &test.sig).is_ok());
        }
    }
    tally.agrees(170, 301);
}
