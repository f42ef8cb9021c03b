#!/usr/bin/env bash
# Runs a program that exists for other reasons too, and ends with the line that a row ends with: the count
# is the one that the program prints.
#
#     told.sh tests FILES | allocations | lives STEPS | isolation | outage DAYS | stops N | cli_fuzz N | sanitizer PRESET
set -uo pipefail
build=$OUTBOX_BUILD
tests=$build/tests
what=$1 size=${2:-}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

case $what in
  tests) command=("$tests/outbox_tests" "--source-file=*/$size") find='s/.*test cases: *[0-9]+ *\| *([0-9]+) passed.*/\1/p' ;;
  allocations)
    command=(env OUTBOX_LONG_TESTS=1 "$tests/allocation_faults")
    find='s/.*MESSAGE: ([0-9]+) failed.*/\1/p' ;;
  lives) command=("$tests/simulation" lives --seeds $((size / 100)) --steps 100) find='s/.* lives, ([0-9]+) steps.*/\1/p' ;;
  isolation) command=("$tests/simulation" isolation) find='s/^([0-9]+) placements.*/\1/p' ;;
  outage) command=("$tests/simulation" outage --days "$size") find='s/.*events.s: ([0-9]+) pending.*/\1/p' ;;
  stops) command=("$build/tools/bench/liveness" stops --count "$size") find='s/^([0-9]+) stops.*; 0 events lost$/\1/p' ;;
  cli_fuzz) command=("$tests/cli_fuzz" "$size") find='s/^([0-9]+).*/\1/p' ;;
  sanitizer)
    command=(bash -c "cmake --preset $size && cmake --build --preset $size --target outbox_tests &&
      ctest --preset $size --parallel $(nproc) --no-tests=error --timeout 1800")
    find='s/.*tests failed out of ([0-9]+).*/\1/p' ;;
  *) echo "told.sh: no program $what" >&2; exit 2 ;;
esac

"${command[@]}" 2>&1 | tee "$output"
code=${PIPESTATUS[0]}
count=$(sed -nE "$find" "$output" | awk '{ sum += $1 } END { print sum + 0 }')
[ "$count" -gt 0 ] || code=1
echo "torture: count=$count failures=$((code != 0)) seed=-"
exit $((code != 0))
