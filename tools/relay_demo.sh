#!/usr/bin/env bash
# The relay to NATS JetStream, from end to end: 10,000 events are committed in an SQLite database, relayed
# to a server that is killed in the middle, and counted there. Installs what is missing, builds, runs, and
# cleans up.
#
#     tools/relay_demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 0 ] || { echo "usage: tools/relay_demo.sh" >&2; exit 2; }

tools/install_packages.sh relay
echo "Building the CLI; the first time that takes a few minutes."
build_log=$(mktemp)
if ! cmake --preset release --fresh -DOUTBOX_BUILD_TESTS=OFF >"$build_log" 2>&1; then
  cat "$build_log" >&2
  exit 1
fi
rm -f "$build_log"
cmake --build --preset release --target outbox_cli
outbox=$PWD/build/release/tools/outbox/outbox

folder=$(mktemp -d)
nats=
relay=
finish() {
  for child in $relay $nats; do { kill "$child" && wait "$child"; } 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
cd "$folder"
PATH=$PATH:/usr/sbin
events=10000

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

# The server chooses free ports the first time, and has the same ones after it was killed.
port=-1
monitor=-1
start_server() {
  rm -f ./*.ports
  nats-server --addr 127.0.0.1 --port "$port" --http_port "$monitor" --jetstream --store_dir jetstream \
    --ports_file_dir . --log nats.log &
  nats=$!
  for _ in $(seq 400); do
    if [ -s nats-server_$nats.ports ]; then
      port=$(grep -o 'nats://[^"]*' nats-server_$nats.ports | head -1 | sed 's/.*://')
      monitor=$(grep -o 'http://[^"]*' nats-server_$nats.ports | head -1 | sed 's/.*://')
      return
    fi
    sleep 0.05
  done
  echo "nats-server did not start:" >&2
  cat nats.log >&2
  exit 1
}

in_stream() {
  curl --silent --max-time 10 --noproxy '*' "http://127.0.0.1:$monitor/jsz?streams=true" |
    python3 -c 'import json, sys
streams = [s for a in json.load(sys.stdin).get("account_details", []) for s in a.get("stream_detail", [])]
print(sum(s["state"]["messages"] for s in streams if s["name"] == "EVENTS"))'
}
delivered() { sqlite3 app.db "select count(*) from outbox_event_states where state = 'delivered'"; }

say "1. A NATS server with JetStream"
start_server
echo "It listens on nats://127.0.0.1:$port, and stores below $folder."

say "2. An app commits $events events for the destination \"events\", in one transaction"
"$outbox" migrate --db app.db
sqlite3 app.db "begin immediate;
  with recursive n(i) as (select 1 union all select i + 1 from n where i < $events)
  insert into outbox_events (destination, kind, ordering_key, payload)
    select 'events', 'invited', 'account-' || (i % 100), json_object('number', i) from n;
  commit"
"$outbox" status --db app.db

say "3. outbox run relays them; the server is killed (kill -9) once some have arrived"
"$outbox" run --db app.db --destination events --to "nats://127.0.0.1:$port" \
  --stream EVENTS --create-stream --batch-events 50 >run.out 2>run.err &
relay=$!
for _ in $(seq 2000); do
  [ "$(delivered)" -ge $((events / 4)) ] && break
  kill -0 $relay 2>/dev/null || { cat run.err >&2; exit 1; }
done
kill -9 "$nats"
wait "$nats" 2>/dev/null || true
echo "Killed; $(delivered) of $events events are acknowledged and marked as delivered."
sleep 2
echo "What the relay does meanwhile: it waits, and nothing is held against any event."
"$outbox" status --db app.db

say "4. The server comes back"
start_server
for _ in $(seq 600); do
  [ "$(delivered)" = "$events" ] && break
  sleep 0.1
done
sent=$(sqlite3 app.db "select sum(events) from outbox_requests")
echo "$(delivered) events are delivered; $((sent - events)) of them were sent more than once."

say "5. What the stream holds"
stored=$(in_stream)
echo "$stored messages: the server knows each event by its id, so none is stored twice."
[ "$stored" = "$events" ] || { echo "expected $events messages" >&2; cat run.err >&2; exit 1; }
