#!/usr/bin/env bash
# The tour of README.md, run for real: a server of its own on a free port with an empty folder, then the commands that
# README shows, word for word (test_tour.py holds the two together). Prints what they print; the exit status is that of
# the first command that fails, and a refused request is a failure.
# Usage: tour.sh LORRY
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
# Who asks with whose token: as TOKEN PATH [CURL OPTION]...
as() { curl -sS --fail-with-body -H "Authorization: Bearer $1" "$api$2" "${@:3}"; }
token() { jq -er .access_token; }

# The first admin is made on the machine itself; or at /setup, with the code that the server has printed.
echo 'correct horse 9' | build/lorry user add --role admin --email boss@example.com --name 'Bea Boss'

# A customer and a driver register; the admin signs in.
asha=$(curl -sS --fail-with-body "$api/auth/register" --json '{"role": "customer", "name": "Asha Rao",
    "email": "asha@example.com", "password": "correct horse 9", "phone": "+46701234567"}' | token)
ola=$(curl -sS --fail-with-body "$api/auth/register" --json '{"role": "driver", "name": "Ola Berg",
    "email": "ola@example.com", "password": "correct horse 9", "phone": "+46707654321"}' | token)
boss=$(curl -sS --fail-with-body "$api/auth/login" --json '{"email": "boss@example.com",
    "password": "correct horse 9"}' | token)

# Ola says what he drives, the admin approves him, he goes on duty and reports where he is.
driver=$(as "$ola" /driver -X PUT --json '{"vehicle": {"class": "van", "plate": "ABC123", "capacity_kg": 800}}' | jq -er .id)
as "$boss" "/drivers/$driver" -X PATCH --json '{"status": "approved"}' | jq -c '{name, status, duty}'
as "$ola" /driver/duty --json '{"duty": "on"}' | jq -c '{name, status, duty}'
as "$ola" /driver/locations --json "{\"fixes\": [{\"at\": \"$(date -u +%FT%TZ)\", \"lat\": 57.7120, \"lng\": 11.9700}]}" |
    jq -c .

# Asha asks for a price, from Drottningtorget to Korsvägen in Göteborg, and books it.
quote=$(as "$asha" /quotes --json '{"vehicle": "van", "stops": [{"lat": 57.7089, "lng": 11.9746,
    "address": "Drottningtorget"}, {"lat": 57.6969, "lng": 11.9865, "address": "Korsvägen"}]}' | jq -c '.quotes[0]')
jq -c '{distance_m, duration_s, pickup_eta_s, currency, total}, .items[]' <<<"$quote"
booking=$(as "$asha" /bookings -H 'Idempotency-Key: tour-1' --json "{\"quote_id\": $(jq .id <<<"$quote"),
    \"notes\": \"ring twice\", \"stops\": [{}, {\"contact\": {\"name\": \"Bo Ek\", \"phone\": \"+46702223344\"}}]}")
jq -c '{id, code, state, version}' <<<"$booking"
id=$(jq -er .id <<<"$booking")

# A moment later Ola is asked, and accepts.
until offer=$(as "$ola" /driver/offers | jq -ce '.items[0]'); do sleep 0.1; done
jq -c '{pickup, dropoff}, {pickup_distance_m, pickup_eta_s, earning}' <<<"$offer"
as "$ola" "/bookings/$id/accept" --json "{\"offer_id\": $(jq .id <<<"$offer")}" | jq -c '{state, version}'

# Who waits for the goods needs no account, only the link.
curl -sS --fail-with-body "$api/track/$(jq -er .tracking_token <<<"$booking")" | jq -c '.state, .driver, .position'

# Ola drives, and the booking follows.
for status in arrived_pickup picked_up arrived_dropoff delivered; do
    as "$ola" "/bookings/$id/status" --json "{\"status\": \"$status\"}" | jq -c '[.state, .stops[].state]'
done

# Asha rates him; then everybody looks at what has come of it.
as "$asha" "/bookings/$id/rating" --json '{"stars": 5, "comment": "Careful with the boxes"}' | jq -c .rating
as "$asha" "/bookings/$id/timeline" | jq -r '.items[] | "\(.seq) \(.type) by \(.actor.kind)"'
as "$boss" "/bookings/$id/dispatch" | jq -c '.rounds[].candidates[] | {name, rank, distance_m, pickup_eta_s, outcome, reason}'
until as "$ola" /driver/earnings | jq -ce 'select(.bookings == 1) | {currency, total, bookings}'; do sleep 0.1; done
# ---- README ends ----
