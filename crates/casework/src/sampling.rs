//! Samples of cases that nobody can steer. Whoever draws commits to a seed by its SHA-256; in the same transaction what is
//! drawn from is fixed, byte by byte; then the seed is revealed, and from then on anybody can draw the same
//! (docs/sampling.md).
//!
//! Neither side can choose: the seed was fixed before its owner saw the population, and the population before the operator
//! saw the seed. Not here: who may (`obelus-policy`).

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::canonical;
use obelus_policy::{Action, Actor, Rules};
use obelus_store::{
    Read, Write,
    access_grants::{self, AccessGrant},
    audit,
    persons::Person,
    requests::{self, is_closed},
    samples::{self, NewSample, Sample},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Deps, NotThere, case::permitted, grants};

/// The format's name of a population.
pub const POPULATION: &str = "obelus-population/v1";
/// The format's name of what was drawn.
pub const DRAWN: &str = "obelus-sample/v1";
/// The program that draws a sample again, in Python: it takes the population's file and the seed.
pub const DRAW: &str = include_str!("sampling/draw.py");
/// Characters of a seed.
const MOST_SEED: usize = 200;
/// Cases in one sample.
const MOST: u32 = 1000;
/// Requests read at once.
const PAGE: u64 = 1000;

/// What somebody wants drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// SHA-256 of the seed that will be revealed.
    pub seed_digest: Digest,
    /// How many cases.
    pub size: u32,
    /// Whether closed cases alone are drawn from.
    pub closed: bool,
    /// Received at this moment or later.
    pub from: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
}

/// What is drawn from; canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Population {
    /// [`POPULATION`]
    pub format: String,
    /// SHA-256 of the seed, as it was committed to.
    pub seed_digest: Digest,
    /// How many cases are drawn.
    pub size: u32,
    /// Whether closed cases alone were listed.
    pub closed: bool,
    /// Received at this moment or later, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Received before this moment, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was listed.
    pub fixed_at: Timestamp,
    /// The cases, ascending by reference.
    pub cases: Vec<Listed>,
}

/// A case of a population.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Listed {
    /// Its reference.
    pub reference: String,
    /// Its state at that time.
    pub state: String,
    /// When it was received.
    pub received_at: Timestamp,
}

impl Population {
    /// Reads what was stored.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn of(sample: &Sample) -> Result<Self> {
        let damaged = || format!("the population of {} is damaged; restore the last backup", sample.id);
        ensure!(Digest::sha256(&sample.population) == sample.population_digest.0, damaged());
        canonical::from_bytes(&sample.population).with_context(damaged)
    }

    /// The references that a seed draws, in the order in which they are drawn: those whose SHA-256 over the seed, a zero
    /// byte and the reference is lowest.
    pub fn draw(&self, seed: &str) -> Vec<String> {
        let rank = |case: &Listed| Digest::sha256([seed.as_bytes(), b"\0", case.reference.as_bytes()].concat());
        let mut ranked: Vec<_> = self.cases.iter().map(|case| (rank(case), &case.reference)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(self.size as usize).map(|(_, reference)| reference.clone()).collect()
    }
}

/// What a sample drew; none while its seed is not revealed.
///
/// # Errors
/// When the row is damaged.
pub fn drawn(sample: &Sample) -> Result<Option<Vec<String>>> {
    let Some(seed) = &sample.seed else { return Ok(None) };
    Ok(Some(Population::of(sample)?.draw(seed)))
}

/// What a sample drew, as a document; none while its seed is not revealed.
///
/// # Errors
/// When the row is damaged.
pub fn document(sample: &Sample) -> Result<Option<Vec<u8>>> {
    let Some((drawn, seed)) = drawn(sample)?.zip(sample.seed.as_deref()) else { return Ok(None) };
    let document = json!({
        "format": DRAWN,
        "sample": sample.id,
        "populationDigest": sample.population_digest.0,
        "seed": seed,
        "drawn": drawn,
    });
    Ok(Some(canonical::to_bytes(&document)?))
}

