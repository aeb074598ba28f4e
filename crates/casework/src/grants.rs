//! What authorities may look at: giving a grant and taking it back, which of them run, and the note that is made of what
//! somebody has read under one.
//!
//! Not here: what a grant lets somebody do (`obelus-policy`), and samples (`sampling.rs`).

use anyhow::{Result, ensure};
use obelus_core::Timestamp;
use obelus_policy::{Action, Grant};
use obelus_store::{
    Read,
    access_grants::{self, AccessGrant, NewGrant},
    audit, persons, requests,
};
use serde_json::json;

use crate::{Deps, NotThere, case::permitted};

/// The role whose power is a grant's.
pub const REGULATOR: &str = "regulator";
/// What the audit trail calls what was read from outside. No step of a case, so that no document about one has them.
pub const READINGS: [&str; 5] = ["read_case", "read_cases", "read_impact", "read_audit", "read_sample"];
/// A grant is for a time that somebody can foresee.
const LONGEST_US: i64 = 366 * 86_400_000_000;
/// Characters of the words about a matter.
const MOST_MATTER: usize = 300;
/// Cases that can be drawn under one grant.
const MOST_DRAWS: u32 = 1000;

/// A grant to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granting {
    /// To whom, by name.
    pub to: String,
    /// What it is about, in words.
    pub matter: String,
    /// References of the cases.
    pub cases: Vec<String>,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// How many cases may be drawn at random under it, and then read.
    pub draws: u32,
}

/// Whether a grant runs.
pub fn runs(grant: &AccessGrant, now: Timestamp) -> bool {
    grant.revoked_at.is_none() && grant.starts_at.0 <= now && now < grant.ends_at.0
}

/// What a person's grants show now, all of them together; none where none runs.
///
/// # Errors
/// When the database fails.
pub async fn of(db: &impl Read, person: i64, now: Timestamp) -> Result<Option<Grant>> {
    let mut together: Option<Grant> = None;
    for row in access_grants::all(db, Some(person)).await?.iter().filter(|row| runs(row, now)) {
        let cases = access_grants::cases(db, row.id).await?.into_iter().map(|case| case.request);
        let (from, until) = (row.starts_at.0, row.ends_at.0);
        let all = together.get_or_insert(Grant { cases: Vec::new(), from, until });
        all.cases.extend(cases);
        // While all of them run, which is what is asked about.
        (all.from, all.until) = (all.from.max(from), all.until.min(until));
    }
    if let Some(grant) = &mut together {
        grant.cases.sort_unstable();
        grant.cases.dedup();
    }
    Ok(together)
}

/// Lets a regulator look at cases for a time.
///
/// # Errors
/// When the person may not, a name or a case does not exist, or the time cannot be.
pub async fn give(deps: &Deps, by: &str, new: &Granting) -> Result<AccessGrant> {
    let giver = permitted(deps, by, Action::GrantAccess, None).await?;
    let (now, matter) = (deps.now(), new.matter.trim());
    ensure!(!matter.is_empty(), "Say in words which matter it is about");
    ensure!(matter.chars().count() <= MOST_MATTER, "Say the matter in at most {MOST_MATTER} characters");
    ensure!(!matter.contains(char::is_control), "Leave line breaks and control characters out of the matter");
    ensure!(new.from < new.until, "The grant ends before it begins; choose a later end");
    ensure!(new.until > now, "The grant would be over already; choose a later end");
    let long = new.until.as_micros().saturating_sub(new.from.as_micros()) > LONGEST_US;
    ensure!(!long, "The grant is for more than a year; give it for less, and again when it is needed again");
    ensure!(new.draws <= MOST_DRAWS, "At most {MOST_DRAWS} cases can be drawn under one grant");
    ensure!(!new.cases.is_empty() || new.draws > 0, "The grant shows nothing; name cases, or let some be drawn");
    let write = deps.db.write().await?;
    let person = persons::named(&write, &new.to).await?.ok_or_else(|| NotThere::person(&new.to))?;
    ensure!(person.id != giver.id, "Nobody gives a grant to themselves; somebody else must");
    ensure!(
        person.roles.iter().any(|role| role == REGULATOR),
        "{} has not the role {REGULATOR}, without which a grant shows nothing; an admin gives it",
        person.name
    );
    for reference in &new.cases {
        requests::get(&write, reference).await?.ok_or_else(|| NotThere::request(reference))?;
    }
    let given = NewGrant {
        person: person.id,
        matter: matter.to_owned(),
        cases: new.cases.clone(),
        starts_at: new.from,
        ends_at: new.until,
        draws: new.draws,
        by: giver.name.clone(),
    };
    let given = access_grants::give(&write, given, now).await?;
    let detail = json!({
        "grant": given.id, "cases": new.cases, "from": new.from, "until": new.until, "draws": new.draws,
    });
    audit::append(&write, now, &giver.name, "give_grant", &person.name, &detail.to_string()).await?;
    write.commit().await?;
    Ok(given)
}

/// Takes a grant back: from now on it shows nothing.
///
/// # Errors
/// When the person may not, there is no such grant, or it was taken back before.
pub async fn revoke(deps: &Deps, by: &str, id: i64) -> Result<()> {
    let person = permitted(deps, by, Action::GrantAccess, None).await?;
    let (write, now) = (deps.db.write().await?, deps.now());
    ensure!(access_grants::revoke(&write, id, &person.name, now).await?, "Grant {id} was taken back before");
    let whose = access_grants::get(&write, id).await?.map(|grant| grant.person).unwrap_or_default();
    let whose = persons::get(&write, whose).await?.map(|person| person.name).unwrap_or_default();
    audit::append(&write, now, &person.name, "revoke_grant", &whose, &json!({ "grant": id }).to_string()).await?;
    write.commit().await?;
    Ok(())
}

/// Notes that a regulator reads something, before it is shown. Of others, who read as part of their work, nothing is noted.
///
/// # Errors
/// When it cannot be noted; then nothing may be shown.
pub async fn note_reading(
    deps: &Deps,
    (name, roles): (&str, &[String]),
    reading: &'static str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    debug_assert!(READINGS.contains(&reading), "{reading} is no reading");
    if !roles.iter().any(|role| role == REGULATOR) {
        return Ok(());
    }
    let write = deps.db.write().await?;
    audit::append(&write, deps.now(), name, reading, subject, &detail.to_string()).await?;
    write.commit().await?;
    Ok(())
}
