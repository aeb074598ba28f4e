//! A case from its request to its certificate, one function per station, for tests that begin in the middle.
//!
//! Not here: assertions about behaviour, and the rows that have nothing to do with one case (`support.rs`).

use obelus_store::{
    Bytes32, Db, Micros, Sha256, Write, accounts,
    adaptations::{self, AdaptationKind, NewAdaptation},
    api_tokens::{self, NewToken},
    audit,
    baselines::{self, BaselineKind, NewBaseline},
    blind_challenges::{self, NewChallenge, NewResult},
    case_events, case_extensions,
    case_notices::{self, NewNotice, NoticeKind},
    case_questions::{self, QuestionKind},
    certificates::{self, Certificate, NewCertificate},
    copies::{self, CopyKind, NewCopy},
    erasures::{self, NewErasure, TargetState},
    filings, hosts,
    incidents::{self, IncidentKind, NewIncident},
    jobs::{self, JobKind, NewJob},
    log::{self, Head, NewLeaf},
    manifests::{self, Manifest},
    one_time_links::{self, NewLink, Purpose},
    outbox::{self, LetterKind, NewLetter},
    pool_extensions::{self, PoolExtension},
    registrations, request_drafts,
    schedules::{self, NewSchedule, Scope},
    sessions::{self, Holder, NewSession},
    sources::Source,
    status_lists::{self, NewStatusList},
    verifications::{self, Judgement, NewRun},
};

use crate::cases::step_of;
use crate::hosts::{acknowledged, new_host};
use crate::support::{
    LATER, LINEAGE, MODEL, NOW, approved_request, begin_zeroing, digest, house, kept, person, statement,
};

/// A source of [`LINEAGE`] whose place in the manifest is `place`.
pub fn source(source_id: &str, place: u32) -> Source {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&place.to_be_bytes());
    Source {
        lineage: LINEAGE.to_owned(),
        source_id: source_id.to_owned(),
        record: format!("record of {source_id}").into_bytes(),
        record_key: Bytes32(key),
        seed: Bytes32(*digest(source_id).as_bytes()),
        suppressed_at: None,
        revoked_at: None,
        manifest: 1,
        segment: 0,
        since: 1,
        corpus: None,
    }
}

/// A manifest of [`LINEAGE`], whose statement is stored.
pub async fn manifest(write: &Write, generation: i64) -> Manifest {
    Manifest {
        lineage: LINEAGE.to_owned(),
        generation,
        root: Sha256(digest(&format!("manifest {generation}"))),
        sources: 1,
        statement: Sha256(statement(write, &format!("manifest {generation}")).await),
        created_at: Micros(NOW),
    }
}

/// Registers sources of a lineage, with a manifest that lists them.
pub async fn register(
    write: &Write,
    lineage: &str,
    rows: impl IntoIterator<Item = Source>,
) -> obelus_store::Result<()> {
    let (registration, _) = registrations::begin(write, lineage, "token".to_owned(), NOW).await?;
    let generation = registration.generation;
    let rows: Vec<_> =
        rows.into_iter().map(|row| Source { lineage: lineage.to_owned(), manifest: generation, ..row }).collect();
    let count = rows.len() as u64;
    registrations::stage(write, &registration, rows).await?;
    registrations::finish(write, &registration, count).await?;
    manifests::create(write, Manifest { lineage: lineage.to_owned(), ..manifest(write, generation).await }).await
}

/// An extension of [`LINEAGE`]'s pool that is not added yet; its statement is stored.
pub async fn extension(write: &Write, first_segment: i64) -> PoolExtension {
    PoolExtension {
        lineage: LINEAGE.to_owned(),
        first_segment,
        base: 64 * first_segment,
        n: 8,
        k: 8,
        count: 2,
        reason: "added-sources".to_owned(),
        statement: Sha256(statement(write, &format!("extension {first_segment}")).await),
        created_at: Micros(NOW),
    }
}

/// An adaptation of [`MODEL`] that is not begun yet.
pub fn new_adaptation() -> NewAdaptation {
    NewAdaptation {
        model: MODEL.to_owned(),
        kind: AdaptationKind::AddedSources,
        sources: vec!["berta".to_owned()],
        checkpoint: "model.g2.safetensors".to_owned(),
        moments: "optimizer.g2.safetensors".to_owned(),
    }
}

/// A copy of [`MODEL`] that is not registered yet.
pub fn new_copy(path: &str) -> NewCopy {
    let root = Some(digest(path));
    NewCopy {
        model: MODEL.to_owned(),
        kind: CopyKind::Checkpoint,
        path: path.to_owned(),
        generation: 1,
        root,
        source_id: None,
    }
}

/// An erasure of two targets that is not begun yet.
pub fn new_erasure(request: &str) -> NewErasure {
    let targets = ["models/kea-1/1", "models/kea-1/optimizer"];
    NewErasure {
        request: request.to_owned(),
        model: MODEL.to_owned(),
        root_before: digest("before"),
        targets: targets.iter().map(|path| ("checkpoint".to_owned(), (*path).to_owned())).collect(),
    }
}

