#!/usr/bin/env bash
# A peer beside outbox: plainjob on better-sqlite3, a durable queue in SQLite for Node. Needs npm, the
# package registry, and for the first minutes a compiler; skips without them. Requires: the release build.
#
#     tools/bench/peers.sh [--quick|--full]
#
# Not the same job: plainjob's worker runs a function that does nothing, while outbox sends each event
# to a server on loopback. Both with WAL and synchronous=NORMAL, plainjob's choice.
set -euo pipefail
cd "$(dirname "$0")/../.."

size=quick count=1000 rounds=1
if [ "${1:---quick}" = --full ]; then
  size=full count=20000 rounds=5
fi
skip() { echo "peers: skipped: $*" >&2; exit 0; }
command -v npm >/dev/null && command -v node >/dev/null || skip "no npm"
bench=build/release/tools/bench/bench
[ -x "$bench" ] || skip "no release build"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
echo '{"private":true}' >"$folder/package.json"
# The versions that this script was written with.
install=(npm install --prefix "$folder" --no-audit --no-fund plainjob@0.0.14 better-sqlite3@12.11.1)
timeout 300 "${install[@]}" >"$folder/npm.log" 2>&1 || skip "npm cannot install plainjob"
timeout 400 npm rebuild --prefix "$folder" better-sqlite3 >>"$folder/npm.log" 2>&1 ||
  skip "better-sqlite3 cannot be built"
cp tools/bench/peers.mjs "$folder"

for ((i = 0; i < rounds; i++)); do
  "$bench" peer --size "$size" >>"$folder/ours"
  rm -f "$folder"/queue.db*
  timeout 180 node "$folder/peers.mjs" "$folder/queue.db" "$count" >>"$folder/theirs" ||
    skip "plainjob does not finish"
done

median() { cut -f "$2" "$folder/$1" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }
printf '%-24s %12s %12s %7s\n' "events/s, medians of $rounds" outbox plainjob ratio
column=0
for name in "enqueue one by one" "enqueue many" "drain"; do
  column=$((column + 1))
  ours=$(median ours $column)
  theirs=$(median theirs $column)
  printf '%-24s %12s %12s %7s\n' "$name" "$ours" "$theirs" \
    "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.1f", a / b }')"
done
