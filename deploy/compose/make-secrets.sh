#!/bin/sh
# Makes what is missing in secrets/: random passwords, the URLs with them, and a certificate that signs itself, to be
# replaced by a real one. What is there stays.
# Usage: make-secrets.sh [FOLDER]          (default: secrets/ beside this script)
set -eu
folder=${1:-$(dirname "$0")/secrets}
# The folder is closed to others; the files are not, because each container reads them as a user of its own.
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
umask 022

keep() { # FILE: from standard input, unless it is there
    if [ -s "$1" ]; then cat >/dev/null; else cat >"$1.new" && mv "$1.new" "$1"; fi
}
random() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

for name in postgres replication rabbitmq redis grafana; do
    random | keep "${name}_password"
done
random | keep rabbitmq_cookie

# Both servers are named: after the standby was promoted it is found without a change here.
printf 'postgresql://lorry:%s@postgres,postgres-standby/lorry?target_session_attrs=read-write' "$(cat postgres_password)" |
    keep store_url
printf 'postgresql://lorry:%s@postgres-standby/lorry' "$(cat postgres_password)" | keep store_read_url
printf 'amqp://lorry:%s@rabbitmq-1,rabbitmq-2,rabbitmq-3/' "$(cat rabbitmq_password)" | keep bus_url
printf 'redis+sentinel://:%s@sentinel-1,sentinel-2,sentinel-3/lorry/0' "$(cat redis_password)" | keep cache_url

if [ ! -s tls_key ] || [ ! -s tls_certificate ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=${SERVER_NAME:-localhost}" \
        -addext "subjectAltName=DNS:${SERVER_NAME:-localhost}" -keyout tls_key -out tls_certificate 2>/dev/null
    chmod 644 tls_key
fi
