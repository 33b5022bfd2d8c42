#!/usr/bin/env bash
# Builds the image of deploy/docker without a container engine, and starts what is in it: as its user, on a read-only root,
# as process 1. Takes some minutes; it needs root, buildah and mmdebstrap (install-deps.sh image).
# Usage: image.sh            Exit status 77 if it cannot be done here.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'image: skipped: %s\n' "$1" >&2
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip 'needs root'
for program in buildah mmdebstrap unshare curl; do
    command -v "$program" >/dev/null || skip "there is no $program"
done

work=$(mktemp -d /var/tmp/lorry-image.XXXXXX)
export BUILDAH_ISOLATION=chroot
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
pid=
clean_up() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    umount "$work/root/var/lib/lorry" "$work/root/tmp" "$work/root" 2>/dev/null || true
    buildah rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
said() { printf '%4d s  %s\n' "$SECONDS" "$1"; }
fail() {
    printf 'image: %s\n' "$1" >&2
    [ ! -f "$work/log" ] || tail -n 30 "$work/log" >&2
    exit 1
}

# The base: what debian:12-slim is, made from Debian itself. A built one may be given as LORRY_IMAGE_BASE (a tar).
base=${LORRY_IMAGE_BASE:-$work/base.tar}
[ -f "$base" ] || mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$base" >"$work/log" 2>&1 ||
    fail 'mmdebstrap failed'
container=$(buildah from scratch)
buildah add --quiet "$container" "$base" / >/dev/null
buildah commit --quiet "$container" localhost/lorry-base >/dev/null
buildah rm "$container" >/dev/null
said "base of $(du -h "$base" | cut -f1)"

buildah bud --quiet --format docker --build-arg BASE=localhost/lorry-base -f deploy/docker/Dockerfile -t localhost/lorry . \
    >"$work/log" 2>&1 || fail 'buildah bud failed'
said 'built'

# What the image says of itself.
buildah inspect --type image localhost/lorry >"$work/image.json"
jq -e '.Docker.config | .User == "10001:10001" and .Entrypoint == ["/usr/bin/lorry"] and .Cmd == ["serve"]
    and .StopSignal == "SIGTERM" and .Healthcheck.Test == ["CMD", "/usr/bin/lorry", "health"]
    and (.Volumes | has("/var/lib/lorry")) and (.ExposedPorts | has("8080/tcp"))' "$work/image.json" >/dev/null ||
    fail "the image's configuration is not what it should be: $(jq -c .Docker.config "$work/image.json")"

container=$(buildah from localhost/lorry)
root=$(buildah mount "$container")
said "$(du -sm "$root" | cut -f1) MB unpacked, $(du -sm "$base" | cut -f1) MB of them the base"
if [ -e "$root/src" ] || [ -e "$root/usr/bin/gcc" ]; then fail 'the tools of the build are in it'; fi
[ -z "$(find "$root" -xdev -perm /6000 -newer "$root/usr/bin/lorry" -type f)" ] || fail 'something new in it is set-uid'
[ "$(stat -c %u:%a "$root/var/lib/lorry")" = 10001:700 ] || fail 'the data folder is not its user'\''s'

# As `docker run --read-only --cap-drop ALL --tmpfs /tmp` would start it: a root that takes no writes, no capabilities,
# process 1 of its own process namespace.
mkdir "$work/root"
mount --bind "$root" "$work/root"
mount -o remount,ro,bind "$work/root"
mount -t tmpfs -o mode=700,uid=10001,gid=10001 tmpfs "$work/root/var/lib/lorry"
mount -t tmpfs tmpfs "$work/root/tmp"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
inside=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LORRY_DATA=/var/lib/lorry LORRY_LISTEN="127.0.0.1:$port")
as_user=(setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all)
# The shell that starts it says which process it is before it becomes it.
# shellcheck disable=SC2016
"${inside[@]}" unshare --pid --fork --kill-child --mount-proc --root="$work/root" \
    /bin/sh -c 'echo "$$" >/tmp/is && chmod 644 /tmp/is && exec "$@"' sh "${as_user[@]}" /usr/bin/lorry serve \
    >"$work/log" 2>&1 &
pid=$!
inside_health() { "${inside[@]}" chroot "$work/root" /usr/bin/lorry health; }
for _ in $(seq 100); do
    inside_health >/dev/null 2>&1 && break
    kill -0 "$pid" 2>/dev/null || fail 'it did not stay up'
    sleep 0.1
done
inside_health | grep -qx ready || fail 'it is not ready'
[ "$(cat "$work/root/tmp/is")" = 1 ] || fail 'it is not process 1'
lorry=$(pgrep -P "$pid")
[ "$(awk '/^Uid:/ { print $2 }' "/proc/$lorry/status")" = 10001 ] || fail 'it runs as somebody else'
grep -q 'CapEff:.*0000000000000000' "/proc/$lorry/status" || fail 'it has capabilities'
curl -sSf "http://127.0.0.1:$port/readyz" >/dev/null
[ -f "$work/root/var/lib/lorry/lorry.db" ] || fail 'its state is not in the volume'
said 'ready, as user 10001, process 1, on a read-only root'

kill -TERM "$lorry"
status=0
wait "$pid" || status=$?
pid=
[ "$status" -eq 0 ] || fail "SIGTERM ended it with status $status"
if inside_health >/dev/null 2>&1; then fail 'health says ready of nothing'; fi
said 'drained on SIGTERM, exit status 0'
echo '1 passed, 0 failed'
