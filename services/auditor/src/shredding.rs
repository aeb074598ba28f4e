//! Destroying the stored text of struck sources, last of all: their keys in every corpus that holds text of theirs for the
//! model's lineage. Not here: what a key encrypts and how it is overwritten (`obelus-corpus`).
//!
//! It is a step of its own, which somebody takes after the verdict, and no part of the takedown: verifying the case again
//! asks the same questions of the same text, and afterwards nobody can (`living/reverification.rs` says so). Every corpus is
//! a target with its own row; killed anywhere and begun again it ends the same. Begun again after a key came back from a
//! backup, it is destroyed again.
//!
//! What stays: ids, sizes and digests of the source, its statements, what was measured of it (salted digests and numbers),
//! the tokenizer, and whatever others took down in other words, such as the letters of the case.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_corpus::{Library, LibraryError};
use obelus_policy::Action;
use obelus_store::{
    audit, certificates, erasures,
    erasures::{Target, TargetState},
    incidents, models,
    requests::{self, Request, RequestState},
    sources,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use obelus_casework::{
    Deps, case,
    fault::point,
    step::{Act, take},
};

/// The kind of these targets.
pub const TEXT: &str = "text";
/// Before the name of a corpus.
const CORPORA: &str = "corpora/";

/// The text that was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shredded {
    /// The request.
    pub reference: String,
    /// What is left in each corpus.
    pub corpora: Vec<ShreddedCorpus>,
}

/// What is left in one corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShreddedCorpus {
    /// The corpus.
    pub corpus: String,
    /// When its keys were destroyed.
    pub destroyed_at: Timestamp,
    /// Each source.
    pub sources: Vec<Remains>,
}

/// The ciphertext of one source, which nobody opens any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// The source.
    pub source: String,
    /// Documents, probes and documents in tokens.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 over them.
    pub ciphertext: Digest,
}

/// What is kept with a target.
#[derive(Debug, Serialize, Deserialize)]
struct Evidence {
    outcome: String,
    at: Timestamp,
    sources: Vec<Remains>,
}

const OUTCOME: &str = "keys_destroyed";

/// Destroys the stored text of a request's sources, or goes on with it. Where verification failed only if `although_failed`:
/// it can never be made up for afterwards.
///
/// # Errors
/// Before the verdict, while a hold stands, while the text is needed for another case, or where it is in plain files; then
/// nothing is changed. When the system refuses; run it again when the reason is gone.
pub async fn shred(deps: &Deps, by: &str, reference: &str, although_failed: bool) -> Result<Shredded> {
    let request = case::existing(deps, reference).await?;
    let failed = request.state == RequestState::VerificationFailed;
    ensure!(
        failed || matches!(request.state, RequestState::Certified | RequestState::CertifiedWithResidual),
        "request {reference} is {}; stored text is destroyed last of all, once the takedown has its certificate",
        request.state
    );
    ensure!(
        !failed || although_failed,
        "the verification of {reference} failed, and without the text it can never be done again; if that is meant, add \
         --although-failed"
    );
    let person = case::permitted(deps, by, Action::Execute, Some(reference)).await?;
    let texts = texts(deps, reference, &request.model).await?;
    possible(deps, reference, &request.model, &texts).await?;
    if targets(deps, reference).await?.is_empty() {
        let detail = json!({ "texts": texts });
        let act = Act::new("shred", &person.name, request.state, request.state).carrying(&detail);
        let paths: Vec<String> = texts.keys().map(|corpus| format!("{CORPORA}{corpus}")).collect();
        take(deps, reference, &[act], vec![], async |write, _| {
            not_held(&requests::get(write, reference).await?.context("a case has a request")?)?;
            Ok(erasures::add_targets(write, reference, TEXT, &paths, deps.now()).await?)
        })
        .await?;
    }
    point("shred-begun");
    let mut corpora = Vec::new();
    for target in targets(deps, reference).await? {
        // It may have come in between.
        not_held(&case::existing(deps, reference).await?)?;
        let corpus = target.path.strip_prefix(CORPORA).context("the text of a source is in a corpus")?.to_owned();
        let sources = texts.get(&corpus).context("a target is of this request")?;
        let evidence = destroy(deps, &person.name, reference, &target, &corpus, sources).await?;
        corpora.push(ShreddedCorpus { corpus, destroyed_at: evidence.at, sources: evidence.sources });
    }
    Ok(Shredded { reference: reference.to_owned(), corpora })
}

fn not_held(request: &Request) -> Result<()> {
    let reference = &request.reference;
    ensure!(
        request.held_at.is_none(),
        "request {reference} is frozen by a hold: nothing is destroyed until two persons release it"
    );
    Ok(())
}

