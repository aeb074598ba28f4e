//! Letters to be sent. Each is put here in the transaction of what it tells, so that both are kept or lost together; a
//! sender that takes one has a lease and a token, and whoever lost the lease can say nothing of it any more. Not here: how
//! a letter is worded, and how it is sent (`obelus-notify`).
//!
//! A sender that dies after it has handed a letter over, and before it says so, leaves it to be sent again: at least once,
//! not exactly once. Number and digest of a letter never change, so that both copies have the same name for whoever gets
//! them.

use std::fmt;

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, UpdateMany,
    sea_query::Expr,
};

use crate::{
    column::{Micros, Sha256, words},
    database::{Connected, Read, Write, at_most},
    entities::outbox::{ActiveModel, Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::outbox::Model as Letter;

/// How often sending is begun before a letter is given up: with [`wait_before`], after more than four days, as RFC 5321
/// section 4.5.4.1 asks.
pub const MOST_ATTEMPTS: i64 = 18;

/// The wait after the first failure.
const FIRST_WAIT_US: i64 = 60 * 1_000_000;
/// The longest wait.
const LONGEST_WAIT_US: i64 = 12 * 60 * 60 * 1_000_000;

/// Keeps digests of letters apart from digests of everything else.
const DIGEST_DOMAIN: &[u8] = b"obelus/letter/v1\n";

words!(
    /// What a letter tells.
    LetterKind {
        /// A request was received.
        Receipt = "receipt",
        /// It must be shown who asks.
        IdentityNeeded = "identity-needed",
        /// It must be said what is meant.
        ScopeNeeded = "scope-needed",
        /// The answer takes longer.
        Extension = "extension",
        /// The sources are not used any more, which can be undone.
        Suppressed = "suppressed",
        /// The request is refused.
        Refused = "refused",
        /// Part of the request is granted.
        PartiallyGranted = "partially-granted",
        /// Somebody objects to the request.
        CounterNoticeReceived = "counter-notice-received",
        /// The sources are used again.
        Restored = "restored",
        /// The request was withdrawn.
        Withdrawn = "withdrawn",
        /// A complaint was received.
        ComplaintReceived = "complaint-received",
        /// The request is granted and is carried out.
        Decided = "decided",
        /// The sources' neurons are zeroed.
        Executed = "executed",
        /// The erasure is certified.
        Certified = "certified",
        /// The erasure is certified, and something remains.
        CertifiedWithResidual = "certified-with-residual",
        /// The erasure could not be verified.
        VerificationFailed = "verification-failed",
        /// A link that works once.
        OneTimeLink = "one-time-link",
    }
);

words!(
    /// How far a letter has come.
    LetterState {
        /// It waits for somebody to send it.
        Waiting = "waiting",
        /// Somebody sends it.
        Sending = "sending",
        /// It was handed over.
        Sent = "sent",
        /// It cannot be sent, and waits for a person.
        Dead = "dead",
    }
);

/// A letter to be sent. Printing it for the log shows neither whom it is to nor what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// What it tells.
    pub kind: LetterKind,
    /// The request that it is about, if it is about one.
    pub request: Option<String>,
    /// The address that it goes to.
    pub recipient: String,
    /// The language that it is written in.
    pub language: String,
    /// What it tells and the reference, and no personal data.
    pub subject: String,
    /// Its text, lines ended by `\n`.
    pub body: String,
    /// It is not sent before.
    pub not_before: Timestamp,
}

impl fmt::Debug for NewLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NewLetter");
        shown.field("kind", &self.kind).field("request", &self.request).finish_non_exhaustive()
    }
}

/// An attempt at sending a letter: its token fences out everybody who lost it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The letter as it was when it was taken.
    pub letter: Letter,
    token: Token,
}

/// The name of an attempt, which whoever reads a log must not learn.
#[derive(Clone, PartialEq, Eq)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Letter {
    /// Whether it is the letter that was put here: nobody has changed it in the table since.
    pub fn is_intact(&self) -> bool {
        let Self { kind, request, recipient, language, subject, body, created_at, .. } = self;
        self.digest.0 == digest(*kind, request.as_deref(), [recipient, language, subject, body], created_at.0)
    }
}

