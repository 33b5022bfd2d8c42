#!/usr/bin/env bash
# Every check of the source that needs no run: each is tried, even after one has failed.
# Usage: lint.sh BUILD       BUILD is a configured build folder. Exit status 1 if one failed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

check_format() {
    local file wrong=0
    while read -r file; do
        clang-format --dry-run -Werror "$file" 2>/dev/null || {
            printf '%s:1: not in the format of .clang-format; "make format" puts it right\n' "$file" >&2
            wrong=1
        }
    done < <(find src tests -name '*.[ch]' -o -name '*.cc' | sort)
    return $wrong
}
check_scripts() {
    { find scripts tests deploy .ci -name '*.sh' -o -path .ci/run; grep -rlE '^#!.*\b(ba)?sh\b' scripts tests deploy .ci; } |
        sort -u | xargs -r shellcheck
}
check_cppcheck() {
    mkdir -p "$build/cppcheck"
    cppcheck --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list=scripts/cppcheck-suppressions.txt --std=c11 --library=posix -D_GNU_SOURCE -I src \
        --cppcheck-build-dir="$build/cppcheck" -j "$(nproc)" src tests
}

failed=()
step() { # NAME COMMAND…
    local name=$1 start=$SECONDS
    shift
    if "$@"; then
        printf 'ok    %-9s %3d s\n' "$name" $((SECONDS - start))
    else
        printf 'FAIL  %-9s %3d s\n' "$name" $((SECONDS - start))
        failed+=("$name")
    fi
}

step format check_format
step layers scripts/check-layers.py
step headers scripts/check-headers.sh
step scripts check_scripts
step cppcheck check_cppcheck
step made ninja -C "$build" --quiet src/base/module_build.h # what clang-tidy must find
step tidy scripts/tidy.py "$build"
step web scripts/build-web.sh "$build" lint
step api scripts/lint-api.sh "$build"

[ ${#failed[@]} -eq 0 ] || {
    printf 'lint: %s failed\n' "${failed[*]}" >&2
    exit 1
}
