#!/usr/bin/env bash
# What outbox costs at build time: the time to compile its header, and the bytes it adds to a program.
# Prints rows like those of `bench`. Requires: the build of the preset OUTBOX_PRESET, release by default.
#
#     tools/bench/footprint.sh [--quick|--full]
set -euo pipefail
cd "$(dirname "$0")/../.."

times=5
[ "${1:---quick}" = --quick ] && times=1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# Prints how many milliseconds it takes to compile a file.
compile_ms() { # FILE
  local begin
  begin=$(date +%s%N)
  g++ -std=c++20 -O2 -fsyntax-only -Iinclude "$1"
  echo $((($(date +%s%N) - begin) / 1000000))
}

# A row from a file of measurements, one a line and sorted, in thousandths of the unit.
print_row() { # NAME UNIT FILE GOAL [BASELINE_FILE]
  awk -v name="$1" -v unit="$2" -v goal="$4" -v baseline="${5:-}" '
    function middle(values, count) { return values[int((count + 1) / 2)] / 1000 }
    { ours[NR] = $1 }
    END {
      if (baseline != "") {
        while ((getline value < baseline) > 0) base[++count] = value
        beside = middle(base, count)
      }
      value = middle(ours, NR)
      verdict = value < goal ? "ok" : "missed"
      printf "row\t%s\t%s\t%s\t%s\t%s\t%s\t\t< %s %s\t%s\n", name, unit, value, ours[1] / 1000,
        ours[NR] / 1000, beside, goal, unit, verdict
    }' "$3"
}

echo "footprint: time to compile the header" >&2
libraries='#include <SQLiteCpp/SQLiteCpp.h>\n#include <curl/curl.h>\n'
printf "${libraries}int main() {}\n" >"$folder/libraries.cpp"
printf "${libraries}#include <outbox/outbox.hpp>\nint main() {}\n" >"$folder/both.cpp"
printf '#include <outbox/outbox.hpp>\nint main() {}\n' >"$folder/outbox.cpp"
for ((i = 0; i < times; i++)); do
  for name in libraries both outbox; do  # in turn, since the machine's mood changes
    compile_ms "$folder/$name.cpp" >>"$folder/$name.ms"
  done
done
paste "$folder/both.ms" "$folder/libraries.ms" | awk '{ print $1 - $2 }' >"$folder/added.ms"
for name in libraries outbox added; do sort -n -o "$folder/$name.ms" "$folder/$name.ms"; done
print_row "compile outbox.hpp alone" s "$folder/outbox.ms" 1 "$folder/libraries.ms"
print_row "compile time added to SQLiteCpp and curl" s "$folder/added.ms" 1 "$folder/libraries.ms"

echo "footprint: bytes added to a program" >&2
size_of() { # NAME LIBRARY…
  local name=$1
  shift
  g++ -std=c++20 -O2 -DNDEBUG -Iinclude "tools/bench/footprint/$name.cpp" "$@" -lSQLiteCpp -lsqlite3 \
    -lcurl -ldl -pthread -s -o "$folder/$name"
  stat --format=%s "$folder/$name"
}
without=$(size_of without_outbox)
with=$(size_of with_outbox build/${OUTBOX_PRESET:-release}/lib/liboutbox.a)
echo $((with - without)) >"$folder/added.bytes"
echo "$without" >"$folder/without.bytes"
print_row "size added to a program" kB "$folder/added.bytes" 600 "$folder/without.bytes"
