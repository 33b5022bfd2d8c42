#!/usr/bin/env bash
# Installs the Debian package in a Debian 12 that has nothing else, starts what the package brings as the account that it
# makes, and removes it again. Takes a minute; it needs root and mmdebstrap (install-deps.sh image).
# Usage: install.sh PACKAGE            Exit status 77 if it cannot be done here.
set -euo pipefail
package=$(realpath "$1")

skip() {
    printf 'install: skipped: %s\n' "$1" >&2
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip 'needs root'
command -v mmdebstrap >/dev/null || skip 'there is no mmdebstrap'
if [ "${2:-}" != inside ]; then # in a mount and process namespace of its own: all ends with it
    exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$package" inside
fi

root=$(mktemp -d)
log=$root.log
mount -t tmpfs -o size=3g tmpfs "$root"
trap 'umount -l "$root"; rmdir "$root"; rm -f "$log"' EXIT
said() { printf '%4d s  %s\n' "$SECONDS" "$1"; }
fail() {
    printf 'install: %s\n' "$1" >&2
    tail -n 20 "$log" >&2
    exit 1
}
within=(chroot "$root" env -i DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin)
inside() { "${within[@]}" "$@"; }

base=${LORRY_IMAGE_BASE:-$root.tar} # a built one may be given
if [ ! -f "$base" ]; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$base" >"$log" 2>&1 || fail 'mmdebstrap failed'
fi
tar xf "$base" -C "$root"
[ "$base" != "$root.tar" ] || rm -f "$base"
cp "$package" "$root/tmp/lorry.deb"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is started: there is no systemd that runs
chmod 755 "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
said 'a Debian 12 with nothing else'

{ inside apt-get update && inside apt-get install -y --no-install-recommends /tmp/lorry.deb; } >"$log" 2>&1 || fail 'apt-get failed'
inside getent passwd lorry | grep -q ':/var/lib/lorry:/usr/sbin/nologin$' || fail 'there is no account lorry'
[ -L "$root/etc/systemd/system/multi-user.target.wants/lorry.service" ] || fail 'the service is not enabled'
inside lorry config --config /etc/lorry/lorry.conf >"$log" 2>&1 || fail 'its own settings are refused'
said 'installed'

install -d -m 700 -o "$(inside id -u lorry)" -g "$(inside id -g lorry)" "$root/var/lib/lorry" # as StateDirectory= does
"${within[@]}" setpriv --reuid lorry --regid lorry --clear-groups lorry serve --config /etc/lorry/lorry.conf --listen 127.0.0.1:0 \
    >"$log" 2>&1 &
pid=$!
port=
for _ in $(seq 100); do
    port=$(sed -n 's|.*http://127\.0\.0\.1:\([0-9]*\)/v1.*|\1|p' "$log")
    if [ -n "$port" ] && [ "$(inside lorry health --listen "127.0.0.1:$port" 2>/dev/null)" = ready ]; then break; fi
    sleep 0.1
done
[ "$(inside lorry health --listen "127.0.0.1:$port")" = ready ] || fail 'it is not ready'
kill -TERM "$pid"
wait "$pid" || fail "SIGTERM ended it with status $?"
said 'ready as the account lorry, drained on SIGTERM'

inside apt-get purge -y lorry >"$log" 2>&1 || fail 'it could not be removed'
[ ! -e "$root/etc/lorry" ] || fail 'settings are left'
[ -f "$root/var/lib/lorry/lorry.db" ] || fail 'removing it has taken the data along'
said 'removed; the data stay'
echo '1 passed, 0 failed'
