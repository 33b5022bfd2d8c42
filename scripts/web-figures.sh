#!/usr/bin/env bash
# Measures the web app as it was built and writes docs/web-figures.md. Takes some minutes of a machine that is otherwise still,
# and half an hour more for the console's memory.
# Usage: web-figures.sh BUILD
#   ONLY=sizes,lighthouse,console,soak   a part; the rest of the page stays as it is      OUT=FILE   writes elsewhere
#   RUNS=3   of each page and of the console's acts     PAGE="Public tracking"   one page for Lighthouse
#   DRIVERS=5000   before the console                   SOAK_MINUTES=30
#   CITY_URL=http://… CITY_EMAIL=… CITY_PASSWORD=…      before a city that is already there (default: the demo's dispatcher)
set -euo pipefail
version=13.5.0
build=$(realpath -m "$1")
cd "$(dirname "$0")/.."
scripts/build-web.sh "$build"
cd web
export PATH=$PWD/.tools/node_modules/.bin:$PATH
lighthouse=.tools/lighthouse
if ! grep -qs "\"version\": \"$version\"" $lighthouse/node_modules/lighthouse/package.json; then
    printf 'Fetching Lighthouse (npm)\n' >&2
    npm install --no-audit --no-fund --loglevel=error --prefix $lighthouse "lighthouse@$version" </dev/null
fi
BUILD_FOLDER=$build exec node scripts/figures.ts $lighthouse
