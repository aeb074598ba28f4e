//! Hostile text in every field that holds text: it comes back as it went in, or it is refused and nothing has changed.
//!
//! Not here: which text a field should hold at all, which is for those who fill it.

use obelus_store::{
    Backend, Bytes32, Error, Micros, Names, Sha256, Write, audit,
    campaigns::{self, Campaign},
    certificates, copies,
    corpora::{self, Corpus},
    erasures::{self, NewErasure, TargetState},
    models::{self, Model},
    outbox::{self, LetterKind},
    persons,
    requests::{self, NewRequest},
    sources::{self, Source},
    statements, verifications,
};
use obelus_testkit::TestDatabase;

use crate::{
    case::{
        judged_run, judgement, new_certificate, new_copy, new_erasure, new_letter, new_run, recorded_erasure, register,
        source,
    },
    support::{
        LINEAGE, MODEL, NOW, TABLES, digest, house, new_corpus, new_model, on_each, person, request, select, statement,
        zeroing_request,
    },
};

/// Fields by which rows are found, or which an index holds: PostgreSQL's indices refuse values of many kilobytes.
const KEYS: &[&str] = &[
    "audit subject",
    "campaign lineage",
    "copy path",
    "corpus name",
    "model name",
    "person name",
    "person role",
    "request source",
    "source name",
    "target kind",
    "target path",
];
/// Fields that are only read.
const TEXTS: &[&str] = &[
    "audit action",
    "audit actor",
    "audit detail",
    "campaign segments",
    "certificate level",
    "certificate path",
    "corpus path",
    "erasure row proof",
    "letter body",
    "letter recipient",
    "letter subject",
    "model checkpoint",
    "model control",
    "model excluded",
    "model preset",
    "refusal code",
    "refusal reason",
    "request regime",
    "run source",
    "run verdict",
    "statement kind",
    "target evidence",
    "training checkpoint",
];

/// Text that has broken some program.
fn hostile() -> Vec<String> {
    // A hundred thousand characters that do not compress, and as many that do.
    let noise: String = (0..1563).map(|i| digest(&i.to_string()).to_string()).collect();
    let mut texts: Vec<String> = [
        "",
        " leading and trailing ",
        "'",
        "\"; --",
        "'); DROP TABLE requests; --",
        "' OR '1'='1",
        "$1 ? ?1 :name @p {} %s %_ \\",
        "E'\\x00' \\000 $$ $tag$",
        "{\"a\": [1, null]}",
        "NULL",
        "a\0b",
        "\0",
        "line\r\nline\u{2028}line\ttab\u{7f}\u{1b}[31m",
        "\u{202e}txt.exe\u{202c}\u{200b}\u{feff}",
        "e\u{301} é ß İ ﷽ 🪨🏳️‍🌈 \u{10ffff}",
    ]
    .map(str::to_owned)
    .into();
    texts.extend([noise, "x".repeat(100_000)]);
    texts
}