/// Commits to a seed, and fixes what is drawn from.
///
/// # Errors
/// When the person may not, their grant lets fewer be drawn, there are fewer cases, or the seed was used before.
pub async fn commit(deps: &Deps, by: &str, wanted: &Wanted) -> Result<Sample> {
    let person = permitted(deps, by, Action::SampleCases, None).await?;
    ensure!((1..=MOST).contains(&wanted.size), "Draw at least one case and at most {MOST}");
    let (write, now) = (deps.db.write().await?, deps.now());
    let grant = grant_for(&write, &person, wanted.size, now).await?;
    let cases = listed(&write, wanted).await?;
    ensure!(
        cases.len() >= wanted.size as usize,
        "There are {} such cases, and {} were to be drawn; draw fewer, or from a longer time",
        cases.len(),
        wanted.size
    );
    let population = Population {
        format: POPULATION.to_owned(),
        seed_digest: wanted.seed_digest,
        size: wanted.size,
        closed: wanted.closed,
        from: wanted.from,
        until: wanted.until,
        fixed_at: now,
        cases,
    };
    let new = NewSample {
        person: person.id,
        access_grant: grant.as_ref().map(|grant| grant.id),
        seed_digest: wanted.seed_digest,
        size: wanted.size,
        population: canonical::to_bytes(&population)?,
    };
    let sample = samples::commit(&write, new, now).await?;
    let detail = json!({
        "seedSha256": wanted.seed_digest,
        "populationSha256": sample.population_digest.0,
        "cases": population.cases.len(),
        "size": wanted.size,
        "grant": sample.access_grant,
    });
    audit::append(&write, now, &person.name, "commit_sample", &sample.id, &detail.to_string()).await?;
    write.commit().await?;
    Ok(sample)
}

/// Reveals the seed of a sample, which draws it. What was drawn under a grant can be read under it from then on.
///
/// # Errors
/// When somebody else committed to it, the seed is another, it was revealed before, or the grant is over.
pub async fn reveal(deps: &Deps, by: &str, id: &str, seed: &str) -> Result<Sample> {
    let person = permitted(deps, by, Action::SampleCases, None).await?;
    let (write, now) = (deps.db.write().await?, deps.now());
    let sample = samples::get(&write, id).await?.filter(|sample| sample.person == person.id);
    let sample = sample.ok_or_else(|| NotThere::sample(id))?;
    ensure!(is_seed(seed), "A seed has 1 to {MOST_SEED} characters, which are letters, digits and signs of ASCII");
    ensure!(
        Digest::sha256(seed) == sample.seed_digest.0,
        "This is not the seed that was committed to: its SHA-256 is another. Nothing was drawn"
    );
    let sample = samples::reveal(&write, id, seed, now).await?;
    let drawn = Population::of(&sample)?.draw(seed);
    let mut added = Vec::new();
    if let Some(grant) = sample.access_grant {
        let row = access_grants::locked(&write, grant).await?.context("a sample names a grant that does not exist")?;
        ensure!(grants::runs(&row, now), "The grant under which {id} was to be drawn is over; ask for another");
        added = access_grants::extend(&write, grant, &drawn, Some(id), now).await?;
    }
    let detail = json!({ "drawn": drawn, "grant": sample.access_grant, "added": added });
    audit::append(&write, now, &person.name, "draw_sample", id, &detail.to_string()).await?;
    write.commit().await?;
    Ok(sample)
}

/// Whether text can be a seed: everybody must be able to type it and get the same bytes.
fn is_seed(text: &str) -> bool {
    !text.is_empty() && text.len() <= MOST_SEED && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The grant that lets so many be drawn; none for who needs none. Every sample that was committed to counts, revealed or not:
/// otherwise somebody could try seeds and reveal the one that they like.
async fn grant_for(write: &Write, person: &Person, size: u32, now: Timestamp) -> Result<Option<AccessGrant>> {
    let actor = Actor { name: &person.name, roles: &person.roles, grant: None };
    if Rules::shipped()?.permit(actor, Action::SampleCases, None, now).is_ok() {
        return Ok(None);
    }
    let mut most = 0;
    for row in access_grants::all(write, Some(person.id)).await? {
        // Whoever commits to another at the same time waits here.
        let Some(grant) = access_grants::locked(write, row.id).await?.filter(|grant| grants::runs(grant, now)) else {
            continue;
        };
        let left = grant.draws - used(write, &grant).await?;
        if left >= i64::from(size) {
            return Ok(Some(grant));
        }
        most = most.max(left);
    }
    bail!("Your grant lets {most} more cases be drawn, and {size} were asked for; draw fewer, or ask for another grant")
}

/// How many draws of a grant are used up.
async fn used(db: &impl Read, grant: &AccessGrant) -> Result<i64> {
    let own = samples::all(db, Some(grant.person)).await?;
    Ok(own.iter().filter(|sample| sample.access_grant == Some(grant.id)).map(|sample| sample.size).sum())
}

async fn listed(db: &impl Read, wanted: &Wanted) -> Result<Vec<Listed>> {
    let (mut cases, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = requests::page(db, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.reference.clone());
        for request in page {
            let received = request.received_at.0;
            let in_time =
                wanted.from.is_none_or(|from| from <= received) && wanted.until.is_none_or(|until| received < until);
            if in_time && (!wanted.closed || is_closed(request.state)) {
                let (reference, state) = (request.reference, request.state.to_string());
                cases.push(Listed { reference, state, received_at: received });
            }
        }
    }
    cases.sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
    Ok(cases)
}

#[cfg(test)]
mod tests;
