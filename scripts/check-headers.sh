#!/usr/bin/env bash
# Checks that every header under src/ compiles alone, and twice over: it includes what it needs, and is guarded.
# Usage: check-headers.sh     Exit status 1 if one does not.
set -euo pipefail
cd "$(dirname "$0")/.."

check_one() { # the path under src/, as the sources write it
    printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
        cc -x c -std=gnu11 -D_GNU_SOURCE -Isrc -I/usr/share/include/llhttp -I/usr/include/postgresql \
            -isystem /usr/include/libmongoc-1.0 -isystem /usr/include/libbson-1.0 -fsyntax-only -Wall -Wextra -Wconversion \
            -Wshadow -Wstrict-prototypes -Werror - || {
        printf 'src/%s:1: does not compile alone\n' "$1" >&2
        return 1
    }
}
export -f check_one

# shellcheck disable=SC2016 # $1 is for the inner shell
find src -name '*.h' -printf '%P\0' | sort -z |
    xargs -0 -P "$(nproc)" -n 1 bash -c 'check_one "$1"' check-headers
