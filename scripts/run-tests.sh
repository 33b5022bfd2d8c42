#!/usr/bin/env bash
# Runs Meson's tests in a folder that has been built. The last line stands alone: "N passed, N failed", after
# which ", N skipped" may follow.
# Usage: run-tests.sh BUILD [SUITE] [TEST]...     Exit status 0 only if something ran and nothing failed.
set -euo pipefail
build=$1
suite=${2:-}
shift
[ $# -eq 0 ] || shift

arguments=(-C "$build" --no-rebuild --print-errorlogs --num-processes "$(nproc)")
if [ -n "$suite" ]; then
    arguments+=(--suite "$suite")
elif [ $# -eq 0 ]; then
    arguments+=(--no-suite cluster) # these take minutes: make test-cluster
fi
launcher=()

# A sanitizer's finding ends the program that made it; UBSan would otherwise only mention it.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
suppressions=$(dirname "$(realpath "$0")")/../tests/tsan-suppressions.txt
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:suppressions=$suppressions}
case $build in
*tsan*)
    arguments+=(--timeout-multiplier 10)
    # Kernels that randomise addresses by more than 28 bits leave ThreadSanitizer no room for its shadow.
    if setarch -R true 2>/dev/null; then launcher=(setarch -R); fi
    ;;
*san*) arguments+=(--timeout-multiplier 5) ;;
esac

log=$build/meson-logs/testlog.json
first=$build/meson-logs/testlog-first.json
rm -f "$log" "$first"
status=0
"${launcher[@]}" meson test "${arguments[@]}" "$@" </dev/null || status=$?

# Integration on shared machines: what failed is given a second try, and is named if that goes well. At a
# developer's desk a test that fails now and then is a failure to look into.
again=()
if [ "${CI:-}" = true ] && [ "$status" -ne 0 ] && [ -f "$log" ]; then
    mapfile -t again < <(python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL"):
        print(test["name"].rpartition(" / ")[2])' "$log")
fi
if [ ${#again[@]} -ge 1 ] && [ ${#again[@]} -le 3 ]; then
    printf 'Once more: %s\n' "${again[*]}"
    cp "$log" "$first"
    status=0
    "${launcher[@]}" meson test "${arguments[@]}" "${again[@]}" </dev/null || status=$?
fi

python3 - "$log" "$status" "$first" <<'END'
import json, sys

log, status, first = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def read(path):
    try:
        with open(path, encoding="utf-8") as lines:
            return {test["name"]: test["result"] for test in map(json.loads, lines)}
    except FileNotFoundError:
        return {}


before, last = read(first), read(log)
for name in sorted(before.keys() & last.keys()):
    print(f"{name}: {before[name]}, at the second try {last[name]}")
results = list((before | last).values())
skipped = results.count("SKIP")
passed = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
failed = len(results) - passed - skipped
if failed == 0 and (status != 0 or passed == 0):
    failed = 1  # Meson itself failed, or there was nothing to run: never green by accident
    print("no test ran to its end" if not results else f"meson test ended with status {status}")
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed else 0)
END
