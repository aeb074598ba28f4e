//! Documents put together on purpose: by somebody who has only other people's genuine parts, and by an operator who
//! holds every key and would rather not erase. Not here: blind damage (`flips.rs`).

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    certificate::{CertificateDocument, Exhibit},
    keys::{Role, Signer},
    manifest::SourceRecord,
    statement::{
        Campaign, Certificate, Erasure, SourceManifest, Subject, TrainingRun, VerificationProtocol, VerificationRun,
    },
    trust::{TrustError, TrustedRoot},
    weight_tree::Layout,
};

use crate::fixture::{
    Draft, Fixture, Setting, USUAL, at, checkpoint_of, presences, private_key, refusal, second_presence, trusted_root,
};

/// Somebody without keys changes the document.
fn check_document(change: impl FnOnce(&mut CertificateDocument), because: &str) {
    let mut fixture = Fixture::usual();
    change(&mut fixture.document);
    check(&fixture, because);
}

/// An operator with every key signs something else.
fn check_operator(setting: Setting, mut spoil: impl FnMut(Draft<'_>), because: &str) {
    check(&Fixture::new(setting, &mut spoil), because);
}

/// Refused with the row proof and without it, for this reason.
fn check(fixture: &Fixture, because: &str) {
    for proof in [Some(&fixture.proof[..]), None] {
        let refused = fixture.refusal(&fixture.file(), proof).unwrap_or_default();
        assert!(refused.contains(because), "wanted {because:?}, found {refused:?}");
    }
}

fn check_trust(change: impl FnOnce(&mut TrustedRoot), because: &str) {
    let mut fixture = Fixture::usual();
    change(&mut fixture.trust);
    check(&fixture, because);
}

fn key_of(trust: &mut TrustedRoot, role: Role) -> &mut obelus_ledger::trust::TrustedKey {
    trust.keys.iter_mut().find(|key| key.role == role).unwrap()
}

#[test]
fn exhibits_that_are_swapped_missing_or_repeated_are_refused() {
    for i in 0..6 {
        check_document(|d| d.exhibits.swap(i, i + 1), "one of each");
        check_document(
            |d| {
                d.exhibits.swap(i, i + 1);
                (d.exhibits[i].exhibit, d.exhibits[i + 1].exhibit) = (Exhibit::ALL[i], Exhibit::ALL[i + 1]);
            },
            "order in which they had to be made",
        );
        let envelopes_only = |d: &mut CertificateDocument| {
            let moved = d.exhibits[i].envelope.clone();
            d.exhibits[i].envelope = std::mem::replace(&mut d.exhibits[i + 1].envelope, moved);
        };
        let mut fixture = Fixture::usual();
        envelopes_only(&mut fixture.document);
        assert!(fixture.refusal(&fixture.file(), Some(&fixture.proof)).is_some(), "envelopes {i}");
    }
    check_document(|d| drop(d.exhibits.remove(2)), "one of each");
    check_document(|d| d.exhibits.push(d.exhibits[6].clone()), "one of each");
    check_document(|d| d.exhibits.clear(), "one of each");
}

#[test]
fn an_exhibit_at_any_other_place_in_the_log_is_refused() {
    for exhibit in 0..7 {
        let own = Fixture::usual().document.exhibits[exhibit].index;
        for index in (0..14).chain([1 << 32, (1 << 53) - 1]).filter(|index| *index != own) {
            let mut fixture = Fixture::usual();
            fixture.document.exhibits[exhibit].index = index;
            assert!(fixture.refusal(&fixture.file(), None).is_some(), "exhibit {exhibit} at {index}");
        }
    }
    check_document(|d| d.exhibits[3].path.reverse(), "inclusion proof");
    check_document(|d| d.exhibits[3].path.push(Digest::sha256("more")), "inclusion proof");
    check_document(|d| d.exhibits[3].path.clear(), "inclusion proof");
}

#[test]
fn a_log_with_reordered_or_missing_leaves_does_not_carry_the_certificate() {
    let fixture = Fixture::usual();
    let mut reordered = fixture.log.clone();
    reordered.swap(0, 2);
    for leaves in [&reordered[..], &fixture.log[..11], &fixture.log[1..]] {
        check_document(|d| d.checkpoint = checkpoint_of(leaves), "inclusion proof");
    }
    // The same seven statements, but the erasure is logged before the protocol that judges it.
    let positions = [1, 3, 4, 7, 6, 8, 10];
    check_operator(Setting { positions, ..USUAL }, |_| (), "order in which they had to be made");
    let positions = [1, 5, 4, 6, 7, 8, 10];
    check_operator(Setting { positions, ..USUAL }, |_| (), "order in which they had to be made");
}

#[test]
fn a_signature_by_a_key_of_another_role_is_refused() {
    for exhibit in Exhibit::ALL {
        let role = if exhibit == Exhibit::Campaign { Role::Issuer } else { Role::Log };
        check_operator(Setting { signer: Some((exhibit, role)), ..USUAL }, |_| (), "no trusted");
    }
    check_operator(Setting { signer: Some((Exhibit::Certificate, Role::Model)), ..USUAL }, |_| (), "no trusted issuer");
}

#[test]
fn unknown_keys_and_keys_that_were_not_valid_are_refused() {
    for role in [Role::Issuer, Role::Registrar, Role::Model] {
        check_trust(|t| t.keys.retain(|key| key.role != role), "no trusted");
        check_trust(|t| key_of(t, role).valid_to = Some(at(-1)), "was not valid at");
        check_trust(|t| key_of(t, role).valid_from = at(8), "was not valid at");
    }
    check_trust(|t| t.keys.retain(|key| key.role != Role::Log), "no trusted log key");
    check_trust(|t| t.log_origin = "log.example/other".to_owned(), "another log");
    check_trust(|t| key_of(t, Role::Log).valid_to = Some(at(6)), "had ended before the certificate");
    check_trust(|t| key_of(t, Role::Issuer).valid_to = Some(at(6)), "certificate/v1: the issuer key was not valid");
    // The issuer signed protocol (4) to certificate (7): a period that covers just these suffices.
    let mut fixture = Fixture::usual();
    let key = key_of(&mut fixture.trust, Role::Issuer);
    (key.valid_from, key.valid_to) = (at(4), Some(at(7)));
    assert_eq!(fixture.refusal(&fixture.file(), Some(&fixture.proof)), None);
}

#[test]
fn a_trusted_root_with_one_key_in_two_roles_or_an_impossible_period_is_refused() {
    let refused = |change: fn(&mut TrustedRoot)| {
        let mut root = trusted_root();
        change(&mut root);
        matches!(TrustedRoot::from_bytes(&canonical::to_bytes(&root).unwrap()), Err(TrustError::Form(_)))
    };
    assert!(!refused(|_| ()));
    assert!(refused(|root| {
        let issuer = key_of(root, Role::Issuer).clone();
        let model = key_of(root, Role::Model);
        (model.keyid, model.public_key) = (issuer.keyid, issuer.public_key);
    }));
    assert!(refused(|root| key_of(root, Role::Issuer).valid_to = Some(at(-11))));
    assert!(refused(|root| key_of(root, Role::Issuer).keyid = private_key(Role::Model).public_key().id()));
}

#[test]
fn signature_lines_that_nobody_can_check_are_refused_in_a_certificate() {
    check_document(|d| d.checkpoint += "\u{2014} witness.example AAAAAAAA\n", "no trusted key covers");
}

#[test]
fn records_of_other_sources_and_other_places_are_refused() {
    check_document(|d| d.sources[0] = presences(USUAL.segments)[0].clone(), "other sources");
    check_document(|d| d.sources.push(presences(USUAL.segments)[4].clone()), "other sources");
    check_document(|d| drop(d.sources.pop()), "other sources");
    check_document(|d| d.sources.swap(0, 1), "other sources");
    check_document(|d| d.sources[0].key = Digest::sha256("key"), "not in the manifest");
    check_document(|d| d.sources[0].index ^= 1, "not in the manifest");
    let renamed = |d: &mut CertificateDocument| {
        let mut record: SourceRecord = canonical::from_bytes(d.sources[0].record.as_bytes()).unwrap();
        record.publisher = "Somebody else".to_owned();
        d.sources[0].record = String::from_utf8(canonical::to_bytes(&record).unwrap()).unwrap();
    };
    check_document(renamed, "not in the manifest");
}

#[test]
fn a_row_proof_or_a_layout_of_another_strike_or_model_is_refused() {
    let fixture = Fixture::usual();
    let other_strike = Fixture::new(Setting { struck: &[0, 2], ..USUAL }, &mut |_| ());
    let other_model = Fixture::new(Setting { weights: 90, ..USUAL }, &mut |_| ());
    for other in [&other_strike, &other_model] {
        assert_eq!(other.refusal(&other.file(), Some(&other.proof)), None);
        let refused = fixture.refusal(&fixture.file(), Some(&other.proof)).unwrap();
        assert!(refused.contains("not the file that the erasure cites"), "{refused}");
        // The operator cites that file, so that only the rebuilt leaves and roots give it away.
        let cited = Digest::sha256(&other.proof);
        let mut spoil = |draft: Draft<'_>| match draft {
            Draft::Erasure(_, said) => said.row_proof = cited,
            Draft::Certificate(_, said) => said.row_proof = cited,
            _ => (),
        };
        let forged = Fixture::new(USUAL, &mut spoil);
        let refused = forged.refusal(&forged.file(), Some(&other.proof)).unwrap();
        assert!(refused.contains("row proof names") || refused.contains("rebuilt from the row proof"), "{refused}");
    }
    check_document(|d| d.layout.0[0].rows += 1, "inconsistent");
    check_document(|d| d.layout.0.swap(0, 1), "inconsistent");
    check_document(|d| d.layout.0[0].dtype = "bfloat16".to_owned(), "not the one that was stated");
    check_document(|d| d.layout = Layout(vec![]), "not the one that was stated");
    check_document(|d| d.row_proof_file = "other.rowproof.json".to_owned(), "not that of the certificate's id");
}

