//! Blind challenges: that the probes which were opened are those that were deposited, and were deposited before anything was
//! struck. Not here: sealed files (`sealed_probes.rs`), and signatures (`bundle.rs`).

use obelus_core::Digest;

use super::{
    Checks, add_under,
    bundle::{self, OpenedBundle, open},
};
use crate::{
    audit_bundle::Files,
    bundle::Bundle,
    canonical,
    certificate::{CertificateDocument, Exhibit},
    statement::{BlindChallenge, BlindChallengeResult, Certificate, results_digest},
    trust::TrustedRoot,
};

/// Folder of challenges in an audit bundle.
const FOLDER: &str = "challenges/";
const DEPOSIT: &str = ".deposit.json";
const RESULT: &str = ".result.json";
const RESULTS: &str = ".results.json";

/// Name of the deposit's file beside a result's file of this name.
pub(super) fn deposit_of(name: &str) -> Option<String> {
    name.strip_suffix(RESULT).map(|id| format!("{id}{DEPOSIT}"))
}

/// A result with its deposit beside it, where that is at hand.
pub(super) fn check_result(result: &Bundle, deposit: Option<&[u8]>, trust: &TrustedRoot, checks: &mut Checks) {
    let Some(deposit) = deposit else {
        let detail =
            "left out: the deposit is not beside the result, so whether these probes were deposited was not looked at";
        checks.add("deposit", Ok(detail.to_owned()));
        return;
    };
    checks.add(
        "deposit",
        read::<BlindChallenge>(deposit, trust).and_then(|deposit| cites(&open(result, trust)?, &deposit)),
    );
}

fn read<P: crate::statement::Predicate>(file: &[u8], trust: &TrustedRoot) -> Result<OpenedBundle<P>, String> {
    open(&canonical::from_bytes::<Bundle>(file).map_err(|e| e.to_string())?, trust)
}

/// The result is about what was deposited.
fn cites(
    result: &OpenedBundle<BlindChallengeResult>,
    deposit: &OpenedBundle<BlindChallenge>,
) -> Result<String, String> {
    let (said, of) = (&result.statement.predicate, &deposit.statement.predicate);
    if said.deposit != deposit.digest {
        return Err("the result cites another deposit".to_owned());
    }
    let same = (&said.challenge, &said.request, &said.model, said.commitment)
        == (&of.challenge, &of.request, &of.model, of.commitment);
    if !same {
        return Err("the result is about another challenge, request, model or commitment than the deposit".to_owned());
    }
    if deposit.index >= result.index {
        return Err(format!("the deposit is entry {} of the log, after its result, {}", deposit.index, result.index));
    }
    Ok(format!("{}: what was opened is what was deposited, entry {} of the log", of.challenge, deposit.index))
}

/// The erasure of a case, as the evidence of its certificates shows it: envelope digest and entry of the log.
struct Struck {
    digest: Digest,
    index: u64,
}

/// Checks every challenge of an audit bundle. The evidence of certificates is checked elsewhere.
pub(super) fn check(files: &Files, request: &str, trust: &TrustedRoot, checks: &mut Checks) {
    let erasures: Vec<Struck> = files
        .iter()
        .filter(|(path, _)| path.starts_with("certificates/") && path.ends_with(".evidence.json"))
        .filter_map(|(_, bytes)| canonical::from_bytes::<CertificateDocument>(bytes).ok())
        .filter_map(|document| {
            let logged = document.exhibits.into_iter().find(|logged| logged.exhibit == Exhibit::Erasure)?;
            Some(Struck { digest: logged.envelope.digest().ok()?, index: logged.index })
        })
        .collect();
    for (path, contents) in files.iter().filter(|(path, _)| path.starts_with(FOLDER)) {
        if let Some(id) = path.strip_suffix(DEPOSIT) {
            add_under(bundle::report(contents, None, &[], trust), path, true, checks);
            let deposit = match read::<BlindChallenge>(contents, trust) {
                Ok(deposit) => deposit,
                Err(reason) => {
                    checks.add(&format!("{path}: deposit"), Err(reason));
                    continue;
                }
            };
            checks.add(&format!("{path}: before the erasure"), before(&deposit, request, &erasures));
            let result = files.get(&format!("{id}{RESULT}"));
            let said = match result {
                None => Ok("the probes are sealed still: nothing was asked".to_owned()),
                Some(result) => {
                    let results = files.get(&format!("{id}{RESULTS}")).map(Vec::as_slice);
                    opened(result, results, &deposit, &erasures, trust)
                }
            };
            checks.add(&format!("{path}: result"), said);
        } else if let Some(id) = path.strip_suffix(RESULT) {
            add_under(bundle::report(contents, None, &[], trust), path, true, checks);
            let has_deposit = files.contains_key(&format!("{id}{DEPOSIT}"));
            checks.holds(
                &format!("{path}: deposit"),
                has_deposit,
                "it is in the bundle",
                "there is none in the bundle",
            );
        } else if path.strip_suffix(RESULTS).is_none_or(|id| !files.contains_key(&format!("{id}{RESULT}"))) {
            checks.add(path, Err("it belongs to no result of a challenge in the bundle".to_owned()));
        }
    }
    cited(files, trust, checks);
}

