#!/usr/bin/env bash
# Makes the stand-in for a MongoDB server in DIR, once. Exit status 77, with the reason, where it cannot be had:
# it needs Maven (with its registry within reach the first time) and a Java runtime.
# Usage: stand-in.sh DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
log=$dir/maven.log

without() {
    printf '%s\n' "$1"
    exit 77
}
for tool in mvn java; do
    command -v "$tool" >/dev/null || without "no $tool here"
done
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
[ "$dir/StandIn.class" -nt "$here/StandIn.java" ] && [ "$dir/StandIn.class" -nt "$here/pom.xml" ] && exit 0
timeout 300 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$dir/lib" \
    >"$log" 2>&1 </dev/null || without "Maven could not fetch the stand-in; see $log"
java -jar "$dir"/lib/ecj-*.jar -17 -nowarn -cp "$(printf '%s:' "$dir"/lib/*.jar)" -d "$dir" "$here/StandIn.java"
