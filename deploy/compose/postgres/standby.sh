#!/bin/sh
# Starts the standby: a copy of the primary when there is none yet, then whatever the primary writes.
# To promote it: docker compose exec postgres-standby pg_ctl promote -D /var/lib/postgresql/data
set -eu
data=${PGDATA:-/var/lib/postgresql/data}
umask 077
export PGPASSFILE="${TMPDIR:-/tmp}/pgpass"
printf '*:*:*:replication:%s\n' "$(cat /run/secrets/replication_password)" >"$PGPASSFILE"
if [ ! -s "$data/PG_VERSION" ]; then
    find "$data" -mindepth 1 -delete # what a copy that was cut off has left
    pg_basebackup --pgdata="$data" --host=postgres --username=replication --slot=standby --wal-method=stream \
        --checkpoint=fast --write-recovery-conf
fi
chmod 700 "$data" # a fresh volume is open to all, and the server refuses that
exec postgres -D "$data" -c config_file=/etc/lorry/postgresql.conf \
    -c "primary_conninfo=host=postgres user=replication passfile=$PGPASSFILE application_name=standby" \
    -c primary_slot_name=standby -c synchronous_standby_names= "$@" # once promoted it waits for nobody