/// Whether each certificate cites the challenges that were opened before it.
fn cited(files: &Files, trust: &TrustedRoot, checks: &mut Checks) {
    let results = files.iter().filter(|(path, _)| path.starts_with(FOLDER) && path.ends_with(RESULT));
    let mut results: Vec<(u64, Digest)> = results
        .filter_map(|(_, bytes)| read::<BlindChallengeResult>(bytes, trust).ok())
        .map(|result| (result.index, result.digest))
        .collect();
    results.sort_unstable();
    let certificates = files.iter().filter(|(path, _)| path.starts_with("certificates/") && path.ends_with(".json"));
    for (path, bytes) in certificates {
        let Ok(certificate) = read::<Certificate>(bytes, trust) else { continue };
        let Some(cited) = certificate.statement.predicate.challenges else { continue };
        let before: Vec<Digest> =
            results.iter().filter(|(index, _)| *index < certificate.index).map(|(_, digest)| *digest).collect();
        let same =
            cited.count == before.len() as u64 && results_digest(&before).is_ok_and(|found| found == cited.results);
        checks.holds(
            &format!("{path}: challenges"),
            same,
            &format!("it cites the {} challenges that were opened before it", cited.count),
            "the challenges that it cites are not those in the bundle that were opened before it",
        );
    }
}

/// What makes a challenge blind: its entry in the log is before that of the erasure, and of every erasure of the case.
fn before(deposit: &OpenedBundle<BlindChallenge>, request: &str, erasures: &[Struck]) -> Result<String, String> {
    let of = &deposit.statement.predicate.request;
    if of != request {
        return Err(format!("it was deposited for {of}, and this is the case {request}"));
    }
    match erasures.iter().map(|erasure| erasure.index).min() {
        None => Err("there is no erasure in the bundle to compare it with".to_owned()),
        Some(erased) if deposit.index < erased => {
            Ok(format!("entry {} of the log, and the erasure is entry {erased}", deposit.index))
        }
        Some(erased) => {
            Err(format!("it is entry {} of the log, after the erasure, which is entry {erased}", deposit.index))
        }
    }
}

fn opened(
    result: &[u8],
    results: Option<&[u8]>,
    deposit: &OpenedBundle<BlindChallenge>,
    erasures: &[Struck],
    trust: &TrustedRoot,
) -> Result<String, String> {
    let result = read::<BlindChallengeResult>(result, trust)?;
    let cited = cites(&result, deposit)?;
    let said = &result.statement.predicate;
    if !erasures.iter().any(|erasure| erasure.digest == said.erasure && erasure.index < result.index) {
        return Err("the result cites an erasure that is not that of the case, or was logged before it".to_owned());
    }
    if results.map(Digest::sha256) != Some(said.results) {
        return Err("the results that the statement cites are not in the bundle".to_owned());
    }
    Ok(format!("{cited}; {} on {} probes", said.outcome, said.probes))
}