#[test]
fn an_operator_cannot_strike_other_neurons_than_the_seeds_give() {
    let one = || Digest::sha256("[[0],[0]]");
    check_operator(USUAL, on_erasure(|_, e| e.neurons = one()), "not those that the seeds give");
    check_operator(USUAL, on_erasure(|_, e| e.neuron_count = 1), "not those that the seeds give");
    check_operator(USUAL, on_erasure(|_, e| e.source_count = 3), "other sources");
    check_operator(USUAL, on_campaign(|_, c| c.lineage = "b".to_owned()), "lineage");
    check_operator(USUAL, on_campaign(|_, c| c.campaign_salt = Digest::sha256("new")), "not the one that its id gives");
    check_operator(USUAL, on_campaign(|_, c| c.mask_scheme = "null-mask/v2".to_owned()), "not those that the seeds");
    check_operator(USUAL, on_campaign(|_, c| c.segments[0].k = 1), "not those that the seeds give");
    check_operator(USUAL, on_campaign(|_, c| c.segments.clear()), "no segment");
    check_operator(USUAL, on_campaign(|_, c| c.same_mask_in_all_layers = true), "not those that the seeds give");
    check_operator(USUAL, on_campaign(|_, c| c.layers = u32::MAX), "absurd");
    check_operator(Setting { extra_layers: 1, ..USUAL }, |_| (), "sinks in other layers");
    let manifest = |change: fn(&mut Subject, &mut SourceManifest)| on_manifest(change);
    check_operator(USUAL, manifest(|s, _| s.digest.sha256 = Some(Digest::sha256("other"))), "not in the manifest");
    check_operator(USUAL, manifest(|_, m| m.count = 4), "not in the manifest");
}

