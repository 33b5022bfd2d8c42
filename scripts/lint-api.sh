#!/usr/bin/env bash
# Holds api/*.yaml to the rules of OpenAPI and AsyncAPI, by redocly and spectral; both come by npm, into api/node_modules.
# Usage: lint-api.sh BUILD      BUILD: as for build-web.sh, which brings Node.js. Exit status 1 if there is a fault.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build-web.sh "$1" >/dev/null
export PATH=$PWD/web/.tools/node_modules/.bin:$PATH REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cd api
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    printf 'Fetching what looks at the API document (about 80 MB)\n' >&2
    npm ci --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
fi
failed=0
node_modules/.bin/redocly lint --config redocly.yaml --format=stylish openapi.yaml --max-problems=50 || failed=1
node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity=warn --quiet openapi.yaml asyncapi.yaml || failed=1
exit $failed