/// Begins an erasure and records all of its targets as done.
pub async fn done_erasure(write: &Write, request: &str) {
    erasures::begin(write, &new_erasure(request), NOW).await.unwrap();
    for target in erasures::targets(write, request).await.unwrap() {
        assert!(erasures::record_target(write, target.id, TargetState::Done, "{}", NOW).await.unwrap());
    }
}

/// An erasure that has ended, and whose statement is recorded.
pub async fn recorded_erasure(write: &Write, request: &str) {
    done_erasure(write, request).await;
    erasures::finish(write, request, &digest("after"), "proofs/1", NOW).await.unwrap();
    let statement = statement(write, &format!("erasure {request}")).await;
    erasures::record_statement(write, request, &statement).await.unwrap();
}

/// A run that is not begun yet; its protocol's statement is stored.
pub async fn new_run(write: &Write, request: Option<&str>, source_id: &str) -> NewRun {
    NewRun {
        request: request.map(str::to_owned),
        model: MODEL.to_owned(),
        source_id: source_id.to_owned(),
        protocol: b"protocol".to_vec(),
        protocol_statement: statement(write, "protocol").await,
    }
}

/// What a run has found; its statement is stored.
pub async fn judgement(write: &Write, verdict: &str) -> Judgement {
    let statement = statement(write, &format!("run {verdict}")).await;
    Judgement { results: b"results".to_vec(), verdict: verdict.to_owned(), statement, circumstances: "{}".to_owned() }
}

/// A run with a verdict; gives its name.
pub async fn judged_run(write: &Write, request: Option<&str>, source_id: &str) -> String {
    let run = new_run(write, request, source_id).await;
    let run = verifications::begin(write, run, NOW).await.unwrap();
    verifications::record_before(write, &run.id, b"scores".to_vec()).await.unwrap();
    let judgement = judgement(write, "verified").await;
    verifications::judge(write, &run.id, judgement, NOW).await.unwrap();
    run.id
}

/// A certificate that cites `run` and is not issued yet; its statement is stored.
pub async fn new_certificate(write: &Write, run: &str) -> NewCertificate {
    let id = certificates::reserve(write, NOW).await.unwrap();
    NewCertificate {
        path: format!("certificates/{id}.json"),
        statement: statement(write, &format!("certificate {id}")).await,
        id,
        verification_run: run.to_owned(),
        level: "L3".to_owned(),
        valid_until: LATER,
        follows: None,
    }
}

/// A judged run of the request and its certificate.
pub async fn certificate(write: &Write, request: &str, source_id: &str) -> Certificate {
    let run = judged_run(write, Some(request), source_id).await;
    let certificate = new_certificate(write, &run).await;
    certificates::issue(write, certificate, NOW).await.unwrap()
}

/// A schedule that is not made yet.
pub fn new_schedule(request: &str) -> NewSchedule {
    NewSchedule {
        scope: Scope::Case,
        subject: request.to_owned(),
        cron: "0 0 3 * * *".to_owned(),
        protocol: "standard".to_owned(),
        created_by: "mara".to_owned(),
    }
}

/// A job of a change that is not put anywhere yet.
pub fn new_job(subject: &str) -> NewJob {
    NewJob {
        kind: JobKind::ReverifyCase,
        subject: subject.to_owned(),
        reason: "repaired".to_owned(),
        schedule: None,
        due_at: NOW,
        order: None,
    }
}

/// A letter that is not put anywhere yet.
pub fn new_letter(kind: LetterKind, request: Option<&str>) -> NewLetter {
    NewLetter {
        kind,
        request: request.map(str::to_owned),
        recipient: "anna@example.org".to_owned(),
        language: "en".to_owned(),
        subject: "Your request was received".to_owned(),
        body: "It was received.\n".to_owned(),
        not_before: NOW,
    }
}

/// A retrain of [`MODEL`] that nobody has asked for yet.
pub fn new_baseline(name: &str) -> NewBaseline {
    NewBaseline {
        name: name.to_owned(),
        model: MODEL.to_owned(),
        kind: BaselineKind::Matched,
        excluded: vec!["anna".to_owned(), "b, \"c\"".to_owned()],
        seed: 2,
        panel_seed: None,
        steps: Some(9),
        device: "cpu".to_owned(),
        threads: 1,
        cost: "{}".to_owned(),
        steps_all: 9,
        requested_by: "mara".to_owned(),
    }
}

/// An incident of a certificate that is not opened yet.
pub fn new_incident(certificate: &Certificate) -> NewIncident {
    NewIncident {
        certificate: certificate.id.clone(),
        request: certificate.request.clone(),
        kind: IncidentKind::Verdict,
        run: Some((certificate.verification_run.clone(), "not_verified".to_owned())),
        detail: "{}".to_owned(),
    }
}

/// A status list that is not kept yet; its statement is stored.
pub async fn new_status_list(write: &Write, sequence: i64) -> NewStatusList {
    let statement = statement(write, &format!("status list {sequence}")).await;
    NewStatusList { sequence, list: format!("list {sequence}").into_bytes(), statement, next_update: LATER }
}

