//! Samples of cases: committing to a seed, revealing it, and what anybody needs who wants to draw the same again. Not here: how
//! cases are drawn (`obelus_casework::sampling`).

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use askama::Template;
use obelus_casework::sampling::{self, Population, Wanted};
use obelus_core::Digest;
use obelus_store::{
    access_grants, persons,
    samples::{self, Sample},
};

use super::grants::day;
use crate::{
    dispatch::{Call, see_other},
    form::FieldErrors,
    page::{self, Layout},
    permission::{READ_AUDIT, READ_CASE},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "samples.html")]
struct SamplesPage {
    layout: Layout,
    errors: FieldErrors,
    samples: Vec<Line>,
    size: Shown,
    closed: bool,
    from: Shown,
    until: Shown,
    seed_digest: Shown,
}

struct Line {
    id: Shown,
    by: Shown,
    at: String,
    size: i64,
    is_drawn: bool,
}

#[derive(Template)]
#[template(path = "sample.html")]
struct SamplePage {
    layout: Layout,
    errors: FieldErrors,
    id: Shown,
    by: Shown,
    committed: String,
    revealed: Option<String>,
    seed_digest: String,
    population_digest: String,
    cases: usize,
    size: u32,
    closed: bool,
    from: Option<String>,
    until: Option<String>,
    seed: Option<Shown>,
    /// Until when what was drawn can be read, for whom a grant shows it.
    readable_until: Option<String>,
    drawn: Vec<Drawn>,
    /// The program that draws it again.
    draw: &'static str,
    is_own: bool,
}

struct Drawn {
    reference: Shown,
    state: String,
    may_read: bool,
}

/// `GET /audit/sample`.
pub(crate) async fn list(call: Call) -> Answer {
    let page = list_page(&call, FieldErrors::default()).await?;
    call.show(&page)
}

async fn list_page(call: &Call, errors: FieldErrors) -> Result<SamplesPage, Problem> {
    let (db, mut lines) = (&call.portal.deps.work.db, Vec::new());
    // Auditors see everybody's: one that was never revealed says something too.
    for sample in samples::all(db, owner(call)?).await?.into_iter().rev() {
        let by = persons::get(db, sample.person).await?.map(|person| person.name).unwrap_or_default();
        lines.push(Line {
            id: Shown::new(&sample.id),
            by: Shown::new(&by),
            at: page::time(sample.committed_at.0),
            size: sample.size,
            is_drawn: sample.seed.is_some(),
        });
    }
    let field = |name| Shown::new(&call.fields.get(name).chars().take(100).collect::<String>());
    Ok(SamplesPage {
        layout: call.form_layout("Samples")?,
        errors,
        samples: lines,
        size: field("size"),
        closed: call.fields.get("closed") == "yes",
        from: field("from"),
        until: field("until"),
        seed_digest: field("seed_digest"),
    })
}

/// Whose samples somebody sees: all, or their own.
fn owner(call: &Call) -> Result<Option<i64>, Problem> {
    let person = call.person()?;
    let whole = call.portal.permissions.permit(person, READ_AUDIT, call.now()).is_ok();
    Ok((!whole).then_some(person.id))
}

/// `POST /audit/sample`.
pub(crate) async fn commit(call: Call) -> Answer {
    let mut errors = FieldErrors::default();
    let digest = call.fields.get("seed_digest").trim().parse::<Digest>();
    let digest = digest.map_err(|_| "Enter the SHA-256 of your seed: 64 hexadecimal digits, in lower case");
    let seed_digest = errors.take("seed_digest", digest);
    let size = call.fields.get("size").trim().parse::<u32>().map_err(|_| "Write how many cases are drawn, such as 5");
    let size = errors.take("size", size);
    let mut moment = |name: &'static str, later| match call.fields.get(name).trim() {
        "" => None,
        text => errors.take(name, day(text, later)),
    };
    let (from, until) = (moment("from", 0), moment("until", 1));
    if let (true, Some(seed_digest), Some(size)) = (errors.is_empty(), seed_digest, size) {
        let wanted = Wanted { seed_digest, size, closed: call.fields.get("closed") == "yes", from, until };
        match sampling::commit(&call.portal.deps.work, &call.person()?.name, &wanted).await {
            Ok(sample) => return Ok(see_other(&format!("/audit/sample/{}", sample.id))),
            Err(error) if error.is::<String>() || error.is::<&str>() => errors.add("size", error.to_string()),
            Err(error) => match error.downcast_ref() {
                Some(obelus_store::Error::Exists { .. }) => {
                    errors.add("seed_digest", "This seed was used before. Choose another");
                }
                _ => return Err(Problem::of_case(error)),
            },
        }
    }
    let page = list_page(&call, errors).await?;
    call.show_again(&page)
}