#[test]
fn an_operator_cannot_certify_a_strike_of_no_source() {
    let mut nobody = Fixture::new(
        USUAL,
        &mut on_erasure(|_, e| {
            let nothing = || Vec::<(Digest, Digest)>::new();
            (e.source_count, e.neuron_count) = (0, 0);
            e.sources = obelus_ledger::manifest::list_digest(nothing()).unwrap();
            e.neurons = Digest::sha256("[[],[]]");
        }),
    );
    nobody.document.sources.clear();
    check(&nobody, "other sources");
}

#[test]
fn an_operator_cannot_count_one_source_twice() {
    let mut sources = Fixture::usual().document.sources;
    sources.push(second_presence());
    sources.sort_by_key(|presence| presence.key);
    let pairs = sources.iter().map(|p| (p.key, Digest::sha256(&p.record)));
    let listed = obelus_ledger::manifest::list_digest(pairs).unwrap();
    let mut twice = Fixture::new(USUAL, &mut |draft| match draft {
        Draft::Protocol(_, said) => said.sources = listed,
        Draft::Erasure(_, said) => (said.sources, said.source_count) = (listed, 3),
        _ => (),
    });
    twice.document.sources = sources;
    check(&twice, "other sources");
}

#[test]
fn an_operator_cannot_cite_or_say_twice_what_differs() {
    check_operator(USUAL, on_manifest(|_, m| m.campaign = Digest::sha256("x")), "another campaign");
    check_operator(USUAL, on_manifest(|_, m| m.lineage = "b".to_owned()), "another lineage");
    check_operator(USUAL, on_campaign(|s, _| s.name = "b".to_owned()), "subject is another lineage");
    check_operator(USUAL, on_training(|_, t| t.manifest = Digest::sha256("x")), "another manifest");
    check_operator(USUAL, on_training(|_, t| t.baseline_of = Some(Digest::sha256("x"))), "retrain baseline");
    check_operator(
        USUAL,
        on_training(|s, _| s.digest.null_weight_tree_v1 = Some(Digest::sha256("x"))),
        "does not start",
    );
    check_operator(USUAL, on_training(|_, t| t.layout = Digest::sha256("x")), "layout is not the one");
    check_operator(USUAL, on_training(|_, t| t.recipe = "other".to_owned()), "recipe");
    check_operator(USUAL, on_erasure(|_, e| e.generation = 0), "generation");
    check_operator(USUAL, on_erasure(|_, e| e.training = Digest::sha256("x")), "another manifest or training");
    check_operator(USUAL, on_erasure(|_, e| e.model = "b".to_owned()), "model");
    check_operator(USUAL, on_erasure(|_, e| e.request = "REQ-2".to_owned()), "request");
    check_operator(USUAL, on_verification(|_, v| v.protocol = Digest::sha256("x")), "another protocol");
    check_operator(USUAL, on_verification(|_, v| v.baselines.clear()), "another protocol");
    check_operator(USUAL, on_protocol(|_, p| p.protocol = Digest::sha256("x")), "protocol's subject");
    check_operator(USUAL, on_protocol(|_, p| p.sources = Digest::sha256("x")), "other sources");
    check_operator(USUAL, on_protocol(|_, p| p.request = "rehearsal".to_owned()), "request");
    check_operator(USUAL, on_certificate(|_, c| c.erasure = Digest::sha256("x")), "another erasure");
    check_operator(USUAL, on_certificate(|_, c| c.root_after = c.root_before), "roots or row proof differ");
    check_operator(USUAL, on_certificate(|_, c| c.level = "L2".to_owned()), "level");
    check_operator(USUAL, on_certificate(|_, c| c.verdict = "verified".to_owned()), "verdict differs");
    check_operator(USUAL, on_certificate(|_, c| c.id = "OB-2026-0002".to_owned()), "certificate's id");
    check_operator(
        USUAL,
        on_certificate(|s, c| s.digest.null_weight_tree_v1 = Some(c.root_before)),
        "weight root after",
    );
    check_operator(USUAL, on_certificate(|s, c| s.digest.sha256 = Some(c.row_proof)), "different model.sig roots");
    check_operator(USUAL, on_erasure(|s, _| s.digest.sha256 = Some(Digest::sha256("x"))), "different model.sig roots");
    check_operator(USUAL, on_protocol(|s, _| s.digest.null_weight_tree_v1 = s.digest.sha256), "exactly one digest");
    check_operator(USUAL, on_certificate(|s, _| s.digest.null_weight_tree_v1 = None), "exactly one digest");
}

