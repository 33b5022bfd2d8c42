#!/usr/bin/env bash
# Builds the web app into BUILD/web, where build/lorry finds it; does nothing when that is newer than its sources.
# Usage: build-web.sh BUILD [COMMAND]...     with COMMANDs (npm scripts, such as "test"): runs those, too
#
# Debian 12's Node.js is too old for the tools: npm brings a newer one into web/.tools, for this folder only.
set -euo pipefail
build=$(realpath -m "$1")
shift
cd "$(dirname "$0")/../web"

say() {
    printf '%s\n' "$1" >&2
}
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        say "build-web: \"$*\" failed (its last lines are above)"
        exit 1
    fi
    rm -f "$log"
}

newest() {
    find package-lock.json index.html vite.config.ts tsconfig.json scripts src public ../api/openapi.yaml ../api/asyncapi.yaml \
        -type f ! -name schema.d.ts ! -name tokens.css -newer "$1" -print -quit
}
stamp=$build/web/index.html
if [ $# -eq 0 ] && [ -f "$stamp" ] && [ -z "$(newest "$stamp")" ]; then
    exit 0
fi

if ! .tools/node_modules/.bin/node --version >/dev/null 2>&1; then
    say 'Fetching Node.js for the web app'
    quietly npm install --no-audit --no-fund --prefix .tools node@24 npm@11
fi
export BUILD_FOLDER=$build
export PATH=$PWD/.tools/node_modules/.bin:$PATH
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say 'Fetching the packages of the web app (about 400 MB)'
    quietly npm ci --no-audit --no-fund
    touch node_modules/.package-lock.json
fi
if [ ! -f "$stamp" ] || [ -n "$(newest "$stamp")" ]; then
    say 'Building the web app'
    quietly npm run build
    rm -rf "$build/web.new"
    mkdir -p "$build"
    cp -R dist "$build/web.new"
    rm -rf "$build/web"
    mv "$build/web.new" "$build/web"
fi
for command in "$@"; do
    npm run --silent "$command"
done
