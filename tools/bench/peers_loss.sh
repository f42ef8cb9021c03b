#!/usr/bin/env bash
# What becomes of accepted events when something goes wrong: outbox beside the usual helpers of Node
# (Segment, PostHog, RudderStack: a queue in memory) and plainjob (a queue in SQLite). Each hands events to
# an endpoint on loopback, while its process is killed, the endpoint is away or in trouble, a token is
# refused, or one event is. Needs npm, the package registry, and for plainjob a compiler; skips without
# them. Takes up to ten minutes. Requires: the release build.
#
#     tools/bench/peers_loss.sh [COUNT]      2000 events each, unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/../.."

count=${1:-2000}
skip() { echo "peers_loss: skipped: $*" >&2; exit 0; }
command -v npm >/dev/null && command -v node >/dev/null || skip "no npm"
outbox=$PWD/build/release/tools/outbox/outbox
[ -x "$outbox" ] || skip "no release build"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
export TMPDIR=$folder
echo '{"private":true}' >"$folder/package.json"
# The versions that this script was written with.
packages=(@segment/analytics-node@3.1.0 posthog-node@5.70.0 @rudderstack/rudder-sdk-node@3.0.13)
packages+=(plainjob@0.0.14 better-sqlite3@12.11.1)
install=(npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts)
timeout 300 "${install[@]}" "${packages[@]}" >"$folder/npm.log" 2>&1 || skip "npm cannot install the peers"
peers=(segment posthog rudderstack plainjob)
timeout 400 npm rebuild --prefix "$folder" better-sqlite3 >>"$folder/npm.log" 2>&1 || {
  echo "peers_loss: without plainjob: better-sqlite3 cannot be built" >&2
  unset 'peers[-1]'
}
cp tools/bench/loss/*.mjs "$folder"
cd "$folder"
timeout 900 node main.mjs "$outbox" "$count" outbox "${peers[@]}"
