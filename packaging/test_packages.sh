#!/usr/bin/env bash
# Installs the built packages in a clean Debian 12 and follows docs/getting-started.md there, word by word.
#
#     packaging/test_packages.sh [FOLDER]      where the .deb files are; build/packages by default
#
# Needs root and debootstrap. What it makes is in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$(realpath "${1:-build/packages}")
root=$(mktemp -d)
trap 'umount "$root/dev/null" 2>/dev/null || true; rm -rf "$root"' EXIT
mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' "Created-By: Packages" |
  awk '$2 == "bookworm" { print $1; exit }')

echo "== a clean root (a minute)"
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
# As this machine reaches its packages, so does the clean root.
cp -a /etc/apt/. "$root/etc/apt/"
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
mkdir "$root/page"
cp "$packages"/*.deb "$root/page"

echo "== docs/getting-started.md"
python3 - docs/getting-started.md "$root/page" <<'PYTHON'
import pathlib, re, sys
page, folder = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
for name, text in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", page, re.S):
    (folder / name).write_text(text)
install, *rest = re.findall(r"```sh\n(.*?)```", page, re.S)
(folder / "install.sh").write_text("set -eux\n" + install)
(folder / "follow.sh").write_text("set -euxo pipefail\nset -m\n" + "\n".join(rest))
PYTHON
in_root=(chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 /bin/bash -c)
"${in_root[@]}" "cd /page && bash install.sh" >"$root/log" 2>&1 || { tail -40 "$root/log" >&2; exit 1; }
# A network and processes of its own: whoever else listens at 8080 here is not met, and nothing is left behind.
unshare --net --pid --fork --kill-child /bin/bash -c 'ip link set lo up && exec "$@"' - \
  "${in_root[@]}" "cd /page && bash follow.sh" >"$root/log" 2>&1 || { tail -40 "$root/log" >&2; exit 1; }
tail -45 "$root/log"
[ "$(grep -c "^1 delivered" "$root/log")" = 2 ]
echo "== the page ends with a delivered event"
cp tests/consumers/relay.cpp tests/consumers/kafka_relay.cpp "$root/page"
cat >"$root/page/relays.sh" <<'RELAYS'
set -eux
apt-get install -y --no-install-recommends ./liboutbox-*-dev_*.deb
g++ -std=c++20 relay.cpp -o relay $(pkg-config --cflags --libs outbox-nats)
g++ -std=c++20 kafka_relay.cpp -o kafka_relay $(pkg-config --cflags --libs outbox-kafka)
./relay
./kafka_relay
RELAYS
"${in_root[@]}" "cd /page && bash relays.sh" >"$root/log" 2>&1 || { tail -40 "$root/log" >&2; exit 1; }
echo "== programs that relay are built with the relays' packages"
ours=$(chroot "$root" dpkg-query --show --showformat '${Package} ${source:Package}\n' | awk '$2 == "outbox" { print $1 }')
[ "$(wc -l <<<"$ours")" = 7 ]
# shellcheck disable=SC2086
chroot "$root" dpkg --verify $ours
# shellcheck disable=SC2086
chroot "$root" dpkg --purge $ours >/dev/null
[ -z "$(find "$root/usr" -name '*outbox*')" ]
echo "== purged without a trace"