/// A challenge that is not deposited yet; its statement is stored.
pub async fn new_challenge(write: &Write, request: &str, sealed: &[u8]) -> NewChallenge {
    let id = blind_challenges::reserve(write, NOW).await.unwrap();
    NewChallenge {
        deposit: statement(write, &format!("challenge {id}")).await,
        id,
        request: request.to_owned(),
        sealed: sealed.to_vec(),
        commitment: digest("probes"),
        by: "nils".to_owned(),
    }
}

/// What came of a challenge that is not kept yet; its statement is stored.
pub async fn new_result(write: &Write, id: &str) -> NewResult {
    let result = statement(write, &format!("result of {id}")).await;
    NewResult { results: b"results".to_vec(), outcome: "pass".to_owned(), result, by: "nils".to_owned() }
}

/// A session that is not begun yet, and ends with [`LATER`].
pub fn new_session(token: &str, holder: Holder) -> NewSession {
    NewSession { token_hash: digest(token), holder, expires_at: LATER, user_agent: "a browser".to_owned() }
}

/// A link that is not made yet, and works until [`LATER`].
pub fn new_link(token: &str, purpose: Purpose, subject: &str) -> NewLink {
    NewLink { token_hash: digest(token), purpose, subject: subject.to_owned(), expires_at: LATER }
}

/// A token that is not issued yet, and works until [`LATER`].
pub fn new_token(token: &str, person: i64) -> NewToken {
    NewToken {
        person,
        name: "nightly".to_owned(),
        token_hash: digest(token),
        scopes: vec!["read_cases".to_owned()],
        expires_at: LATER,
    }
}

/// At least one row in every table. Gives the request's reference.
pub async fn certified_house(db: &Db) -> String {
    house(db).await;
    kept(db, async |write| {
        register(write, LINEAGE, [source("anna", 1)]).await.unwrap();
        registrations::begin(write, LINEAGE, "under way".to_owned(), NOW).await.unwrap();
        copies::register(write, &new_copy("models/kea-1/1"), NOW).await.unwrap();
        let extension = extension(write, 1).await;
        pool_extensions::create(write, extension).await.unwrap();
        let adaptation = adaptations::begin(write, new_adaptation(), NOW).await.unwrap();
        let signed = statement(write, "adaptation").await;
        adaptations::record_statement(write, adaptation.id, &signed).await.unwrap();
        let reference = approved_request(write).await;
        let challenge = new_challenge(write, &reference, b"sealed").await;
        let challenge = blind_challenges::deposit(write, challenge, NOW).await.unwrap();
        begin_zeroing(write, &reference).await;
        filings::put(write, &reference, b"{}".to_vec()).await.unwrap();
        case_questions::ask(write, &reference, QuestionKind::Scope, "which?", NOW).await.unwrap();
        let notice = NewNotice { kind: NoticeKind::Complaint, sender: String::new(), words: "slow".to_owned() };
        case_notices::record(write, &reference, notice, NOW).await.unwrap();
        case_extensions::add(write, &reference, "many requests", NOW).await.unwrap();
        hosts::register(write, new_host("host-1"), NOW).await.unwrap();
        hosts::acknowledge(write, acknowledged("host-1", &reference)).await.unwrap();
        let step = statement(write, "step").await;
        case_events::append(write, step_of(&reference, 1, step), NOW).await.unwrap();
        recorded_erasure(write, &reference).await;
        let certificate = certificate(write, &reference, "anna").await;
        let result = new_result(write, &challenge.id).await;
        blind_challenges::open(write, &challenge.id, result, LATER).await.unwrap();
        schedules::add(write, new_schedule(&reference), NOW).await.unwrap();
        jobs::enqueue(write, new_job(&reference), NOW).await.unwrap();
        baselines::add(write, new_baseline("kea-1-s2"), NOW).await.unwrap();
        outbox::enqueue(write, new_letter(LetterKind::Receipt, Some(&reference)), NOW).await.unwrap();
        crate::oversight::granted_and_sampled(write, &reference).await;
        incidents::open(write, new_incident(&certificate), NOW).await.unwrap();
        let list = new_status_list(write, 1).await;
        status_lists::append(write, list, NOW).await.unwrap();
        let leaf = NewLeaf { body: b"a".to_vec(), leaf_hash: digest("a"), statement: statement(write, "a").await };
        let old = log::head(write).await.unwrap();
        log::append(write, &[leaf], &old, &Head { size: 1, root: digest("a"), note: b"note".to_vec() }).await.unwrap();
        let mara = person(write, "mara").await;
        accounts::create(write, mara, "a hash", NOW).await.unwrap();
        sessions::begin(write, new_session("session", Holder::Person(mara)), NOW).await.unwrap();
        one_time_links::make(write, new_link("link", Purpose::Invite, "ilse"), NOW).await.unwrap();
        request_drafts::begin(write, &digest("draft"), b"sealed".to_vec(), NOW, LATER).await.unwrap();
        api_tokens::issue(write, new_token("token", mara), NOW).await.unwrap();
        audit::append(write, NOW, "mara", "certify", &reference, "{}").await.unwrap();
        reference
    })
    .await
}