/// Writes the text into the field, and reads it again from the database.
async fn through(write: &Write, field: &str, text: &str) -> Result<String, Error> {
    let own = text.to_owned();
    Ok(match field {
        "audit action" | "audit actor" | "audit detail" | "audit subject" => {
            let of = |name| if field == name { text } else { "-" };
            let (actor, action) = (of("audit actor"), of("audit action"));
            audit::append(write, NOW, actor, action, of("audit subject"), of("audit detail")).await?;
            let event = audit::page(write, Some(of("audit subject")), 0, u64::MAX).await?.pop().unwrap();
            match field {
                "audit action" => event.action,
                "audit actor" => event.actor,
                "audit detail" => event.detail,
                _ => event.subject,
            }
        }
        "campaign lineage" | "campaign segments" => {
            let (lineage, segments) = if field == "campaign lineage" {
                (own, "[]".to_owned())
            } else {
                (format!("{:.8}", digest(text)), own)
            };
            let (salt, manifest_key, created_at) = (Bytes32([1; 32]), Bytes32([2; 32]), Micros(NOW));
            let statement = Sha256(statement(write, "campaign").await);
            let new = Campaign { lineage: lineage.clone(), salt, segments, manifest_key, statement, created_at };
            campaigns::create(write, new).await?;
            let found = campaigns::get(write, &lineage).await?.unwrap();
            if field == "campaign lineage" { found.lineage } else { found.segments }
        }
        "certificate level" | "certificate path" => {
            let request = zeroing_request(write).await;
            recorded_erasure(write, &request).await;
            let run = judged_run(write, Some(&request), "anna").await;
            let mut new = new_certificate(write, &run).await;
            if field == "certificate level" {
                new.level = own
            } else {
                new.path = own
            }
            let id = certificates::issue(write, new, NOW).await?.id;
            let found = certificates::get(write, &id).await?.unwrap();
            if field == "certificate level" { found.level } else { found.path }
        }
        "copy path" => {
            copies::register(write, &new_copy(text), NOW).await?;
            copies::of_model(write, MODEL).await?.pop().unwrap().path
        }
        "corpus name" => {
            corpora::create(write, new_corpus(text)).await?;
            corpora::get(write, text).await?.unwrap().name
        }
        "corpus path" => {
            let name = digest(text).to_string();
            corpora::create(write, Corpus { path: own, ..new_corpus(&name) }).await?;
            corpora::get(write, &name).await?.unwrap().path
        }
        "erasure row proof" => {
            let request = zeroing_request(write).await;
            erasures::begin(write, &NewErasure { targets: Vec::new(), ..new_erasure(&request) }, NOW).await?;
            erasures::finish(write, &request, &digest("after"), text, NOW).await?;
            erasures::get(write, &request).await?.unwrap().row_proof.unwrap()
        }
        "letter body" | "letter recipient" | "letter subject" => {
            let mut new = new_letter(LetterKind::Receipt, None);
            match field {
                "letter body" => new.body = own,
                "letter recipient" => new.recipient = own,
                _ => new.subject = own,
            }
            let id = outbox::enqueue(write, new, NOW).await?.id;
            let found = outbox::get(write, id).await?.unwrap();
            assert!(found.is_intact());
            match field {
                "letter body" => found.body,
                "letter recipient" => found.recipient,
                _ => found.subject,
            }
        }
        "model checkpoint" | "model control" | "model excluded" | "model preset" | "model name" => {
            let mut new = new_model(&digest(&format!("{field} {text}")).to_string());
            match field {
                "model checkpoint" => new.checkpoint = own,
                "model control" => new.control = Some(own),
                "model excluded" => new.excluded = Names(vec![own, "b".to_owned()]),
                "model preset" => new.preset = own,
                _ => new.name = own,
            }
            models::create(write, new.clone()).await?;
            let mut found: Model = models::get(write, &new.name).await?.unwrap();
            match field {
                "model checkpoint" => found.checkpoint,
                "model control" => found.control.unwrap(),
                "model excluded" => found.excluded.0.swap_remove(0),
                "model preset" => found.preset,
                _ => found.name,
            }
        }
        "person name" => persons::add(write, text, "reviewer", NOW).await?.name,
        "person role" => persons::add(write, &digest(text).to_string(), text, NOW).await?.roles.remove(0),
        "refusal code" | "refusal reason" => {
            let reference = request(write).await;
            let (code, reason) = if field == "refusal code" { (text, "-") } else { ("-", text) };
            requests::refuse(write, &reference, code, reason).await?;
            let found = requests::get(write, &reference).await?.unwrap();
            if field == "refusal code" { found.refusal_code.unwrap() } else { found.refusal_reason.unwrap() }
        }
        "request regime" | "request source" => {
            let filed_by = person(write, "nils").await;
            let (regime, sources) =
                if field == "request regime" { (own, Vec::new()) } else { (String::new(), vec![own]) };
            let new = NewRequest {
                regime,
                regime_file: None,
                calendar_file: None,
                model: MODEL.to_owned(),
                filed_by,
                sources,
            };
            let filed = requests::file(write, requests::reserve(write, NOW).await?, new, NOW).await?;
            if field == "request regime" {
                filed.regime
            } else {
                requests::sources(write, &filed.reference).await?.remove(0)
            }
        }
        "run source" => {
            let run = new_run(write, None, text).await;
            let id = verifications::begin(write, run, NOW).await?.id;
            verifications::get(write, &id).await?.unwrap().source_id
        }
        "run verdict" => {
            let run = new_run(write, None, "anna").await;
            let id = verifications::begin(write, run, NOW).await?.id;
            verifications::record_before(write, &id, Vec::new()).await?;
            let found = verifications::Judgement { verdict: own, ..judgement(write, "-").await };
            verifications::judge(write, &id, found, NOW).await?;
            verifications::get(write, &id).await?.unwrap().verdict.unwrap()
        }
        "source name" => {
            let record_key = Bytes32(*digest(text).as_bytes());
            register(write, LINEAGE, [Source { record_key, ..source(text, 0) }]).await?;
            sources::suppress(write, LINEAGE, text, NOW).await?;
            sources::get(write, LINEAGE, text).await?.unwrap().source_id
        }
        "statement kind" => {
            let digest = statements::put(write, text, format!("statement {text}").into_bytes(), NOW).await?;
            statements::get(write, &digest).await?.unwrap().kind
        }
        "target kind" | "target path" | "target evidence" => {
            let request = zeroing_request(write).await;
            let target = match field {
                "target kind" => (own, "-".to_owned()),
                "target path" => ("-".to_owned(), own),
                _ => ("-".to_owned(), "-".to_owned()),
            };
            erasures::begin(write, &NewErasure { targets: vec![target], ..new_erasure(&request) }, NOW).await?;
            let id = erasures::targets(write, &request).await?.remove(0).id;
            erasures::record_target(write, id, TargetState::Failed, text, NOW).await?;
            let found = erasures::targets(write, &request).await?.remove(0);
            match field {
                "target kind" => found.kind,
                "target path" => found.path,
                _ => found.evidence.unwrap(),
            }
        }
        "training checkpoint" => {
            let name = digest(&format!("trained {text}")).to_string();
            models::create(write, new_model(&name)).await?;
            let made = models::Trained { checkpoint: own, ..crate::support::trained(write, &name).await };
            models::finish_training(write, &name, &made).await?;
            models::get(write, &name).await?.unwrap().checkpoint
        }
        _ => panic!("no field is called {field}"),
    })
}

