#!/usr/bin/env bash
# Measures the web app as it was built and writes docs/web-figures.md. Takes some minutes of a machine that is otherwise still.
# Usage: web-figures.sh BUILD         ONLY=sizes,lighthouse,console measures a part; OUT=FILE writes elsewhere
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
