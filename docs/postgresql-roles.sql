-- The roles of Obelus in PostgreSQL 15 or newer, and what each may do. Written from the list in
-- crates/store/src/privileges/list.rs: change that, then compare this file by its test.
--
-- Run it in the migrated database after every migration, as a superuser, or as the owner of the database
-- where the roles are there already: psql --set ON_ERROR_STOP=1 --file postgresql-roles.sql DATABASE
-- A user who logs in gets one of the roles: CREATE ROLE portal LOGIN PASSWORD '...' IN ROLE obelus_app;

BEGIN;

-- Group roles: nobody logs in as one.
-- obelus_owner: owns the tables, and migrates
-- obelus_app: what the programs need
-- obelus_audit: adds to the append-only tables and reads them
-- obelus_auditor: reads everything but personal data and secrets
SELECT pg_advisory_xact_lock(8026089002429001581);
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'obelus_owner') THEN
        CREATE ROLE obelus_owner NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made at the same moment for another database of this server
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'obelus_app') THEN
        CREATE ROLE obelus_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made at the same moment for another database of this server
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'obelus_audit') THEN
        CREATE ROLE obelus_audit NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made at the same moment for another database of this server
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'obelus_auditor') THEN
        CREATE ROLE obelus_auditor NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made at the same moment for another database of this server
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN ('obelus_owner', 'obelus_app', 'obelus_audit', 'obelus_auditor')
               AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a role of one of these names is no plain group role; alter it, or take another prefix';
    END IF;
END $$;

-- Only the roles may connect, and only the owner may make tables. Names mean this schema and no other.
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, obelus_owner, obelus_app, obelus_audit, obelus_auditor', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO obelus_owner, obelus_app, obelus_audit, obelus_auditor', current_database());
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_temp', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC, obelus_owner, obelus_app, obelus_audit, obelus_auditor;
GRANT USAGE ON SCHEMA public TO obelus_owner, obelus_app, obelus_audit, obelus_auditor;
GRANT CREATE ON SCHEMA public TO obelus_owner;

-- The owner has every table and trigger function, also those of a database that another user migrated. A function
-- finds nothing but PostgreSQL's own names.
DO $$ DECLARE thing record; BEGIN
    FOR thing IN SELECT format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
        WHERE nspname = 'public' AND relkind IN ('r', 'p') AND relowner <> 'obelus_owner'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO obelus_owner', thing.name);
    END LOOP;
    FOR thing IN SELECT p.oid::regprocedure AS name, proowner <> 'obelus_owner'::regrole AS foreign_owner
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace
        WHERE nspname = 'public' AND prorettype = 'pg_catalog.trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', thing.name);
        IF thing.foreign_owner THEN
            EXECUTE format('ALTER FUNCTION %s OWNER TO obelus_owner', thing.name);
        END IF;
    END LOOP;
END $$;

-- Nobody may do anything, now and to what the owner makes later, until it is granted.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, obelus_app, obelus_audit, obelus_auditor;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, obelus_app, obelus_audit, obelus_auditor;
REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM PUBLIC, obelus_app, obelus_audit, obelus_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE obelus_owner REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE obelus_owner REVOKE ALL ON SEQUENCES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE obelus_owner REVOKE ALL ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE obelus_owner REVOKE ALL ON TYPES FROM PUBLIC;

-- seaql_migrations: the owner migrates; a program looks whether the tables are of its shape.
GRANT SELECT ON public.seaql_migrations TO obelus_app;
GRANT SELECT (version, applied_at) ON public.seaql_migrations TO obelus_auditor;

