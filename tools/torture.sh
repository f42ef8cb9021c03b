#!/usr/bin/env bash
# Attacks outbox from all sides, in rows, and writes a table of what it found.
#
#     tools/torture.sh                as --quick
#     tools/torture.sh --quick        small counts, some minutes once it is built
#     tools/torture.sh --full         the counts of docs/guarantees.md: hours
#     tools/torture.sh --full --again only the rows that the table does not say to have passed
#     tools/torture.sh --full T-01    one row (or several), by id or by name
#     tools/torture.sh --list         the rows and their counts
#
# The rows are in tests/torture/rows.sh. Only loopback is used. The table goes to
# build/torture-SIZE.tsv (or OUTBOX_TORTURE_TABLE), what the rows print to build/torture/ID.log. The exit
# code is not 0 when a row failed or could not run. OUTBOX_PRESET (release) is what is attacked. Rows mostly wait,
# the long ones most of all: OUTBOX_TORTURE_ROWS run at a time, else one more than there are processors, or
# with --full three for each.
set -euo pipefail
cd "$(dirname "$0")/.."

size=quick names=() again=
for word in "$@"; do
  case "$word" in
    --quick | --full | --list) size=${word#--} ;;
    --again) again=1 ;;
    -*) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) names+=("$word") ;;
  esac
done

preset=${OUTBOX_PRESET:-release}
export OUTBOX_BUILD=build/$preset
table=${OUTBOX_TORTURE_TABLE:-build/torture-$size.tsv}
row_seconds_max=$([ "$size" = full ] && echo 7200 || echo 240)
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
usual_rows=$([ "$size" = full ] && echo $(($(nproc) * 3)) || echo $(($(nproc) + 1)))
rows_at_once=${OUTBOX_TORTURE_ROWS:-$usual_rows}

wanted() {  # id name
  [ ${#names[@]} -eq 0 ] && return 0
  local name
  for name in "${names[@]}"; do
    [ "$name" = "$1" ] || [ "$name" = "$2" ] && return 0
  done
  return 1
}

# The value of `key` in the last line that a row printed; of a `note`, all the rest.
field() {  # log key
  tail -n 1 "$1" | sed -n "s/^torture: .*\b$2=\([^ ]*\).*/\1/p"
}

has_passed() {  # id
  awk -F '\t' -v id="$1" '$1 == id && $7 == "passed" { found = 1 } END { exit !found }' "$table"
}

run_row() {  # id name count command…
  local id=$1 name=$2 count=$3 result log=build/torture/$1.log code=0 begin=$SECONDS
  shift 3
  timeout --kill-after=10 "$row_seconds_max" "${@/#COUNT/$count}" >"$log" 2>&1 &
  trap 'kill %%; exit 1' TERM
  wait $! || code=$?
  case $code in
    0) result=passed ;;
    77) result="did not run: $(tail -n 1 "$log" | sed 's/^torture: skipped //')" ;;
    124) result="not finished after $row_seconds_max s" ;;
    *) result="failed ($log)" ;;
  esac
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$name" "$(field "$log" count)" \
    "$(field "$log" failures)" "$(field "$log" seed)" $((SECONDS - begin)) "$result" \
    "$(field "$log" note | tr _ ' ')" | tee -a "$table"
}

row() {  # id name quick full command…
  local id=$1 name=$2 quick=$3 full=$4 count
  shift 4
  wanted "$id" "$name" || return 0
  if [ "$size" = list ]; then
    printf '%-5s %-26s quick %-8s full %s\n' "$id" "$name" "$quick" "$full"
    return 0
  fi
  count=$([ "$size" = full ] && echo "$full" || echo "$quick")
  [ "$count" = 0 ] && return 0  # of the other size
  has_passed "$id" && return 0
  while [ "$(jobs -rp | wc -l)" -ge "$rows_at_once" ]; do wait -n || true; done
  run_row "$id" "$name" "$count" "$@" &
}

if [ "$size" != list ]; then
  tools/install_packages.sh torture
  mkdir -p build/torture
  echo "Building …" >&2
  log=build/torture/build.log
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" --target torture; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
  fi
  head='row\tname\tcount\tfailures\tseed\tseconds\tresult\tnote'
  if [ -n "$again" ] && [ -e "$table" ]; then
    passed=$(awk -F '\t' '$7 == "passed"' "$table")
    printf '%b\n%s' "$head" "${passed:+$passed$'\n'}" | tee "$table"
  else
    printf '%b\n' "$head" | tee "$table"
  fi
fi
source tests/torture/rows.sh
wait
[ "$size" = list ] && exit 0
if [ "$(wc -l <"$table")" -lt 2 ]; then
  echo "no row was run" >&2
  exit 1
fi
awk -F '\t' 'NR > 1 && $7 != "passed" { bad = 1 } END { exit bad }' "$table"
