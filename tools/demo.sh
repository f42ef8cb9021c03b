#!/usr/bin/env bash
# The main job, from end to end: an example server commits invitations in its own SQLite database, and
# their events arrive at a Track API. Installs what is missing, builds, runs, and cleans up.
#
#     tools/demo.sh                          against a stand-in of the Track API on this machine
#     OUTBOX_TOKEN=… tools/demo.sh --live    against the real one: this changes real data
set -euo pipefail
cd "$(dirname "$0")/.."

live=no
case "${1:-}" in
  "") ;;
  --live) live=yes ;;
  *) echo "usage: tools/demo.sh [--live]" >&2; exit 2 ;;
esac
if [ "$live" = yes ] && [ -z "${OUTBOX_TOKEN:-}" ]; then
  echo "--live needs OUTBOX_TOKEN" >&2
  exit 2
fi

tools/install_packages.sh run
echo "Building the demo, the stand-in and the CLI: some minutes of CPU time the first time."
build_log=$(mktemp)
# --fresh: a build folder that was copied along with the tree remembers another place.
if ! cmake --preset demo --fresh >"$build_log" 2>&1; then
  cat "$build_log" >&2
  exit 1
fi
rm -f "$build_log"
# Ninja's own lines say how far it is: one that is rewritten on a terminal.
cmake --build --preset demo --target demo track_server outbox_cli
bin=$PWD/build/demo/tools

folder=$(mktemp -d)
children=()
finish() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"

# Starts a program, and waits until it has printed where it listens.
start() { # NAME PROGRAM ARGUMENTS…
  local name=$1; shift
  : >"$name.out"  # the program may begin later than what looks for it
  "$@" >"$name.out" 2>"$name.err" &
  children+=($!)
  for _ in $(seq 200); do
    url=$(sed -n 's/.*listens on \(http[^ ]*\).*/\1/p' "$name.out")
    [ -n "$url" ] && return
    kill -0 $! 2>/dev/null || break
    sleep 0.05
  done
  echo "$name did not start:" >&2
  cat "$name.err" >&2
  exit 1
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

post() { # JSON
  printf 'POST /invites %s\n' "$1"
  printf '  → %s\n' "$(curl --silent --max-time 10 --noproxy '*' --write-out ' (HTTP %{http_code})' \
    --header 'Content-Type: application/json' --data "$1" "$server/invites")"
}

export OUTBOX_DB=app.db
inviter=766b3aef-5904-46fe-af05-a293fee8h345
account=bp497d1a-0159-4009-9454-8a1b0e7c0a60

if [ "$live" = no ]; then
  printf 'demo-token' >token
  start track "$bin/track_server/track_server" --port 0 --token-file token --log received.ndjson
  track=$url
  say "1. A stand-in of the Track API listens on $track"
  start demo "$bin/demo/demo" --db app.db --url "$track" --token-file token
else
  say "1. The real Track API is used, and its data will change"
  start demo "$bin/demo/demo" --db app.db
fi
server=$url
echo "The example server listens on $server; its database is app.db, with tables users, accounts, invites."

say "2. John invites Amy: the invite and its event commit in one transaction"
post '{"account":"'$account'","inviter":"'$inviter'","feature":"CUSTOMER_JOURNEY","invitees":[
  {"email":"amy@achme.com","first_name":"Amy","last_name":"Frank","role":"Developer"}]}'

say "3. John invites Amy again, with Tom: refused, and Tom's invite and both events roll back"
post '{"account":"'$account'","inviter":"'$inviter'","invitees":[
  {"email":"tom@achme.com","first_name":"Tom"},{"email":"amy@achme.com","first_name":"Amy"}]}'

say "4. John invites five people at once; the account has four seats left: all of it rolls back"
post '{"account":"'$account'","inviter":"'$inviter'","invitees":[{"email":"a@achme.com"},
  {"email":"b@achme.com"},{"email":"c@achme.com"},{"email":"d@achme.com"},{"email":"e@achme.com"}]}'

say "5. John invites Tom and Shawn to a team: one call, two events"
post '{"account":"'$account'","inviter":"'$inviter'","team":"Platform","feature":"CUSTOMER_JOURNEY","invitees":[
  {"email":"tom@achme.com","first_name":"Tom","last_name":"Stone","role":"Developer"},
  {"email":"shawn@achme.com","first_name":"Shawn","last_name":"Ankunding","role":"Editor"}]}'

say "6. What was committed, in the app's own database"
sqlite3 -box app.db "select id, email from invites; select id, json_extract(payload,
  '\$.properties.invitee_first_name') as invitee, state as event
  from outbox_event_states"

say "7. Delivery"
"$bin/outbox/outbox" status
remaining=$(sqlite3 app.db "select count(*) from outbox_event_states where state = 'pending'")
for _ in $(seq 200); do
  [ "$remaining" = 0 ] && break
  sleep 0.1
  remaining=$(sqlite3 app.db "select count(*) from outbox_event_states where state = 'pending'")
done
delivered=$(sqlite3 app.db "select count(*) from outbox_event_states where state = 'delivered'")
echo "$delivered events delivered, $remaining pending."

if [ "$live" = no ]; then
  say "8. What the Track API received: Amy, Tom and Shawn, and nobody who was rolled back"
  cat received.ndjson
  received=$(wc -l <received.ndjson)
  [ "$received" = 3 ] || { echo "expected 3 events, received $received" >&2; exit 1; }
fi
[ "$delivered" = 3 ] || { "$bin/outbox/outbox" status >&2; cat demo.err >&2; exit 1; }

say "Look for yourself"
cat <<TEXT
This demo's database is removed now. With a database of your own, APP.DB:
  outbox migrate --db APP.DB                  make the outbox's tables in it
  outbox enqueue --db APP.DB event.json       queue events by hand
  outbox status  --db APP.DB                  the queue on one screen
  outbox explain --db APP.DB 1                why an event is not delivered yet, or when it was
docs/events.md says what stands in event.json; docs/getting-started.md goes on from here. The CLI is build/demo/tools/outbox/outbox; the server to copy from is tools/demo/main.cpp.
TEXT
