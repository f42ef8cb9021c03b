#!/usr/bin/env bash
# Measures the relay to NATS JetStream beside a loop of the client library, on a server of its own.
# Installs what is missing, builds the release preset, and removes what it has made.
#
#     tools/bench/relay.sh                     100,000 events, medians of 3 rounds
#     tools/bench/relay.sh --events 20000      options of relay_bench
set -euo pipefail
cd "$(dirname "$0")/../.."

tools/install_packages.sh
build_log=$(mktemp)
if ! { cmake --preset release && cmake --build --preset release --target relay_bench; } >"$build_log" 2>&1; then
  cat "$build_log" >&2
  rm -f "$build_log"
  exit 1
fi
rm -f "$build_log"

folder=$(mktemp -d)
finish() {
  [ -z "${server:-}" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

PATH=$PATH:/usr/sbin
nats-server --addr 127.0.0.1 --port -1 --jetstream --store_dir "$folder/jetstream" \
  --ports_file_dir "$folder" --log "$folder/log" &
server=$!
for _ in $(seq 200); do
  url=$(cat "$folder"/*.ports 2>/dev/null | grep -o 'nats://[^"]*' | head -1) && break
  sleep 0.05
done
build/release/tools/bench/relay_bench "${url:?the server did not start}" "$@"