async fn targets(deps: &Deps, reference: &str) -> Result<Vec<Target>> {
    let mut targets = erasures::targets(&deps.db, reference).await?;
    targets.retain(|target| target.kind == TEXT);
    Ok(targets)
}

/// The request's sources by the corpus that has their text.
async fn texts(deps: &Deps, reference: &str, model: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let row = models::get(&deps.db, model).await?.context("a request names a model")?;
    let mut texts = BTreeMap::<String, Vec<String>>::new();
    for id in requests::sources(&deps.db, reference).await? {
        let source = sources::get(&deps.db, &row.lineage, &id).await?;
        let source = source.with_context(|| format!("source {id} is not registered"))?;
        texts.entry(source.corpus.unwrap_or_else(|| row.corpus.clone())).or_default().push(id);
    }
    Ok(texts)
}

/// Refuses what would leave somebody else without the text that they need, and what cannot be destroyed.
async fn possible(deps: &Deps, reference: &str, model: &str, texts: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let certificate = certificates::newest(&deps.db, reference).await?.context("a certified case has a certificate")?;
    if let Some(open) = incidents::open_of(&deps.db, &certificate.id).await? {
        bail!("{} is open, and whoever looks into it may need the text; first close it", open.id);
    }
    for other in case::of_model(deps, model).await? {
        ensure!(
            !matches!(other.state, RequestState::Zeroing | RequestState::Verifying),
            "the takedown {0} of the same model is {1} and is measured on the same corpus; first finish it (obelus takedown \
             execute {0} and obelus audit run {0})",
            other.reference,
            other.state
        );
    }
    let own = models::get(&deps.db, model).await?.context("a request names a model")?;
    let all = models::list(&deps.db).await?;
    let library = Library::new(deps.data.corpora());
    for (corpus, ids) in texts {
        let opened = library.open(corpus)?;
        if !opened.is_encrypted() {
            return Err(LibraryError::Plain(corpus.clone()).into());
        }
        for id in ids {
            ensure!(
                opened.source(id).is_some(),
                "the corpus {corpus} has no source {id}; it is not the one that was read"
            );
            for other in all.iter().filter(|other| other.lineage != own.lineage && other.control.is_none()) {
                let Some(source) = sources::get(&deps.db, &other.lineage, id).await? else { continue };
                let reads = source.corpus.as_deref().unwrap_or(&other.corpus) == corpus;
                let stands = source.revoked_at.is_none() && !other.excluded.0.contains(id);
                ensure!(
                    !(reads && stands),
                    "the model {} holds source {id} from the same corpus, and a takedown of it there is measured on its text; \
                     first strike it there too",
                    other.name
                );
            }
        }
    }
    Ok(())
}

/// Destroys the keys of sources in one corpus, and records what is left. A target that is done is looked at again.
async fn destroy(
    deps: &Deps,
    person: &str,
    reference: &str,
    target: &Target,
    corpus: &str,
    sources: &[String],
) -> Result<Evidence> {
    let library = Library::new(deps.data.corpora());
    let (mut remains, mut now) = (Vec::new(), false);
    for source in sources {
        let left = match library.destroy_text(corpus, source) {
            Ok(left) => left,
            Err(error) => {
                let why = serde_json::to_string(&error.to_string())?;
                let write = deps.db.write().await?;
                erasures::record_target(&write, target.id, TargetState::Failed, &why, deps.now()).await?;
                write.commit().await?;
                return Err(error)
                    .with_context(|| format!("cannot destroy the key of {source}; run the command again"));
            }
        };
        point("text-key-destroyed");
        now |= left.now;
        let (records, bytes, ciphertext) = (left.records, left.bytes, left.ciphertext);
        remains.push(Remains { source: source.clone(), records, bytes, ciphertext });
    }
    let at = deps.now();
    let evidence = Evidence { outcome: OUTCOME.to_owned(), at, sources: remains };
    let text = serde_json::to_string(&evidence)?;
    let write = deps.db.write().await?;
    let first = erasures::record_target(&write, target.id, TargetState::Done, &text, at).await?;
    if first || now {
        let detail = json!({ "text": target.path, "evidence": evidence }).to_string();
        audit::append(&write, at, person, "text_destroyed", reference, &detail).await?;
    }
    write.commit().await?;
    point("text-target-done");
    tracing::info!("{}: the keys of {} sources are destroyed", target.path, sources.len());
    if first || now {
        return Ok(evidence);
    }
    let kept = target.evidence.as_deref().context("a target that is done has evidence")?;
    serde_json::from_str(kept).with_context(|| format!("the evidence of {} is damaged", target.path))
}
