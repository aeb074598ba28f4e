#!/usr/bin/env bash
# Makes the passwords that docker-compose.yml names, in deploy/secrets, once. Run as root: each file belongs to the one
# user who reads it, 999 (PostgreSQL's image) or 10001 (Obelus's), and to nobody else.
set -euo pipefail
umask 077

folder=$(dirname "${BASH_SOURCE[0]}")/secrets
if [ -e "$folder" ]; then
    echo "$folder is there already; move it away to make new ones, and change the users' passwords to them" >&2
    exit 1
fi
fresh=$(mktemp --directory "$folder.XXXXXX")
random() { head --bytes=32 /dev/urandom | od --address-radix=n --format=x1 | tr --delete ' \n'; }

random > "$fresh/postgres.password"
random > "$fresh/key.passphrase"
for user in migrator portal auditor; do
    password=$(random)
    printf '%s' "$password" > "$fresh/$user.password"
    printf 'postgres:5432:obelus:%s:%s\n' "$user" "$password" > "$fresh/$user.pgpass"
done
chown 999:999 "$fresh"/*.password
chown 10001:10001 "$fresh"/*.pgpass "$fresh/key.passphrase"
# At once: a folder that was half made must not look finished.
mv --no-target-directory "$fresh" "$folder"
echo "made $folder; keep a copy of key.passphrase apart from every backup of the data"