#[test]
fn an_operator_cannot_claim_more_than_the_figures_and_statements_say() {
    check_operator(USUAL, on_certificate(|_, c| c.erasure_claim = "all knowledge gone".to_owned()), "erasure claim");
    check_operator(USUAL, on_certificate(|_, c| c.figures[0].verdict = "fail".to_owned()), "figures contradict");
    check_operator(USUAL, on_certificate(|_, c| c.figures.clear()), "figures contradict");
    check_operator(USUAL, on_certificate(|_, c| c.limits.clear()), "no limits");
    check_operator(USUAL, on_erasure(|_, e| e.targets.clear()), "no copy");
    check_operator(USUAL, on_verification(|_, v| v.baseline_kind = "none".to_owned()), "no retrain that it rests on");
    check_operator(USUAL, on_verification(|_, v| v.baseline_kind = "good".to_owned()), "no retrain that it rests on");
    check_operator(USUAL, with_verdict("verified", "Certificate of erasure"), "figures contradict");
    check_operator(USUAL, with_verdict("excellent", "Certificate of erasure"), "verdict is unknown");
    check_operator(USUAL, with_verdict("not_verified", "Certificate of erasure"), "title does not fit");
    let failed = "Erasure record, verification failed";
    check_operator(USUAL, with_verdict("verified_with_residual", failed), "title does not fit");
    let honest = Fixture::new(USUAL, &mut with_verdict("not_verified", failed));
    assert_eq!(honest.refusal(&honest.file(), Some(&honest.proof)), None);
}