-- statements: the very bytes that were signed.
-- Hidden from auditors: envelope (provenance statements name sources, and a campaign's has the salt).
GRANT SELECT, INSERT ON public.statements TO obelus_app;
GRANT SELECT, INSERT ON public.statements TO obelus_audit;
GRANT SELECT (digest, kind, created_at) ON public.statements TO obelus_auditor;

-- log_leaves: entries of the public log.
GRANT SELECT, INSERT ON public.log_leaves TO obelus_app;
GRANT SELECT, INSERT ON public.log_leaves TO obelus_audit;
GRANT SELECT (position, body, leaf_hash, statement) ON public.log_leaves TO obelus_auditor;

-- audit_events: who did what is never written again.
-- Hidden from auditors: detail (reasons in a person's words, and names of sources).
GRANT SELECT, INSERT ON public.audit_events TO obelus_app;
GRANT SELECT, INSERT ON public.audit_events TO obelus_audit;
GRANT SELECT (id, happened_at, actor, action, subject) ON public.audit_events TO obelus_auditor;

-- log_checkpoint: the head moves forward with its leaves; a trigger refuses the way back.
GRANT SELECT ON public.log_checkpoint TO obelus_app;
GRANT UPDATE (size, root, note) ON public.log_checkpoint TO obelus_app;
GRANT SELECT (id, size, root, note) ON public.log_checkpoint TO obelus_auditor;

-- log_pending: a leaf waits here until it has its place in the log.
GRANT SELECT, INSERT, DELETE ON public.log_pending TO obelus_app;
GRANT SELECT (id, body, leaf_hash, statement) ON public.log_pending TO obelus_auditor;

-- campaigns: signed and logged before anything is trained.
-- Hidden from auditors: salt (with a seed it lets the name of a source be guessed).
-- Hidden from auditors: manifest_key (the secret key that hides the names in the manifest).
GRANT SELECT, INSERT ON public.campaigns TO obelus_app;
GRANT SELECT (lineage, segments, statement, created_at) ON public.campaigns TO obelus_auditor;

-- sources: rows of a registration that was cut off are removed; record and seed of a source never change.
-- Hidden from auditors: source_id (names of sources: a source may be a person's own writing).
-- Hidden from auditors: record (has the name and the publisher of the source).
-- Hidden from auditors: seed (with the salt it lets the name of the source be guessed).
GRANT SELECT, INSERT, DELETE ON public.sources TO obelus_app;
GRANT UPDATE (suppressed_at, revoked_at, since) ON public.sources TO obelus_app;
GRANT SELECT (lineage, record_key, suppressed_at, revoked_at, manifest, segment, since, corpus) ON public.sources TO obelus_auditor;

-- manifests: signed and logged.
GRANT SELECT, INSERT ON public.manifests TO obelus_app;
GRANT SELECT (lineage, generation, root, sources, statement, created_at) ON public.manifests TO obelus_auditor;

-- registrations: is there while sources are registered, and gone with their manifest.
-- Hidden from auditors: token (whoever knows it could end another's work).
GRANT SELECT, INSERT, DELETE ON public.registrations TO obelus_app;
GRANT UPDATE (staged) ON public.registrations TO obelus_app;
GRANT SELECT (lineage, generation, staged, begun_at) ON public.registrations TO obelus_auditor;

-- corpora: the tokens are counted once its tokenizer is trained.
-- Hidden from auditors: path (where texts of sources lie).
GRANT SELECT, INSERT ON public.corpora TO obelus_app;
GRANT UPDATE (tokens) ON public.corpora TO obelus_app;
GRANT SELECT (name, documents, sources, tokens, created_at) ON public.corpora TO obelus_auditor;

-- models: trainings and takedowns change the weights; what it is trained on stays.
-- Hidden from auditors: excluded (names of sources: a source may be a person's own writing).
GRANT SELECT, INSERT ON public.models TO obelus_app;
GRANT UPDATE (generation, checkpoint, weight_root, layout_digest, training_statement, status) ON public.models TO obelus_app;
GRANT SELECT (name, lineage, corpus, preset, generation, checkpoint, baseline_of, control, weight_root, layout_digest, training_statement, status, created_at) ON public.models TO obelus_auditor;

-- copies: a file that is written again is the same copy; whose model it is of never changes, and none is forgotten.
-- Hidden from auditors: path (an export's path is free, and may name a source or a person).
-- Hidden from auditors: source_id (names of sources: a source may be a person's own writing).
GRANT SELECT, INSERT ON public.copies TO obelus_app;
GRANT UPDATE (kind, generation, root, registered_at, zeroed_at, destroyed_at, source_id) ON public.copies TO obelus_app;
GRANT SELECT (id, model, kind, generation, root, registered_at, zeroed_at, destroyed_at) ON public.copies TO obelus_auditor;

-- pool_extensions: signed and logged before rows are added.
GRANT SELECT, INSERT ON public.pool_extensions TO obelus_app;
GRANT SELECT (lineage, first_segment, base, n, k, count, reason, statement, created_at) ON public.pool_extensions TO obelus_auditor;

-- adaptations: it goes from begun to signed to ended.
-- Hidden from auditors: sources (names of sources: a source may be a person's own writing).
GRANT SELECT, INSERT ON public.adaptations TO obelus_app;
GRANT UPDATE (state, statement, finished_at) ON public.adaptations TO obelus_app;
GRANT SELECT (id, model, kind, state, checkpoint, moments, statement, started_at, finished_at) ON public.adaptations TO obelus_auditor;

-- persons: what somebody has done points here, so that nobody is removed or renamed.
-- Hidden from auditors: name (names a person; the audit trail says who acted).
GRANT SELECT, INSERT ON public.persons TO obelus_app;
GRANT SELECT (id, created_at) ON public.persons TO obelus_auditor;

-- person_roles: roles are given; no command takes one away yet.
GRANT SELECT, INSERT ON public.person_roles TO obelus_app;
GRANT SELECT (person, role) ON public.person_roles TO obelus_auditor;

-- reference_numbers: counts the numbers that were given out.
GRANT SELECT, INSERT ON public.reference_numbers TO obelus_app;
GRANT UPDATE (last) ON public.reference_numbers TO obelus_app;
GRANT SELECT (series, last) ON public.reference_numbers TO obelus_auditor;

-- requests: it moves through its states; who filed it, when, about what and under which law stays.
-- Hidden from auditors: plan (names of sources: a source may be a person's own writing).
-- Hidden from auditors: refusal_reason (what a person wrote).
GRANT SELECT, INSERT ON public.requests TO obelus_app;
GRANT UPDATE (state, plan_digest, plan, protocol, refusal_code, refusal_reason, held_at, window_until, duplicate_of) ON public.requests TO obelus_app;
GRANT SELECT (reference, state, regime, model, filed_by, received_at, plan_digest, refusal_code, held_at, protocol, regime_file, calendar_file, window_until, duplicate_of) ON public.requests TO obelus_auditor;

-- request_sources: sources are added while it is found out what is meant, refused one by one, and never taken away.
-- Hidden from auditors: source_id (names of sources: a source may be a person's own writing).
-- Hidden from auditors: refusal_reason (what a person wrote).
GRANT SELECT, INSERT ON public.request_sources TO obelus_app;
GRANT UPDATE (refusal_code, refusal_reason) ON public.request_sources TO obelus_app;
GRANT SELECT (request, refusal_code) ON public.request_sources TO obelus_auditor;

-- approvals: another plan needs approvals of its own; the old ones stay in the audit trail.
GRANT SELECT, INSERT, DELETE ON public.approvals TO obelus_app;
GRANT SELECT (request, person, plan_digest, approved_at) ON public.approvals TO obelus_auditor;

-- filings: the receipt is added, and the document erased when its time has come; its digest stays.
-- Hidden from auditors: document (who asks, and what for).
GRANT SELECT, INSERT ON public.filings TO obelus_app;
GRANT UPDATE (document, receipt) ON public.filings TO obelus_app;
GRANT SELECT (request, document_digest, receipt) ON public.filings TO obelus_auditor;

-- case_events: a chain of signed steps: none is changed or left out.
-- Hidden from auditors: detail (reasons in a person's words, and names of sources).
GRANT SELECT, INSERT ON public.case_events TO obelus_app;
GRANT SELECT (request, sequence, statement, action, from_state, to_state, actor, happened_at) ON public.case_events TO obelus_auditor;

-- case_questions: an answer is added; what was asked stays.
-- Hidden from auditors: question (what a person wrote).
-- Hidden from auditors: answer (what a person wrote).
GRANT SELECT, INSERT ON public.case_questions TO obelus_app;
GRANT UPDATE (answer, answered_at) ON public.case_questions TO obelus_app;
GRANT SELECT (request, number, kind, asked_at, answered_at) ON public.case_questions TO obelus_auditor;

-- case_notices: what came of it is added; what was said stays.
-- Hidden from auditors: sender (names a person; the audit trail says who acted).
-- Hidden from auditors: words (what a person wrote).
-- Hidden from auditors: outcome (what a person wrote).
GRANT SELECT, INSERT ON public.case_notices TO obelus_app;
GRANT UPDATE (settled_at, outcome) ON public.case_notices TO obelus_app;
GRANT SELECT (request, number, kind, received_at, settled_at) ON public.case_notices TO obelus_auditor;

-- hosts: a host says that it is there, and what it refuses, until it ends.
-- Hidden from auditors: address (a place in the operator's network).
GRANT SELECT, INSERT ON public.hosts TO obelus_app;
GRANT UPDATE (lease_until, refused, ended_at) ON public.hosts TO obelus_app;
GRANT SELECT (id, model, started_at, lease_until, refused, ended_at) ON public.hosts TO obelus_auditor;

-- host_acknowledgements: what was zeroed in memory was zeroed.
GRANT SELECT, INSERT ON public.host_acknowledgements TO obelus_app;
GRANT SELECT (host, request, rows, digest, acknowledged_at) ON public.host_acknowledgements TO obelus_auditor;

-- case_extensions: told once, and never taken back.
-- Hidden from auditors: reasons (what a person wrote).
GRANT SELECT, INSERT ON public.case_extensions TO obelus_app;
GRANT SELECT (request, told_at) ON public.case_extensions TO obelus_auditor;

-- outbox: senders take, send and put back letters; a link leaves the letter that told it once it was sent.
-- Hidden from auditors: recipient (the address of a person).
-- Hidden from auditors: subject (what a person wrote).
-- Hidden from auditors: body (what a person wrote).
-- Hidden from auditors: last_error (a message, which may quote names of sources).
-- Hidden from auditors: token (whoever knows it could end another's work).
GRANT SELECT, INSERT ON public.outbox TO obelus_app;
GRANT UPDATE (body, state, attempts, not_before, last_error, sent_at, lease_until, token) ON public.outbox TO obelus_app;
GRANT SELECT (id, kind, request, language, digest, created_at, not_before, state, attempts, sent_at, lease_until) ON public.outbox TO obelus_auditor;

-- erasures: its end is recorded; the weights that it began with stay.
GRANT SELECT, INSERT ON public.erasures TO obelus_app;
GRANT UPDATE (state, root_after, row_proof, statement, finished_at) ON public.erasures TO obelus_app;
GRANT SELECT (request, model, state, root_before, root_after, row_proof, statement, started_at, finished_at) ON public.erasures TO obelus_auditor;

-- erasure_targets: each is done or has failed; none is forgotten.
-- Hidden from auditors: path (an export's path is free, and may name a source or a person).
-- Hidden from auditors: evidence (a message, which may quote names of sources).
GRANT SELECT, INSERT ON public.erasure_targets TO obelus_app;
GRANT UPDATE (state, evidence, changed_at) ON public.erasure_targets TO obelus_app;
GRANT SELECT (id, request, kind, state, changed_at) ON public.erasure_targets TO obelus_auditor;

-- verification_runs: results are added; the protocol is fixed before anything is measured.
-- Hidden from auditors: source_id (names of sources: a source may be a person's own writing).
-- Hidden from auditors: protocol (may name sources).
-- Hidden from auditors: scores_before (answers about each source by its name).
-- Hidden from auditors: results (answers about each source by its name).
GRANT SELECT, INSERT ON public.verification_runs TO obelus_app;
GRANT UPDATE (phase, scores_before, results, results_digest, verdict, statement, circumstances, finished_at) ON public.verification_runs TO obelus_app;
GRANT SELECT (id, request, model, protocol_digest, protocol_statement, phase, results_digest, verdict, statement, started_at, finished_at, repeats, job, circumstances) ON public.verification_runs TO obelus_auditor;

-- certificates: it is suspended, renewed or revoked; what it says never changes.
-- Hidden from auditors: source_id (names of sources: a source may be a person's own writing).
GRANT SELECT, INSERT ON public.certificates TO obelus_app;
GRANT UPDATE (status, changed_at) ON public.certificates TO obelus_app;
GRANT SELECT (id, request, model, status, level, verdict, issued_at, path, verification_run, statement, valid_until, follows, changed_at) ON public.certificates TO obelus_auditor;

-- incidents: a person closes it; what was found stays.
-- Hidden from auditors: closed_by (names a person; the audit trail says who acted).
-- Hidden from auditors: reason (what a person wrote).
GRANT SELECT, INSERT ON public.incidents TO obelus_app;
GRANT UPDATE (closed_at, closed_by, reason) ON public.incidents TO obelus_app;
GRANT SELECT (id, certificate, request, kind, run, verdict, detail, opened_at, closed_at) ON public.incidents TO obelus_auditor;

-- status_lists: the bytes of the last list alone are kept.
GRANT SELECT, INSERT ON public.status_lists TO obelus_app;
GRANT UPDATE (list) ON public.status_lists TO obelus_app;
GRANT SELECT (sequence, list, list_digest, statement, made_at, next_update) ON public.status_lists TO obelus_auditor;

-- audit_schedules: it becomes due and ends; what it asks for stays.
-- Hidden from auditors: created_by (names a person; the audit trail says who acted).
GRANT SELECT, INSERT ON public.audit_schedules TO obelus_app;
GRANT UPDATE (last_due_at, removed_at) ON public.audit_schedules TO obelus_app;
GRANT SELECT (id, scope, subject, cron, protocol, created_at, last_due_at, removed_at) ON public.audit_schedules TO obelus_auditor;

-- jobs: workers take, keep and end them; what is to be done stays.
-- Hidden from auditors: token (whoever knows it could end another's work).
-- Hidden from auditors: outcome (a message, which may quote names of sources).
-- Hidden from auditors: ordered_by (names a person; the audit trail says who acted).
GRANT SELECT, INSERT ON public.jobs TO obelus_app;
GRANT UPDATE (state, run_after, attempts, token, leased_until, outcome, finished_at, progress) ON public.jobs TO obelus_app;
GRANT SELECT (id, kind, subject, reason, schedule, due_at, state, run_after, attempts, leased_until, enqueued_at, finished_at, argument, progress) ON public.jobs TO obelus_auditor;

-- baselines: its progress and its end are recorded, and it may be asked for again; what it leaves out stays.
-- Hidden from auditors: excluded (names of sources: a source may be a person's own writing).
-- Hidden from auditors: requested_by (names a person; the audit trail says who acted).
-- Hidden from auditors: why (a message, which may quote names of sources).
GRANT SELECT, INSERT ON public.baselines TO obelus_app;
GRANT UPDATE (requested_by, requested_at, steps_done, steps_all, ended, why, ended_at) ON public.baselines TO obelus_app;
GRANT SELECT (name, model, kind, seed, panel_seed, steps, device, threads, cost, requested_at, steps_done, steps_all, ended, ended_at) ON public.baselines TO obelus_auditor;

-- blind_challenges: opening it removes the sealed file and adds the results; what was committed to stays.
-- Hidden from auditors: sealed (questions that nobody is to see before they are opened).
-- Hidden from auditors: deposited_by (names a person; the audit trail says who acted).
-- Hidden from auditors: opened_by (names a person; the audit trail says who acted).
GRANT SELECT, INSERT ON public.blind_challenges TO obelus_app;
GRANT UPDATE (sealed, results, results_digest, outcome, result, opened_by, opened_at) ON public.blind_challenges TO obelus_app;
GRANT SELECT (id, request, sealed_digest, sealed_bytes, commitment, deposit, deposited_at, results, results_digest, outcome, result, opened_at) ON public.blind_challenges TO obelus_auditor;

-- accounts: passwords change, and accounts are closed and opened again; none is removed.
-- Hidden from auditors: password_hash (made from a secret that lets its holder in).
GRANT SELECT, INSERT ON public.accounts TO obelus_app;
GRANT UPDATE (password_hash, disabled_at) ON public.accounts TO obelus_app;
GRANT SELECT (person, created_at, disabled_at) ON public.accounts TO obelus_auditor;

-- sessions: they are used, ended, and removed once they have run out.
-- Hidden from auditors: token_hash (made from a secret that lets its holder in).
-- Hidden from auditors: user_agent (tells the devices of a person).
GRANT SELECT, INSERT, DELETE ON public.sessions TO obelus_app;
GRANT UPDATE (seen_at, stepped_up_at, revoked_at) ON public.sessions TO obelus_app;
GRANT SELECT (person, request, created_at, seen_at, expires_at, stepped_up_at, revoked_at) ON public.sessions TO obelus_auditor;

-- one_time_links: each works once, and is removed when it has run out.
-- Hidden from auditors: token_hash (made from a secret that lets its holder in).
-- Hidden from auditors: subject (names a person; the audit trail says who acted).
GRANT SELECT, INSERT, DELETE ON public.one_time_links TO obelus_app;
GRANT UPDATE (used_at) ON public.one_time_links TO obelus_app;
GRANT SELECT (purpose, created_at, expires_at, used_at) ON public.one_time_links TO obelus_auditor;

-- request_drafts: answers are changed until a request is sent, and removed with that or when their day is over.
-- Hidden from auditors: token_hash (made from a secret that lets its holder in).
-- Hidden from auditors: sealed (what a person wrote, encrypted under a key that their browser alone has).
GRANT SELECT, INSERT, DELETE ON public.request_drafts TO obelus_app;
GRANT UPDATE (sealed, saved_at, expires_at) ON public.request_drafts TO obelus_app;
GRANT SELECT (saved_at, expires_at) ON public.request_drafts TO obelus_auditor;

-- api_tokens: they are used and revoked; what one may do stays.
-- Hidden from auditors: name (what a person wrote).
-- Hidden from auditors: token_hash (made from a secret that lets its holder in).
GRANT SELECT, INSERT ON public.api_tokens TO obelus_app;
GRANT UPDATE (last_used_at, revoked_at) ON public.api_tokens TO obelus_app;
GRANT SELECT (id, person, scopes, created_at, expires_at, last_used_at, revoked_at) ON public.api_tokens TO obelus_auditor;

-- access_grants: a grant ends or is taken back; what it shows stays.
-- Hidden from auditors: matter (what a person wrote).
-- Hidden from auditors: given_by (names a person; the audit trail says who acted).
-- Hidden from auditors: revoked_by (names a person; the audit trail says who acted).
GRANT SELECT, INSERT ON public.access_grants TO obelus_app;
GRANT UPDATE (revoked_at, revoked_by) ON public.access_grants TO obelus_app;
GRANT SELECT (id, person, starts_at, ends_at, draws, given_at, revoked_at) ON public.access_grants TO obelus_auditor;

-- access_grant_cases: a grant is given for cases, and a sample adds what it drew.
GRANT SELECT, INSERT ON public.access_grant_cases TO obelus_app;
GRANT SELECT (access_grant, request, sample, added_at) ON public.access_grant_cases TO obelus_auditor;

-- samples: the seed is revealed once; what is drawn from stays.
GRANT SELECT, INSERT ON public.samples TO obelus_app;
GRANT UPDATE (seed, revealed_at) ON public.samples TO obelus_app;
GRANT SELECT (id, person, access_grant, seed_digest, size, population, population_digest, committed_at, seed, revealed_at) ON public.samples TO obelus_auditor;

COMMIT;
