#!/usr/bin/env bash
# Installs the Debian packages that are missing for the named purposes, and nothing when none is.
# Usage: install-deps.sh [build] [test] [cluster] [lint] [clang] [streets] [web] [browser] [deploy] [mongodb] [package] [image]      (default: build)
# Works as root or through sudo. LORRY_DEPS=skip trusts that everything is there already.
set -euo pipefail

packages_build=(gcc g++ libc6-dev make meson ninja-build pkgconf libuv1-dev node-llhttp libwslay-dev
    libsqlite3-dev libpq-dev libsimdjson-dev libjansson-dev libsodium-dev libssl-dev librhonabwy-dev
    libhiredis-dev librabbitmq-dev libmongoc-dev libcurl4-gnutls-dev libjpeg-dev libpng-dev libcmocka-dev)
packages_test=(tzdata python3 python3-yaml python3-jsonschema curl jq sqlite3 openssl redis-server rabbitmq-server postgresql-15
    python3-aiosmtpd tilemaker osmium-tool) # the last two are for `lorry map build` alone
packages_cluster=(python3 openssl redis-server rabbitmq-server postgresql-15 nginx-light) # all that scripts/cluster.py starts
# What deploy/ is tested with: about 45 MB to fetch, 360 MB installed, most of it Prometheus.
packages_deploy=(nginx-light openssl prometheus systemd debhelper lintian mandoc
    iproute2)
packages_mongodb=(python3-pymongo) # drops the databases of tests on somebody's own server
packages_package=(debhelper)
packages_image=(buildah mmdebstrap curl jq python3)
packages_lint=(clang clang-format clang-tidy cppcheck shellcheck git python3)
packages_clang=(clang)
packages_streets=(ca-certificates)
packages_web=(ca-certificates)
packages_browser=(chromium fonts-noto-core) # about 120 MB to fetch
command -v npm >/dev/null || packages_streets+=(npm) packages_web+=(npm) # other Node.js packages than Debian's bring npm with them

fail() {
    printf 'install-deps: %s\n' "$1" >&2
    exit 1
}

[ "${LORRY_DEPS:-}" = skip ] && exit 0

wanted=()
for purpose in "${@:-build}"; do
    case $purpose in
    build) wanted+=("${packages_build[@]}") ;;
    test) wanted+=("${packages_test[@]}") ;;
    cluster) wanted+=("${packages_cluster[@]}") ;;
    lint) wanted+=("${packages_lint[@]}") ;;
    clang) wanted+=("${packages_clang[@]}") ;;
    deploy) wanted+=("${packages_deploy[@]}") ;;
    image) wanted+=("${packages_image[@]}") ;;
    mongodb) wanted+=("${packages_mongodb[@]}") ;;
    package) wanted+=("${packages_package[@]}") ;;
    streets) wanted+=("${packages_streets[@]}") ;;
    web) wanted+=("${packages_web[@]}") ;;
    browser) wanted+=("${packages_browser[@]}") ;;
    *) fail "unknown purpose \"$purpose\"; one of build, test, cluster, lint, clang, streets, web, browser, deploy, mongodb, package, image" ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "this is not Debian or a child of it. Install the equivalents of these packages by your own \
means, then run again with LORRY_DEPS=skip:
  ${wanted[*]}"
fi

# dpkg-query exits 1 and says so on stderr for names it has never heard of: those are missing too.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    case $'\n'$installed$'\n' in
    *$'\n'"$package installed"$'\n'*) ;;
    *) [[ " ${missing[*]-} " == *" $package "* ]] || missing+=("$package") ;;
    esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
    [ -t 0 ] || as_root+=(-n) # nobody is there to type a password
    "${as_root[@]}" true || fail "these packages are missing, and installing them needs root; sudo does not give it. As root:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
fi

printf 'Installing: %s\n' "${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
log=$(mktemp)
clean_up() { rm -f "$log"; }
trap clean_up EXIT

# The programs are wanted, not daemons on their usual ports: nothing that is installed here is started.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    clean_up() { rm -f "$log" && "${as_root[@]}" rm -f "$policy"; }
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
run_apt() {
    "${apt[@]}" "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    fail "apt-get $* failed (its last lines are above)"
}
run_apt update
# How long it takes is the network's and the disk's affair; how much it is can be told.
"${apt[@]}" install --no-install-recommends --print-uris -qq "${missing[@]}" 2>/dev/null </dev/null |
    awk '{ bytes += $3 } END { printf "  %d packages with what they need, %d MB to fetch\n", NR, bytes / 1e6 + 1 }' || true
run_apt install --no-install-recommends "${missing[@]}"
