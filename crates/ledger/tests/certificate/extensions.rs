//! Certificates for sources in segments that were appended to the pool: what verifies, and what must not. Not here: the
//! pool by itself (`statement/pool.rs`), and documents of adaptations (`adaptations.rs`).

use std::io::Read as _;

use flate2::read::GzDecoder;
use obelus_core::Digest;
use obelus_ledger::{
    certificate::{CertificateDocument, Exhibit},
    keys::Role,
    statement::PoolExtension,
};

use crate::{
    fixture::{Draft, Fixture, GROWN, Setting, USUAL, at},
    flips::{check_all, flipped},
};

fn check_document(change: impl FnOnce(&mut CertificateDocument), because: &str) {
    let mut fixture = Fixture::new(GROWN, &mut |_| ());
    change(&mut fixture.document);
    check(&fixture, because);
}

fn check_operator(setting: Setting, mut spoil: impl FnMut(Draft<'_>), because: &str) {
    check(&Fixture::new(setting, &mut spoil), because);
}

fn check(fixture: &Fixture, because: &str) {
    for proof in [Some(&fixture.proof[..]), None] {
        let refused = fixture.refusal(&fixture.file(), proof).unwrap_or_default();
        assert!(refused.contains(because), "wanted {because:?}, found {refused:?}");
    }
}

/// Changes what one of the extensions says.
fn extension(which: usize, change: impl Fn(&mut PoolExtension)) -> impl FnMut(Draft<'_>) {
    move |draft| match draft {
        Draft::Extension(at, _, said) if at == which => change(said),
        _ => (),
    }
}

fn manifest_rests_on(extension: Option<Digest>) -> impl FnMut(Draft<'_>) {
    move |draft| {
        if let Draft::Manifest(_, said) = draft {
            said.extension = extension;
        }
    }
}

#[test]
fn a_certificate_for_sources_in_appended_segments_verifies() {
    // Sources in the campaign's segment, in both segments of the first extension, in the second extension.
    for struck in [&[1, 3][..], &[0], &[4], &[0, 1, 2, 3, 4]] {
        let fixture = Fixture::new(Setting { struck, ..GROWN }, &mut |_| ());
        assert_eq!(fixture.refusal(&fixture.file(), Some(&fixture.proof)), None, "{struck:?}");
        assert_eq!(fixture.refusal(&fixture.file(), None), None, "{struck:?}");
    }
    let one = Setting { extensions: &[2], segments: [0, 1, 0, 2, 0], ..GROWN };
    let fixture = Fixture::new(one, &mut |_| ());
    assert_eq!(fixture.refusal(&fixture.file(), Some(&fixture.proof)), None);
}

#[test]
fn a_certificate_without_extensions_has_the_bytes_that_it_always_had() {
    // The row proof, unpacked, was computed before there were extensions and adaptations. The certificate cites the packed
    // file, and was computed anew when zlib-rs came to pack it; nothing else in it had changed.
    let usual = Fixture::usual();
    let mut unpacked = Vec::new();
    GzDecoder::new(usual.proof.as_slice()).read_to_end(&mut unpacked).unwrap();
    for (bytes, always) in [
        (&usual.file(), "8931f4efba988c8c469baf243102c995f015e851c8326e9246660ec7803a69a6"),
        (&unpacked, "47935b7920f99e2fd4de414286c0fd26ba4962a08721ce41febc2d6ef96389a2"),
    ] {
        assert_eq!(Digest::sha256(bytes).to_string(), always);
    }
    let file = String::from_utf8(Fixture::usual().file()).unwrap();
    assert!(!file.contains("extension"));
    let payload = Fixture::usual().document.envelope(Exhibit::Manifest).unwrap().payload().unwrap();
    assert!(!String::from_utf8(payload).unwrap().contains("extension"));
    let payload = Fixture::usual().document.envelope(Exhibit::Training).unwrap().payload().unwrap();
    assert!(!String::from_utf8(payload).unwrap().contains("adaptation"));
}

#[test]
fn extensions_that_are_missing_swapped_or_repeated_are_refused() {
    check_document(|d| d.extensions.clear(), "does not rest on the last pool extension");
    check_document(|d| drop(d.extensions.pop()), "does not rest on the last pool extension");
    check_document(|d| drop(d.extensions.remove(0)), "does not cite the extension before it");
    check_document(|d| d.extensions.swap(0, 1), "order in which they had to be made");
    check_document(|d| d.extensions.push(d.extensions[1].clone()), "order in which they had to be made");
    check_document(|d| d.extensions[0].exhibit = Exhibit::Campaign, "is none");
    check_document(|d| d.extensions.push(d.exhibits[0].clone()), "is none");
    check_document(|d| d.exhibits.insert(1, d.extensions[0].clone()), "one of each");
    check_document(|d| d.extensions[0].path.reverse(), "inclusion proof");
    check_document(|d| d.extensions[0].index = 3, "inclusion proof");
    let grown = Fixture::new(GROWN, &mut |_| ());
    let mut usual = Fixture::usual();
    usual.document.extensions.clone_from(&grown.document.extensions);
    assert!(usual.refusal(&usual.file(), Some(&usual.proof)).is_some());
}

#[test]
fn an_extension_that_was_logged_after_the_manifest_is_refused() {
    let late = "order in which they had to be made";
    check_operator(Setting { extensions: &[2, 11], ..GROWN }, |_| (), late);
    check_operator(Setting { extensions: &[4, 2], ..GROWN }, |_| (), late);
    check_operator(Setting { extensions: &[0, 2], ..GROWN }, |_| (), late);
    let signer = Some((Exhibit::PoolExtension, Role::Issuer));
    check_operator(Setting { signer, ..GROWN }, |_| (), "pool-extension/v1: no trusted registrar key");
}

#[test]
fn extensions_that_do_not_form_one_chain_are_refused() {
    let other = || Some(Digest::sha256("other"));
    check_operator(GROWN, extension(0, |e| e.previous = other()), "does not cite the extension before it");
    check_operator(GROWN, extension(1, |e| e.previous = other()), "does not cite the extension before it");
    check_operator(GROWN, extension(1, |e| e.previous = None), "does not cite the extension before it");
    check_operator(GROWN, extension(1, |e| e.campaign = Digest::sha256("x")), "cites another campaign");
    check_operator(GROWN, extension(0, |e| e.lineage = "b".to_owned()), "of another lineage");
    check_operator(GROWN, extension(0, |e| e.reason = "because".to_owned()), "unknown reason");
    check_operator(GROWN, extension(1, |e| e.created_at = at(-1)), "before the pool that it continues");
    check_operator(GROWN, extension(1, |e| e.created_at = at(2)), "older than the pool");
    check_operator(GROWN, manifest_rests_on(None), "does not rest on the last");
    check_operator(GROWN, manifest_rests_on(other()), "does not rest on the last");
    check_operator(USUAL, manifest_rests_on(other()), "does not rest on the last");
    let mut other_subject = |draft: Draft<'_>| {
        if let Draft::Extension(_, subject, _) = draft {
            subject.name = "b".to_owned();
        }
    };
    check_operator(GROWN, &mut other_subject, "of another lineage");
}