/// The sample whose name is in the path, if it is one that the reader may see.
async fn sample(call: &Call) -> Result<Sample, Problem> {
    let missing = || Problem::not_found("There is no such sample of yours. Choose one on the page Samples.");
    let id = Some(call.part("id")).filter(|id| crate::dispatch::is_reference(id)).ok_or_else(missing)?;
    let (sample, owner) = (samples::get(&call.portal.deps.work.db, id).await?, owner(call)?);
    sample.filter(|sample| owner.is_none_or(|own| own == sample.person)).ok_or_else(missing)
}

/// `GET /audit/sample/{id}`.
pub(crate) async fn show(call: Call) -> Answer {
    let sample = sample(&call).await?;
    let page = sample_page(&call, sample, FieldErrors::default()).await?;
    call.show(&page)
}

async fn sample_page(call: &Call, sample: Sample, errors: FieldErrors) -> Result<SamplePage, Problem> {
    let (db, person, now) = (&call.portal.deps.work.db, call.person()?, call.now());
    call.note_reading("read_sample", &sample.id, &serde_json::json!({})).await?;
    let population = Population::of(&sample)?;
    let state = |reference: &str| population.cases.iter().find(|case| case.reference == reference);
    let drawn = sampling::drawn(&sample)?.unwrap_or_default();
    let drawn = drawn.iter().map(|reference| Drawn {
        reference: Shown::new(reference),
        state: state(reference).map(|case| page::words(&case.state)).unwrap_or_default(),
        may_read: call.portal.permissions.permit_in(person, READ_CASE, reference, now).is_ok(),
    });
    let grant = match sample.access_grant {
        Some(grant) => access_grants::get(db, grant).await?,
        None => None,
    };
    Ok(SamplePage {
        layout: call.form_layout(&format!("Sample {}", sample.id))?.under(&[("/audit/sample", "Samples")]),
        errors,
        id: Shown::new(&sample.id),
        by: Shown::new(&persons::get(db, sample.person).await?.map(|person| person.name).unwrap_or_default()),
        committed: page::time(sample.committed_at.0),
        revealed: sample.revealed_at.map(|at| page::time(at.0)),
        seed_digest: sample.seed_digest.to_string(),
        population_digest: sample.population_digest.to_string(),
        cases: population.cases.len(),
        size: population.size,
        closed: population.closed,
        from: population.from.map(page::time),
        until: population.until.map(page::time),
        seed: sample.seed.as_deref().map(Shown::new),
        readable_until: grant.map(|grant| page::time(grant.ends_at.0)),
        drawn: drawn.collect(),
        draw: sampling::DRAW.trim_end(),
        is_own: sample.person == person.id,
    })
}

/// `POST /audit/sample/{id}/reveal`.
pub(crate) async fn reveal(call: Call) -> Answer {
    let sample = sample(&call).await?;
    let seed = call.text("seed")?;
    match sampling::reveal(&call.portal.deps.work, &call.person()?.name, &sample.id, &seed).await {
        Ok(sample) => Ok(see_other(&format!("/audit/sample/{}", sample.id))),
        Err(error) if error.is::<String>() || error.is::<&str>() => {
            let mut errors = FieldErrors::default();
            errors.add("seed", error.to_string());
            let page = sample_page(&call, sample, errors).await?;
            call.show_again(&page)
        }
        Err(error) => Err(Problem::of_case(error)),
    }
}

/// `GET /audit/sample/{id}/files/{name}`.
pub(crate) async fn download(call: Call) -> Answer {
    let sample = sample(&call).await?;
    let missing =
        || Problem::not_found("The sample has no such file, or not yet. Its page lists those that there are.");
    let name = call.part("name");
    let bytes = match name {
        "population.json" => {
            // What is damaged is not handed out as what was committed to.
            Population::of(&sample)?;
            sample.population
        }
        "sample.json" => sampling::document(&sample)?.ok_or_else(missing)?,
        _ => return Err(missing()),
    };
    call.note_reading("read_sample", &sample.id, &serde_json::json!({ "file": name })).await?;
    Ok(saved("application/json", &format!("{}.{name}", sample.id), bytes))
}

/// Bytes that browsers save under a name, which is made of letters, digits, `.` and `-`.
pub(crate) fn saved(kind: &'static str, name: &str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes)
}
