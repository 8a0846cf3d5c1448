#!/bin/sh
# Run by the PostgreSQL image when it makes the database, after roles.sql: the roles' passwords.
set -eu
for role in sdkportal_owner sdkportal; do
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
        --set role="$role" --set password="$(cat "/run/secrets/$role")" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
