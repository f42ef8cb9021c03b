#!/usr/bin/env bash
# T-26: which lines and branches of lib/ do the tests run? Builds all with clang's counters in build/coverage, runs
# the tests, a short simulation and the failing file system, and prints each file, the least covered first.
#
#     tests/torture/coverage.sh           fails below 95 % of the lines or 90 % of the branches
#     tests/torture/coverage.sh --build   only builds
#     tests/torture/coverage.sh --report  only the report, of the last run
set -euo pipefail
cd "$(dirname "$0")/../.."
lines_min=95 branches_min=90
build=build/coverage
version=16  # Debian's default, 14, does not compile all tests with its counters
for program in clang++ llvm-cov llvm-profdata; do
  command -v "$program-$version" >/dev/null || { echo "torture: skipped $program-$version is not installed"; exit 77; }
done

if [ "${1:-}" != --report ]; then
  flags="-O0 -g1 -fprofile-instr-generate -fcoverage-mapping"
  cmake -S . -B $build -G Ninja -DCMAKE_CXX_COMPILER=clang++-$version -DCMAKE_BUILD_TYPE=Coverage \
    -DCMAKE_CXX_FLAGS_COVERAGE="$flags" -DOUTBOX_WARNINGS_AS_ERRORS=OFF \
    -DOUTBOX_WITH_NATS=ON -DOUTBOX_WITH_KAFKA=ON >/dev/null
  cmake --build $build --target all io_faults simulation
  [ "${1:-}" != --build ] || exit 0
  rm -rf $build/raw
  export LLVM_PROFILE_FILE=$PWD/$build/raw/%4m.profraw
  # Programs outside of this build cannot link to it, and the benchmark measures nothing here.
  ctest --test-dir $build --parallel "$(nproc)" --no-tests=error --timeout 600 --output-on-failure \
    --exclude-regex 'consumers|bench|^examples'
  $build/tests/simulation lives --seeds 300 --steps 100
  $build/tests/io_faults 20
fi
"llvm-profdata-$version" merge -sparse $build/raw/*.profraw -o $build/all.profdata

objects=()
for program in tests/outbox_tests tests/nats_tests tests/kafka_tests tests/simulation tests/allocation_faults \
               tests/io_faults tools/outbox/outbox; do
  [ ! -e "$build/$program" ] || objects+=(-object "$build/$program")
done
"llvm-cov-$version" export -summary-only -instr-profile=$build/all.profdata "${objects[@]:1}" "$PWD/lib" >$build/all.json
python3 - $build/all.json "$PWD/" $lines_min $branches_min <<'PYTHON'
import json, sys

path, root, lines_min, branches_min = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
files = [file for file in json.load(open(path))["data"][0]["files"] if "/lib/" in file["filename"]]

def percent(of, kind):
    count = sum(file["summary"][kind]["count"] for file in of)
    return 100.0 * sum(file["summary"][kind]["covered"] for file in of) / count if count else 100.0

for file in sorted(files, key=lambda file: percent([file], "branches")):
    print(f'{percent([file], "lines"):6.1f} % lines {percent([file], "branches"):6.1f} % branches '
          f'{file["filename"].removeprefix(root)}')
lines, branches = percent(files, "lines"), percent(files, "branches")
is_met = lines >= lines_min and branches >= branches_min
total = sum(file["summary"]["lines"]["count"] for file in files)
print(f"torture: count={total} failures={int(not is_met)} seed=- "
      f"note={lines:.1f}_%_of_the_lines,_{branches:.1f}_%_of_the_branches")
sys.exit(not is_met)
PYTHON
