#!/bin/bash
# Runs once, when the primary's database is made: the account that the standby follows with, its slot, and
# that commits wait for it (from the next start on, which follows).
set -euo pipefail
# From a file, so that the password stands in no list of processes.
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<SQL
\\set password \`cat /run/secrets/replication_password\`
create role replication with replication login password :'password';
select pg_create_physical_replication_slot('standby');
alter system set synchronous_standby_names = 'standby';
SQL
