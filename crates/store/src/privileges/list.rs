//! Every table of the database: what each role may do to it, and why. Data, from which the script that grants and the
//! inspection of a connection are made.
//!
//! Two rules decide what an auditor sees. Names of sources (a source may be a person's letters), names of persons and
//! words that persons wrote are personal data and hidden; the one exception is who acted, in the audit trail, because
//! a trail without it shows nothing. What lets a name be guessed (a campaign's salt with a source's seed) is hidden too.
//!
//! A new table is a new entry here, a new column is shown or hidden; a test compares the list with the catalogue.

/// What the roles may do to one table. The owner may do everything, the application reads everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) application: Changes,
    /// Why the application may change it so.
    pub(super) why: &'static str,
    /// Rows are only ever added: the role for writing the audit trail may add and read them.
    pub(super) append_only: bool,
    /// Columns that an auditor reads, with blanks between them.
    pub(super) shown: &'static str,
    /// Columns that no auditor reads, and why.
    pub(super) hidden: &'static [(&'static str, &'static str)],
}

/// What the application may do to the rows of a table, besides reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) insert: bool,
    /// The columns that may be changed once a row is there, with blanks between them.
    pub(super) update: &'static str,
    pub(super) delete: bool,
}

const READS: Changes = Changes { insert: false, update: "", delete: false };
const ADDS: Changes = Changes { insert: true, ..READS };

const fn changes(update: &'static str) -> Changes {
    Changes { update, ..ADDS }
}

const fn removes(update: &'static str) -> Changes {
    Changes { delete: true, ..changes(update) }
}

const SOURCE: &str = "names of sources: a source may be a person's own writing";
const PERSON: &str = "names a person; the audit trail says who acted";
const WORDS: &str = "what a person wrote";
const LEASE: &str = "whoever knows it could end another's work";
const PATH: &str = "an export's path is free, and may name a source or a person";
const SECRET: &str = "made from a secret that lets its holder in";
const MESSAGE: &str = "a message, which may quote names of sources";

