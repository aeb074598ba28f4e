#!/usr/bin/env bash
# The group roles and the users of docker-compose.yml, made when the database is made. What the roles may do comes after
# the tables, from `obelus database grant`. Not here: passwords, which are files.
set -euo pipefail

secrets=${OBELUS_SECRETS:-/run/secrets}
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-obelus}" <<SQL
-- psql reads the files itself: a password in an argument would be in the list of processes.
\\set migrator \`cat "$secrets/migrator_password"\`
\\set portal \`cat "$secrets/portal_password"\`
\\set auditor \`cat "$secrets/auditor_password"\`
BEGIN;
CREATE ROLE obelus_owner NOLOGIN;
CREATE ROLE obelus_app NOLOGIN;
CREATE ROLE obelus_audit NOLOGIN;
CREATE ROLE obelus_auditor NOLOGIN;
-- The owner of the database may make tables in it and grant on them without being superuser.
ALTER DATABASE ${POSTGRES_DB:-obelus} OWNER TO obelus_owner;
CREATE ROLE migrator LOGIN PASSWORD :'migrator' IN ROLE obelus_owner;
-- What it makes belongs to the role, and not to this user.
ALTER ROLE migrator SET role = 'obelus_owner';
CREATE ROLE portal LOGIN PASSWORD :'portal' IN ROLE obelus_app;
CREATE ROLE auditor LOGIN PASSWORD :'auditor' IN ROLE obelus_app;
COMMIT;
SQL
