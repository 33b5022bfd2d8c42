#!/usr/bin/env bash
# Makes the Debian package of a built binary and the modules beside it.
# Usage: build.sh LORRY FOLDER        Writes FOLDER/lorry_VERSION_ARCH.deb and prints its name.
set -euo pipefail
lorry=$(realpath "$1")
folder=$(realpath "$2")
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

stage=$work/lorry
mkdir -p "$stage/man"
cp -r deploy/debian "$stage/debian"
cp deploy/systemd/lorry.service "$stage/debian/lorry.service"
cp deploy/systemd/lorry@.service "$stage/debian/lorry@.service"
cp deploy/systemd/lorry-backup.service deploy/systemd/lorry-backup.timer "$stage/debian/"
cp "$lorry" "$stage/lorry"
cp "$(dirname "$lorry")"/lorry-*.so "$stage/"
cp -r deploy/nginx deploy/prometheus deploy/grafana README.md docs "$stage/"
rm -f "$stage/nginx/kustomization.yaml" "$stage/prometheus/lorry.rules.test.yml"

# Everything that the command can tell about itself comes from the command.
"$lorry" man >"$stage/man/lorry.1"
"$lorry" man lorry.conf >"$stage/man/lorry.conf.5"
while read -r command; do
    # shellcheck disable=SC2086 # a command may have two words
    "$lorry" man $command >"$stage/man/lorry-${command// /-}.1"
done < <("$lorry" help | sed -nE 's/^  ([a-z-]+( [a-z-]+)?)  .*/\1/p')
mkdir "$stage/completions"
"$lorry" completion >"$stage/completions/lorry"

version=$("$lorry" version | sed -n '1s/^lorry //p')
date=$(LC_ALL=C date -R -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")
cat >"$stage/debian/changelog" <<END
lorry ($version) unstable; urgency=medium

  * Built from the source of this version; its history tells what has changed.

 -- $(sed -n 's/^Maintainer: //p' deploy/debian/control)  $date
END

{
    echo 'lorry usr/bin'
    echo 'lorry-*.so usr/lib/lorry'
    echo 'debian/lorry.conf etc/lorry'
    echo 'completions usr/share/bash-completion'
    echo 'nginx/nginx.conf.in nginx/render.sh usr/share/lorry/nginx'
    web=$(dirname "$lorry")/web # where `make web` leaves it
    if [ -f "$web/index.html" ]; then
        cp -r "$web" "$stage/web"
        cat >"$stage/debian/lorry.lintian-overrides" <<'END'
# The web app is served as it is: packed files beside the plain ones, and fonts of its own. It belongs to its program.
lorry: arch-dep-package-has-big-usr-share *
lorry: compressed-duplicate [usr/share/lorry/web/*]
lorry: font-in-non-font-package [usr/share/lorry/web/*]
lorry: font-outside-font-dir [usr/share/lorry/web/*]
lorry: package-contains-documentation-outside-usr-share-doc [usr/share/lorry/web/*.html]
END
        echo 'web usr/share/lorry'
    fi
} >"$stage/debian/lorry.install"
printf 'man/*\n' >"$stage/debian/lorry.manpages"
printf 'README.md\ndocs/operations.md\ndocs/backup.md\n' >"$stage/debian/lorry.docs"
printf 'prometheus\ngrafana\n' >"$stage/debian/lorry.examples"
printf 'u lorry - "Lorry" /var/lib/lorry\n' >"$stage/debian/lorry.sysusers"

if ! (cd "$stage" && dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes --no-check-builddeps) >"$work/log" 2>&1; then
    tail -n 40 "$work/log" >&2
    exit 1
fi
package=$(cd "$work" && echo lorry_*.deb)
rm -f "$folder"/lorry_*.deb # of other versions
mv "$work/$package" "$folder/$package"
printf '%s\n' "$folder/$package"
