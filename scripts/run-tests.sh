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
rm -f "$log"
status=0
"${launcher[@]}" meson test "${arguments[@]}" "$@" </dev/null || status=$?

python3 - "$log" "$status" <<'END'
import json, sys

log, status = sys.argv[1], int(sys.argv[2])
try:
    with open(log, encoding="utf-8") as lines:
        results = [json.loads(line)["result"] for line in lines]
except FileNotFoundError:
    results = []
skipped = results.count("SKIP")
passed = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
failed = len(results) - passed - skipped
if failed == 0 and (status != 0 or passed == 0):
    failed = 1  # Meson itself failed, or there was nothing to run: never green by accident
    print("no test ran to its end" if not results else f"meson test ended with status {status}")
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed else 0)
END
