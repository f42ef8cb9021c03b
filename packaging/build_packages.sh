#!/usr/bin/env bash
# Builds the Debian packages of the last commit and checks them with lintian.
#
#     packaging/build_packages.sh [FOLDER]     where the .deb files go; build/packages by default
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "${1:-$root/build/packages}")
cd "$root"

source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT

for tool in git dpkg-buildpackage dh lintian; do
  command -v "$tool" >/dev/null || { echo "missing: $tool; apt-get install git debhelper lintian" >&2; exit 1; }
done
dpkg-checkbuilddeps packaging/debian/control || {
  echo "apt-get install them first" >&2
  exit 1
}
echo "== copy of $(git describe --always)"
mkdir "$source/outbox"
git archive HEAD | tar -x -C "$source/outbox"
mv "$source/outbox/packaging/debian" "$source/outbox/debian"

echo "== build (some minutes)"
(cd "$source/outbox" && dpkg-buildpackage --build=binary --no-sign >"$source/log" 2>&1) || {
  tail -40 "$source/log" >&2
  exit 1
}
echo "== lintian"
# What only an upload to Debian has: a bug number that it closes.
lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$source"/outbox_*.changes
mkdir -p "$folder"
mv "$source"/*.deb "$folder"
ls -l "$folder"/*.deb
