#!/usr/bin/env bash
# The walk of docs/tour.md, run for real: a server of its own on a free port with an empty folder, then the commands that
# the page shows, word for word (test_tour.py holds the two together). Prints what they print; the exit status is that of
# the first command that fails, and a refused request is a failure.
# Usage: tour_roles.sh LORRY
set -euo pipefail

home=$(mktemp -d "${TMPDIR:-/tmp}/lorry-tour.XXXXXX")
mkdir "$home/build"
ln -s "$(realpath "$1")" "$home/build/lorry"
cd "$home"
leave() {
    kill "$server" 2>/dev/null || true
    wait "$server" || true
    rm -rf "$home"
}
build/lorry serve --listen 127.0.0.1:0 >said 2>log &
server=$!
trap leave EXIT
until api=$(grep -o 'http://127.0.0.1:[0-9]*/v1' said); do
    kill -0 "$server" || { cat said log >&2 && exit 1; }
    sleep 0.05
done

# ---- README begins ----
as() { curl -sS --fail-with-body -H "Authorization: Bearer $1" "$api$2" "${@:3}"; }
token() { jq -er .access_token; }
enter() { curl -sS --fail-with-body "$api/auth/$1" --json "$2" | token; }
P='"password": "correct horse 9"'

# The admin is made on the machine itself, and makes a dispatcher of somebody who has registered.
echo 'correct horse 9' | build/lorry user add --role admin --email boss@example.com --name 'Bea Boss'
boss=$(enter login "{\"email\": \"boss@example.com\", $P}")
dora=$(enter register "{\"role\": \"customer\", \"name\": \"Dora Desk\", \"email\": \"dora@example.com\", $P}")
as "$boss" "/users/$(as "$dora" /me | jq -r .id)" -X PATCH --json '{"role": "dispatcher"}' | jq -c '{name, role}'
dora=$(enter login "{\"email\": \"dora@example.com\", $P}")

# The admin sets the prices: tax, a fee for late cancelling, and the clock that days are counted by.
as "$boss" /tariffs | jq '{currency, items, timezone: "Europe/Stockholm", taxes: [{name: "VAT", rate_bp: 2500}],
    taxes_included: true, cancellation: {free_minutes: 0, assigned_percent: 10, arrived_percent: 50}}' >tariffs.json
as "$boss" /tariffs -X PUT --json @tariffs.json | jq -c '{version, timezone, taxes, cancellation}'

# The driver says what he drives, is approved, and goes on duty.
ola=$(enter register "{\"role\": \"driver\", \"name\": \"Ola Berg\", \"email\": \"ola@example.com\", $P}")
driver=$(as "$ola" /driver -X PUT --json '{"vehicle": {"class": "van", "plate": "ABC123", "capacity_kg": 800}}' | jq -er .id)
as "$boss" "/drivers/$driver" -X PATCH --json '{"status": "approved"}' | jq -c '{name, status}'
as "$ola" /driver/duty --json '{"duty": "on"}' | jq -c '{duty}'
as "$ola" /driver/locations --json "{\"fixes\": [{\"at\": \"$(date -u +%FT%TZ)\", \"lat\": 57.7120, \"lng\": 11.9700}]}" | jq -c .

# The customer asks for a price, books, and the driver takes it.
asha=$(enter register "{\"role\": \"customer\", \"name\": \"Asha Rao\", \"email\": \"asha@example.com\", $P}")
book() {
    quote=$(as "$asha" /quotes --json '{"vehicle": "van", "stops": [{"lat": 57.7089, "lng": 11.9746}, {"lat": 57.6969, "lng": 11.9865}]}')
    id=$(as "$asha" /bookings --json "{\"quote_id\": $(jq '.quotes[0].id' <<<"$quote"), \"stops\": [{}, {}]}" | jq -er .id)
    until offer=$(as "$ola" /driver/offers | jq -e '.items[0].id'); do sleep 0.1; done
    as "$ola" "/bookings/$id/accept" --json "{\"offer_id\": $offer}" | jq -c '{state, price: .price.total}'
}
book

# He drives it; she rates it; whoever books once more and cancels late pays for that.
for step in arrived_pickup:0 picked_up:0 arrived_dropoff:1 delivered:1; do
    as "$ola" "/bookings/$id/status" --json "{\"status\": \"${step%:*}\", \"stop\": ${step#*:}}" | jq -c '{state}'
done
as "$asha" "/bookings/$id/rating" --json '{"stars": 5}' | jq -c .rating
as "$boss" "/bookings/$id/ledger" | jq -c '.items[] | {account, code, amount}'
book
as "$asha" "/bookings/$id/cancellation" | jq -c '{allowed, fee}'
as "$asha" "/bookings/$id/cancel" --json '{"reason": "not today"}' | jq -c '{state, cancel_fee}'

# The dispatcher reads what has happened, and may not change what only an admin may.
until [ "$(as "$dora" /reports/ratings | jq .totals.ratings)" = 1 ]; do sleep 0.1; done
for report in bookings acceptance revenue cancellations; do
    as "$dora" "/reports/$report" | jq -c '{report, timezone, totals} | del(.totals.assign_wait)'
done
as "$dora" '/reports/revenue?by=class&format=csv'
as "$dora" /tariffs -X PUT --json @tariffs.json 2>/dev/null | jq -c '{type, status}' || true

# A machine comes with a key that may read reports, and nothing else.
key=$(as "$boss" /api-keys --json '{"name": "book-keeping", "scopes": ["reports:read"]}' | jq -er .key)
as "$key" '/reports/earnings?by=driver' | jq -c '.items[].values'
as "$key" /bookings 2>/dev/null | jq -c '{type, status}' || true

# Everybody sees where he is signed in, and may take along what the house knows of him, or leave for good.
as "$asha" /me/sessions | jq -c '.items[] | {current}'
as "$asha" /me/export | jq -c '{account: .account.email, sessions: (.sessions | length)}'
as "$asha" /me -X DELETE --json "{$P}"
until as "$dora" "/bookings/$id" | jq -e '.reason == null' >answer; do sleep 0.1; done
as "$boss" "/users?role=customer" | jq -c '.items[] | {name, disabled}'

# The audit log has what was done by somebody's office.
as "$boss" /audit | jq -c '.items[] | {action, actor_role, before, after}' | sort -u | grep -v tariff
# ---- README ends ----