/// How many rows each table has.
async fn rows(database: &TestDatabase) -> Vec<String> {
    let counts: Vec<_> =
        TABLES.iter().map(|table| format!("SELECT '{table} ' || CAST(count(*) AS TEXT) FROM {table}")).collect();
    select(database, &counts.join(" UNION ALL ")).await
}

async fn check(database: &TestDatabase, field: &str, text: &str) {
    let shown = format!("{field}: {:.60?} of {} bytes", text, text.len());
    // PostgreSQL keeps no zero bytes in text, and no long text in an index.
    let may_refuse = database.backend() == Backend::Postgres
        && (text.contains('\0') || (text.len() > 2000 && KEYS.contains(&field)));
    let before = if may_refuse { rows(database).await } else { Vec::new() };
    let write = database.db.write().await.unwrap();
    match through(&write, field, text).await {
        Ok(found) => {
            assert!(found == text, "{shown} came back as {found:.60?} of {} bytes", found.len());
            write.commit().await.unwrap();
        }
        Err(error) => {
            drop(write);
            assert!(may_refuse, "{shown} was refused: {error}");
            assert_eq!(rows(database).await, before, "{shown} was refused and left something");
        }
    }
}

#[tokio::test]
async fn hostile_text_comes_back_as_it_went_in_or_is_refused_and_leaves_nothing() {
    let texts = hostile();
    on_each(async |database| {
        house(&database.db).await;
        for field in KEYS.iter().chain(TEXTS) {
            for text in &texts {
                check(database, field, text).await;
            }
        }
    })
    .await;
}