const TABLE: Table = Table { name: "", application: READS, why: "", append_only: false, shown: "", hidden: &[] };

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "seaql_migrations",
        application: READS,
        why: "the owner migrates; a program looks whether the tables are of its shape",
        shown: "version applied_at",
        ..TABLE
    },
    Table {
        name: "statements",
        application: ADDS,
        why: "the very bytes that were signed",
        append_only: true,
        shown: "digest kind created_at",
        hidden: &[("envelope", "provenance statements name sources, and a campaign's has the salt")],
    },
    Table {
        name: "log_leaves",
        application: ADDS,
        why: "entries of the public log",
        append_only: true,
        shown: "position body leaf_hash statement",
        hidden: &[],
    },
    Table {
        name: "audit_events",
        application: ADDS,
        why: "who did what is never written again",
        append_only: true,
        shown: "id happened_at actor action subject",
        hidden: &[("detail", "reasons in a person's words, and names of sources")],
    },
    Table {
        name: "log_checkpoint",
        // The empty log's row is there from the migration on.
        application: Changes { update: "size root note", ..READS },
        why: "the head moves forward with its leaves; a trigger refuses the way back",
        shown: "id size root note",
        ..TABLE
    },
    Table {
        name: "log_pending",
        application: removes(""),
        why: "a leaf waits here until it has its place in the log",
        shown: "id body leaf_hash statement",
        ..TABLE
    },
    Table {
        name: "campaigns",
        application: ADDS,
        why: "signed and logged before anything is trained",
        shown: "lineage segments statement created_at",
        hidden: &[
            ("salt", "with a seed it lets the name of a source be guessed"),
            ("manifest_key", "the secret key that hides the names in the manifest"),
        ],
        ..TABLE
    },
    Table {
        name: "sources",
        application: removes("suppressed_at revoked_at since"),
        why: "rows of a registration that was cut off are removed; record and seed of a source never change",
        shown: "lineage record_key suppressed_at revoked_at manifest segment since corpus",
        hidden: &[
            ("source_id", SOURCE),
            ("record", "has the name and the publisher of the source"),
            ("seed", "with the salt it lets the name of the source be guessed"),
        ],
        ..TABLE
    },
    Table {
        name: "manifests",
        application: ADDS,
        why: "signed and logged",
        shown: "lineage generation root sources statement created_at",
        ..TABLE
    },
    Table {
        name: "registrations",
        application: removes("staged"),
        why: "is there while sources are registered, and gone with their manifest",
        shown: "lineage generation staged begun_at",
        hidden: &[("token", LEASE)],
        ..TABLE
    },
    Table {
        name: "corpora",
        application: changes("tokens"),
        why: "the tokens are counted once its tokenizer is trained",
        shown: "name documents sources tokens created_at",
        hidden: &[("path", "where texts of sources lie")],
        ..TABLE
    },
    Table {
        name: "models",
        application: changes("generation checkpoint weight_root layout_digest training_statement status"),
        why: "trainings and takedowns change the weights; what it is trained on stays",
        shown: "name lineage corpus preset generation checkpoint baseline_of control weight_root layout_digest \
                training_statement status created_at",
        hidden: &[("excluded", SOURCE)],
        ..TABLE
    },
    Table {
        name: "copies",
        application: changes("kind generation root registered_at zeroed_at destroyed_at source_id"),
        why: "a file that is written again is the same copy; whose model it is of never changes, and none is forgotten",
        shown: "id model kind generation root registered_at zeroed_at destroyed_at",
        hidden: &[("path", PATH), ("source_id", SOURCE)],
        ..TABLE
    },
    Table {
        name: "pool_extensions",
        application: ADDS,
        why: "signed and logged before rows are added",
        shown: "lineage first_segment base n k count reason statement created_at",
        ..TABLE
    },
    Table {
        name: "adaptations",
        application: changes("state statement finished_at"),
        why: "it goes from begun to signed to ended",
        shown: "id model kind state checkpoint moments statement started_at finished_at",
        hidden: &[("sources", SOURCE)],
        ..TABLE
    },
    Table {
        name: "persons",
        application: ADDS,
        why: "what somebody has done points here, so that nobody is removed or renamed",
        shown: "id created_at",
        hidden: &[("name", PERSON)],
        ..TABLE
    },
    Table {
        name: "person_roles",
        application: ADDS,
        why: "roles are given; no command takes one away yet",
        shown: "person role",
        ..TABLE
    },
    Table {
        name: "reference_numbers",
        application: changes("last"),
        why: "counts the numbers that were given out",
        shown: "series last",
        ..TABLE
    },
    Table {
        name: "requests",
        application: changes(
            "state plan_digest plan protocol refusal_code refusal_reason held_at window_until duplicate_of",
        ),
        why: "it moves through its states; who filed it, when, about what and under which law stays",
        shown: "reference state regime model filed_by received_at plan_digest refusal_code held_at protocol \
                regime_file calendar_file window_until duplicate_of",
        hidden: &[("plan", SOURCE), ("refusal_reason", WORDS)],
        ..TABLE
    },
    Table {
        name: "request_sources",
        application: changes("refusal_code refusal_reason"),
        why: "sources are added while it is found out what is meant, refused one by one, and never taken away",
        shown: "request refusal_code",
        hidden: &[("source_id", SOURCE), ("refusal_reason", WORDS)],
        ..TABLE
    },
    Table {
        name: "approvals",
        application: removes(""),
        why: "another plan needs approvals of its own; the old ones stay in the audit trail",
        shown: "request person plan_digest approved_at",
        ..TABLE
    },
    Table {
        name: "filings",
        application: changes("document receipt"),
        why: "the receipt is added, and the document erased when its time has come; its digest stays",
        shown: "request document_digest receipt",
        hidden: &[("document", "who asks, and what for")],
        ..TABLE
    },
    Table {
        name: "case_events",
        application: ADDS,
        why: "a chain of signed steps: none is changed or left out",
        shown: "request sequence statement action from_state to_state actor happened_at",
        hidden: &[("detail", "reasons in a person's words, and names of sources")],
        ..TABLE
    },
    Table {
        name: "case_questions",
        application: changes("answer answered_at"),
        why: "an answer is added; what was asked stays",
        shown: "request number kind asked_at answered_at",
        hidden: &[("question", WORDS), ("answer", WORDS)],
        ..TABLE
    },
    Table {
        name: "case_notices",
        application: changes("settled_at outcome"),
        why: "what came of it is added; what was said stays",
        shown: "request number kind received_at settled_at",
        hidden: &[("sender", PERSON), ("words", WORDS), ("outcome", WORDS)],
        ..TABLE
    },
    Table {
        name: "hosts",
        application: changes("lease_until refused ended_at"),
        why: "a host says that it is there, and what it refuses, until it ends",
        shown: "id model started_at lease_until refused ended_at",
        hidden: &[("address", "a place in the operator's network")],
        ..TABLE
    },
    Table {
        name: "host_acknowledgements",
        application: ADDS,
        why: "what was zeroed in memory was zeroed",
        shown: "host request rows digest acknowledged_at",
        ..TABLE
    },
    Table {
        name: "case_extensions",
        application: ADDS,
        why: "told once, and never taken back",
        shown: "request told_at",
        hidden: &[("reasons", WORDS)],
        ..TABLE
    },
    Table {
        name: "outbox",
        application: changes("body state attempts not_before last_error sent_at lease_until token"),
        why: "senders take, send and put back letters; a link leaves the letter that told it once it was sent",
        shown: "id kind request language digest created_at not_before state attempts sent_at lease_until",
        hidden: &[
            ("recipient", "the address of a person"),
            ("subject", WORDS),
            ("body", WORDS),
            ("last_error", MESSAGE),
            ("token", LEASE),
        ],
        ..TABLE
    },
    Table {
        name: "erasures",
        application: changes("state root_after row_proof statement finished_at"),
        why: "its end is recorded; the weights that it began with stay",
        shown: "request model state root_before root_after row_proof statement started_at finished_at",
        ..TABLE
    },
    Table {
        name: "erasure_targets",
        application: changes("state evidence changed_at"),
        why: "each is done or has failed; none is forgotten",
        shown: "id request kind state changed_at",
        hidden: &[("path", PATH), ("evidence", MESSAGE)],
        ..TABLE
    },
    Table {
        name: "verification_runs",
        application: changes("phase scores_before results results_digest verdict statement circumstances finished_at"),
        why: "results are added; the protocol is fixed before anything is measured",
        shown: "id request model protocol_digest protocol_statement phase results_digest verdict statement \
                started_at finished_at repeats job circumstances",
        hidden: &[
            ("source_id", SOURCE),
            ("protocol", "may name sources"),
            ("scores_before", "answers about each source by its name"),
            ("results", "answers about each source by its name"),
        ],
        ..TABLE
    },
    Table {
        name: "certificates",
        application: changes("status changed_at"),
        why: "it is suspended, renewed or revoked; what it says never changes",
        shown: "id request model status level verdict issued_at path verification_run statement valid_until \
                follows changed_at",
        hidden: &[("source_id", SOURCE)],
        ..TABLE
    },
    Table {
        name: "incidents",
        application: changes("closed_at closed_by reason"),
        why: "a person closes it; what was found stays",
        shown: "id certificate request kind run verdict detail opened_at closed_at",
        hidden: &[("closed_by", PERSON), ("reason", WORDS)],
        ..TABLE
    },
    Table {
        name: "status_lists",
        application: changes("list"),
        why: "the bytes of the last list alone are kept",
        shown: "sequence list list_digest statement made_at next_update",
        ..TABLE
    },
    Table {
        name: "audit_schedules",
        application: changes("last_due_at removed_at"),
        why: "it becomes due and ends; what it asks for stays",
        shown: "id scope subject cron protocol created_at last_due_at removed_at",
        hidden: &[("created_by", PERSON)],
        ..TABLE
    },
    Table {
        name: "jobs",
        application: changes("state run_after attempts token leased_until outcome finished_at progress"),
        why: "workers take, keep and end them; what is to be done stays",
        shown: "id kind subject reason schedule due_at state run_after attempts leased_until enqueued_at \
                finished_at argument progress",
        hidden: &[("token", LEASE), ("outcome", MESSAGE), ("ordered_by", PERSON)],
        ..TABLE
    },
    Table {
        name: "baselines",
        application: changes("requested_by requested_at steps_done steps_all ended why ended_at"),
        why: "its progress and its end are recorded, and it may be asked for again; what it leaves out stays",
        shown: "name model kind seed panel_seed steps device threads cost requested_at steps_done steps_all \
                ended ended_at",
        hidden: &[("excluded", SOURCE), ("requested_by", PERSON), ("why", MESSAGE)],
        ..TABLE
    },
    Table {
        name: "blind_challenges",
        application: changes("sealed results results_digest outcome result opened_by opened_at"),
        why: "opening it removes the sealed file and adds the results; what was committed to stays",
        shown: "id request sealed_digest sealed_bytes commitment deposit deposited_at results results_digest \
                outcome result opened_at",
        hidden: &[
            ("sealed", "questions that nobody is to see before they are opened"),
            ("deposited_by", PERSON),
            ("opened_by", PERSON),
        ],
        ..TABLE
    },
    Table {
        name: "accounts",
        application: changes("password_hash disabled_at"),
        why: "passwords change, and accounts are closed and opened again; none is removed",
        shown: "person created_at disabled_at",
        hidden: &[("password_hash", SECRET)],
        ..TABLE
    },
    Table {
        name: "sessions",
        application: removes("seen_at stepped_up_at revoked_at"),
        why: "they are used, ended, and removed once they have run out",
        shown: "person request created_at seen_at expires_at stepped_up_at revoked_at",
        hidden: &[("token_hash", SECRET), ("user_agent", "tells the devices of a person")],
        ..TABLE
    },
    Table {
        name: "one_time_links",
        application: removes("used_at"),
        why: "each works once, and is removed when it has run out",
        shown: "purpose created_at expires_at used_at",
        hidden: &[("token_hash", SECRET), ("subject", PERSON)],
        ..TABLE
    },
    Table {
        name: "request_drafts",
        application: removes("sealed saved_at expires_at"),
        why: "answers are changed until a request is sent, and removed with that or when their day is over",
        shown: "saved_at expires_at",
        hidden: &[
            ("token_hash", SECRET),
            ("sealed", "what a person wrote, encrypted under a key that their browser alone has"),
        ],
        ..TABLE
    },
    Table {
        name: "api_tokens",
        application: changes("last_used_at revoked_at"),
        why: "they are used and revoked; what one may do stays",
        shown: "id person scopes created_at expires_at last_used_at revoked_at",
        hidden: &[("name", WORDS), ("token_hash", SECRET)],
        ..TABLE
    },
    Table {
        name: "access_grants",
        application: changes("revoked_at revoked_by"),
        why: "a grant ends or is taken back; what it shows stays",
        shown: "id person starts_at ends_at draws given_at revoked_at",
        hidden: &[("matter", WORDS), ("given_by", PERSON), ("revoked_by", PERSON)],
        ..TABLE
    },
    Table {
        name: "access_grant_cases",
        application: ADDS,
        why: "a grant is given for cases, and a sample adds what it drew",
        shown: "access_grant request sample added_at",
        ..TABLE
    },
    Table {
        name: "samples",
        application: changes("seed revealed_at"),
        why: "the seed is revealed once; what is drawn from stays",
        shown: "id person access_grant seed_digest size population population_digest committed_at seed revealed_at",
        ..TABLE
    },
];