/// SHA-256 of a letter: each field is preceded by its length in bytes, so that no two letters have the same bytes.
fn digest(kind: LetterKind, request: Option<&str>, texts: [&str; 4], created_at: Timestamp) -> Digest {
    let (kind, written) = (kind.to_string(), created_at.to_string());
    let fields = [kind.as_str(), request.unwrap_or_default()].into_iter().chain(texts).chain([written.as_str()]);
    let mut bytes = DIGEST_DOMAIN.to_vec();
    for field in fields {
        bytes.extend_from_slice(format!("{}\n", field.len()).as_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    Digest::sha256(bytes)
}

/// Puts a letter here, in the caller's transaction.
///
/// # Errors
/// When there is no such request.
pub async fn enqueue(write: &Write, new: NewLetter, now: Timestamp) -> Result<Letter> {
    let texts = [new.recipient.as_str(), &new.language, &new.subject, &new.body];
    let digest = digest(new.kind, new.request.as_deref(), texts, now);
    let row = ActiveModel {
        id: NotSet,
        kind: Set(new.kind),
        request: Set(new.request),
        recipient: Set(new.recipient),
        language: Set(new.language),
        subject: Set(new.subject),
        body: Set(new.body),
        digest: Set(Sha256(digest)),
        created_at: Set(Micros(now)),
        not_before: Set(Micros(new.not_before)),
        state: Set(LetterState::Waiting),
        attempts: Set(0),
        last_error: Set(None),
        sent_at: Set(None),
        lease_until: Set(None),
        token: Set(None),
    };
    Ok(Entity::insert(row).exec_with_returning(write.connection()).await?)
}

/// Takes the letter that has been due longest, until `until` and under a token that nobody else can guess; none when
/// nothing is due. A letter whose lease has run out is taken again.
///
/// # Errors
/// When the database fails.
pub async fn claim(write: &Write, token: &str, now: Timestamp, until: Timestamp) -> Result<Option<Lease>> {
    bury(write, now).await?;
    let connection = write.connection();
    let backend = connection.get_database_backend();
    // On SQLite the transaction holds the database's only write lock from its beginning.
    let locked = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE outbox SET state = 'sending', token = $1, lease_until = $2, attempts = attempts + 1 WHERE id = (
             SELECT id FROM outbox
             WHERE (state = 'waiting' AND not_before <= $3) OR (state = 'sending' AND lease_until <= $3)
             ORDER BY not_before, id LIMIT 1 {locked})
         RETURNING *"
    );
    let values = [token.into(), until.as_micros().into(), now.as_micros().into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let taken = Entity::find().from_raw_sql(statement).one(connection).await?;
    Ok(taken.map(|letter| Lease { letter, token: Token(token.to_owned()) }))
}

/// Gives up letters whose last permitted attempt was cut off.
async fn bury(write: &Write, now: Timestamp) -> Result<()> {
    let why = format!("begun {MOST_ATTEMPTS} times, and cut off the last time");
    left(LetterState::Dead, Some(&why))
        .filter(Column::State.eq(LetterState::Sending))
        .filter(Column::LeaseUntil.lte(Micros(now)))
        .filter(Column::Attempts.gte(MOST_ATTEMPTS))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// How long a letter waits after its failed attempt number `attempts`, in microseconds: a minute, then twice as long each
/// time, and never more than twelve hours.
pub fn wait_before(attempts: i64) -> i64 {
    let doublings = attempts.saturating_sub(1).clamp(0, 20);
    (FIRST_WAIT_US << doublings).min(LONGEST_WAIT_US)
}

/// Says that a letter was handed over. The text of a one-time link goes: the table must not open what the link opens.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn sent(write: &Write, lease: &Lease, now: Timestamp) -> Result<()> {
    let mut change = left(LetterState::Sent, None).col_expr(Column::SentAt, Expr::value(Some(Micros(now))));
    if lease.letter.kind == LetterKind::OneTimeLink {
        change = change.col_expr(Column::Body, Expr::value(String::new()));
    }
    fenced(write, change, lease).await
}

/// Puts a letter back that could not be sent now, to be tried again after [`wait_before`]; after [`MOST_ATTEMPTS`] it is
/// dead. `why` has no personal data in it.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn failed(write: &Write, lease: &Lease, why: &str, now: Timestamp) -> Result<LetterState> {
    let attempts = lease.letter.attempts;
    if attempts >= MOST_ATTEMPTS {
        dead(write, lease, why).await?;
        return Ok(LetterState::Dead);
    }
    let due = Timestamp::from_micros(now.as_micros().saturating_add(wait_before(attempts)));
    let change = left(LetterState::Waiting, Some(why)).col_expr(Column::NotBefore, Expr::value(Micros(due)));
    fenced(write, change, lease).await?;
    Ok(LetterState::Waiting)
}

/// Gives a letter up that can never be sent as it is. `why` has no personal data in it.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn dead(write: &Write, lease: &Lease, why: &str) -> Result<()> {
    fenced(write, left(LetterState::Dead, Some(why)), lease).await
}

