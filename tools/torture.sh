#!/usr/bin/env bash
# Attacks outbox from all sides, one row after the other, and writes a table of what it found.
#
#     tools/torture.sh                as --quick
#     tools/torture.sh --quick        small counts, about 5 minutes once it is built
#     tools/torture.sh --full         the counts of docs/guarantees.md: hours
#     tools/torture.sh --full T-01    one row (or several), by id or by name
#     tools/torture.sh --list         the rows and their counts
#
# The rows are in tests/torture/rows.sh. Only loopback is used. The table goes to
# build/torture-SIZE.tsv (or OUTBOX_TORTURE_TABLE), what the rows print to build/torture/ID.log. The exit
# code is not 0 when a row failed or could not run. OUTBOX_PRESET (release) is what is attacked.
set -euo pipefail
cd "$(dirname "$0")/.."

size=quick names=()
for word in "$@"; do
  case "$word" in
    --quick | --full | --list) size=${word#--} ;;
    -*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) names+=("$word") ;;
  esac
done

preset=${OUTBOX_PRESET:-release}
export OUTBOX_BUILD=build/$preset
table=${OUTBOX_TORTURE_TABLE:-build/torture-$size.tsv}
row_seconds_max=$([ "$size" = full ] && echo 7200 || echo 240)
bad=0

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

row() {  # id name quick full command…
  local id=$1 name=$2 quick=$3 full=$4 count result log code=0 begin=$SECONDS
  shift 4
  wanted "$id" "$name" || return 0
  if [ "$size" = list ]; then
    printf '%-5s %-26s quick %-8s full %s\n' "$id" "$name" "$quick" "$full"
    return 0
  fi
  count=$([ "$size" = full ] && echo "$full" || echo "$quick")
  [ "$count" = 0 ] && return 0  # of the other size
  log=build/torture/$id.log
  timeout --kill-after=10 "$row_seconds_max" "${@/#COUNT/$count}" >"$log" 2>&1 || code=$?
  case $code in
    0) result=passed ;;
    77) result="did not run: $(tail -n 1 "$log" | sed 's/^torture: skipped //')" bad=1 ;;
    124) result="not finished after $row_seconds_max s" bad=1 ;;
    *) result="failed ($log)" bad=1 ;;
  esac
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$name" "$(field "$log" count)" \
    "$(field "$log" failures)" "$(field "$log" seed)" $((SECONDS - begin)) "$result" \
    "$(field "$log" note | tr _ ' ')" | tee -a "$table"
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
  printf 'row\tname\tcount\tfailures\tseed\tseconds\tresult\tnote\n' | tee "$table"
fi
source tests/torture/rows.sh
if [ "$size" != list ] && [ "$(wc -l <"$table")" -lt 2 ]; then
  echo "no row was run" >&2
  bad=1
fi
exit $bad