#[test]
fn extensions_that_leave_a_gap_or_are_absurd_are_refused() {
    check_operator(GROWN, extension(0, |e| e.base = 9), "begins at neuron 9");
    check_operator(GROWN, extension(0, |e| e.base = 7), "begins at neuron 7");
    check_operator(GROWN, extension(1, |e| e.base = 8), "begins at neuron 8");
    check_operator(GROWN, extension(0, |e| e.first_segment = 2), "begins at segment 2");
    check_operator(GROWN, extension(1, |e| e.first_segment = 0), "begins at segment 0");
    check_operator(GROWN, extension(0, |e| e.count = 1), "begins at segment 3");
    check_operator(GROWN, extension(0, |e| e.count = 1 << 53), "impossible");
    check_operator(GROWN, extension(0, |e| (e.n, e.k) = (3, 4)), "impossible");
    check_operator(GROWN, extension(1, |e| (e.n, e.count) = (1 << 31, 2)), "impossible");
    // Possible as numbers; no verifier draws so many neurons.
    check_operator(GROWN, extension(1, |e| (e.n, e.k) = (1 << 31, 1 << 31)), "absurd");
    // Fewer lit neurons than the strike zeroed.
    check_operator(GROWN, extension(0, |e| e.k = 2), "not those that the seeds give");
}

#[test]
fn a_record_that_names_a_segment_which_does_not_exist_is_refused() {
    for segment in [4, 5, (1 << 53) - 1] {
        let segments = [0, segment, 0, 2, 3];
        check_operator(Setting { segments, ..GROWN }, |_| (), "names no segment of the pool");
    }
    check_operator(Setting { segments: [0, 4, 0, 0, 0], ..USUAL }, |_| (), "names no segment of the pool");
}

#[test]
fn every_flipped_byte_among_the_extensions_is_noticed() {
    let fixture = Fixture::new(GROWN, &mut |_| ());
    let file = fixture.file();
    let from = file.windows(12).position(|w| w == b"\"extensions\"").unwrap();
    let length = file[from..].windows(9).position(|w| w == b",\"format\"").unwrap();
    assert!(length > 1000);
    check_all(length, |i| {
        let changed = flipped(&file, from + i, if i % 2 == 0 { 0x01 } else { 0x20 });
        fixture.refusal(&changed, None).map(drop).ok_or_else(|| format!("byte {}", from + i))
    });
}

#[test]
fn strikes_are_counted_from_the_generation_that_an_adaptation_made() {
    let adapted = |generation: u64, erased: u64, root: Option<Digest>| {
        Fixture::new(GROWN, &mut move |draft| match draft {
            Draft::Training(subject, said) => {
                said.adaptation = Some(crate::adaptations::adaptation(generation));
                if let Some(root) = root {
                    subject.digest.null_weight_tree_v1 = Some(root);
                }
            }
            Draft::Erasure(_, said) => said.generation = erased,
            _ => (),
        })
    };
    let accepted = |fixture: &Fixture| fixture.refusal(&fixture.file(), Some(&fixture.proof)).is_none();
    let other = Some(Digest::sha256("other weights"));
    assert!(accepted(&adapted(4, 5, None)));
    check(&adapted(4, 5, other), "does not start from the trained weights");
    // A later strike starts from weights that an earlier one left.
    assert!(accepted(&adapted(4, 6, other)));
    for erased in [0, 1, 3, 4] {
        check(&adapted(4, erased, None), "no generation of a strike");
    }
    check_operator(
        GROWN,
        |draft| {
            if let Draft::Training(_, said) = draft {
                said.adaptation = Some(crate::adaptations::adaptation(0));
                said.baseline_of = Some(Digest::sha256("model"));
            }
        },
        "retrain baseline",
    );
}