/// Lets a dead letter be tried again from the start. A person has looked at it.
///
/// # Errors
/// [`Error::State`] when it is not dead.
pub async fn revive(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    let change = left(LetterState::Waiting, None)
        .col_expr(Column::Attempts, Expr::value(0i64))
        .col_expr(Column::NotBefore, Expr::value(Micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(LetterState::Dead));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let found = get(write, id).await?.ok_or_else(|| Error::missing("letter", id))?;
    Err(elsewhere(id, LetterState::Dead, found.state.to_string()))
}

/// A letter by number.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: i64) -> Result<Option<Letter>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// The letters about a request, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, request: &str) -> Result<Vec<Letter>> {
    let query = Entity::find().filter(Column::Request.eq(request));
    Ok(query.order_by_asc(Column::Id).all(db.connection()).await?)
}

/// At most `limit` letters by number, from the first greater than `after`; of one state, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, state: Option<LetterState>, after: i64, limit: u64) -> Result<Vec<Letter>> {
    let mut query = Entity::find().filter(Column::Id.gt(after));
    if let Some(state) = state {
        query = query.filter(Column::State.eq(state));
    }
    Ok(query.order_by_asc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}

fn left(state: LetterState, why: Option<&str>) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::LastError, Expr::value(why.map(str::to_owned)))
        .col_expr(Column::Token, Expr::value(None::<String>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<Micros>))
}

async fn fenced(write: &Write, change: UpdateMany<Entity>, lease: &Lease) -> Result<()> {
    let id = lease.letter.id;
    let change = change
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(LetterState::Sending))
        .filter(Column::Token.eq(lease.token.0.as_str()));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let found = get(write, id).await?.ok_or_else(|| Error::missing("letter", id))?;
    let found = if found.state == LetterState::Sending { "another's".to_owned() } else { found.state.to_string() };
    Err(elsewhere(id, LetterState::Sending, found))
}

fn elsewhere(id: i64, expected: LetterState, found: String) -> Error {
    Error::State { what: "letter", key: id.to_string(), expected: expected.to_string(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    #[test]
    fn a_letter_is_given_up_after_four_days_and_not_before() {
        let days = |us: i64| us / (24 * 60 * 60 * 1_000_000);
        let waited: i64 = (1..MOST_ATTEMPTS).map(wait_before).sum();
        assert_eq!(days(waited), 4);
        assert_eq!([wait_before(1), wait_before(2), wait_before(3)].map(|us| us / 1_000_000), [60, 120, 240]);
        assert_eq!([wait_before(0), wait_before(i64::MIN)], [FIRST_WAIT_US; 2]);
        assert_eq!([wait_before(99), wait_before(i64::MAX)], [LONGEST_WAIT_US; 2]);
    }

    #[test]
    fn no_two_letters_have_one_digest() {
        let of = |texts| digest(LetterKind::Receipt, None, texts, WRITTEN);
        assert_ne!(of(["ab", "c", "", ""]), of(["a", "bc", "", ""]));
        assert_ne!(of(["a\n1\nb", "", "", ""]), of(["a", "b", "", ""]));
        assert_ne!(digest(LetterKind::Refused, None, ["ab", "c", "", ""], WRITTEN), of(["ab", "c", "", ""]));
    }
}