#[test]
fn an_operator_cannot_state_times_that_contradict_each_other() {
    let late = "after training had begun";
    check_operator(USUAL, on_training(|_, t| t.started_at = at(0)), late);
    check_operator(USUAL, on_campaign(|_, c| c.created_at = at(2)), late);
    let times = "times contradict";
    check_operator(USUAL, on_training(|_, t| t.ended_at = at(1)), times);
    check_operator(USUAL, on_erasure(|_, e| e.erased_at = at(3)), times);
    check_operator(USUAL, on_protocol(|_, p| p.fixed_at = at(6)), times);
    check_operator(USUAL, on_erasure(|_, e| e.targets[0].at = at(8)), times);
    check_operator(USUAL, on_verification(|_, v| v.judged_at = at(4)), times);
    check_operator(USUAL, on_certificate(|_, c| c.issued_at = at(5)), times);
    check_operator(USUAL, on_certificate(|_, c| c.valid_until = c.issued_at), times);
}

#[test]
fn a_single_statement_is_judged_by_its_own_key_and_period() {
    let fixture = Fixture::usual();
    let refused = |envelope: &[u8], trust: &TrustedRoot| {
        refusal(&obelus_ledger::verify::Input { file: envelope, ..Default::default() }, trust)
    };
    for logged in &fixture.document.exhibits {
        let bytes = logged.envelope.to_bytes().unwrap();
        assert_eq!(refused(&bytes, &fixture.trust), None);
        let mut ended = fixture.trust.clone();
        ended.keys.iter_mut().for_each(|key| key.valid_to = Some(at(-1)));
        assert!(refused(&bytes, &ended).unwrap().contains("was not valid at"));
    }
}

macro_rules! on {
    ($($name:ident: $draft:ident $predicate:ident,)*) => {$(
        fn $name(change: impl Fn(&mut Subject, &mut $predicate)) -> impl FnMut(Draft<'_>) {
            move |draft| {
                if let Draft::$draft(subject, said) = draft {
                    change(subject, said);
                }
            }
        }
    )*};
}

on! {
    on_campaign: Campaign Campaign,
    on_manifest: Manifest SourceManifest,
    on_training: Training TrainingRun,
    on_protocol: Protocol VerificationProtocol,
    on_erasure: Erasure Erasure,
    on_verification: Verification VerificationRun,
    on_certificate: Certificate Certificate,
}

/// A verdict that verification run and certificate agree on.
fn with_verdict(verdict: &'static str, title: &'static str) -> impl FnMut(Draft<'_>) {
    move |draft| match draft {
        Draft::Verification(_, said) => said.verdict = verdict.to_owned(),
        Draft::Certificate(_, said) => (said.verdict, said.title) = (verdict.to_owned(), title.to_owned()),
        _ => (),
    }
}
