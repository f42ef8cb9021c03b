#!/usr/bin/env bash
# T-18: each parser of lib/core with random input, by libFuzzer under the address and undefined sanitizers. Begins
# with the corpus of tests/torture/fuzz/corpus; what is found is added to a copy in build/fuzz.
#
#     fuzz.sh 1000000             so many inputs for each of the targets
#     fuzz.sh 1000000 payload     for one
set -euo pipefail
cd "$(dirname "$0")/../.."
count=$1
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(answer payload ranges text timestamp decode subject)
seed=${OUTBOX_SEED:-$RANDOM}
if ! command -v clang++ >/dev/null || [ ! -e "$(clang++ -print-file-name=libclang_rt.fuzzer-x86_64.a)" ]; then
  echo "torture: skipped clang's libFuzzer (libclang-rt-dev) is not installed"
  exit 77
fi

flags=(-std=c++20 -O1 -g1 "-fsanitize=fuzzer-no-link,address,undefined" -fno-sanitize-recover=all -Iinclude -Ilib)
mkdir -p build/fuzz
echo '#define OUTBOX_VERSION "fuzz"' >build/fuzz/version.hpp
flags+=(-include build/fuzz/version.hpp)
find lib/core lib/api/values.cpp -name '*.cpp' | while read -r source; do
  object=build/fuzz/${source//\//_}.o
  [ "$object" -nt "$source" ] || echo "$source $object"
done | xargs -r -P "$(nproc)" -L 1 sh -c "${CMAKE_CXX_COMPILER_LAUNCHER:-} clang++ ${flags[*]} -c \$0 -o \$1"
clang++ "${flags[@]}" -fsanitize=fuzzer tests/torture/fuzz/parsers.cpp build/fuzz/*.o -o build/fuzz/parsers

total=0 failures=0
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus-$target
  mkdir -p "$corpus"
  log=build/fuzz/$target.log
  if OUTBOX_FUZZ_TARGET=$target build/fuzz/parsers -runs="$count" -seed="$seed" -max_len=4096 -timeout=10 \
    -artifact_prefix="build/fuzz/$target-" "$corpus" "tests/torture/fuzz/corpus/$target" >"$log" 2>&1; then
    total=$((total + count))
  else
    failures=$((failures + 1))
    grep -m 3 -E 'does not hold|ERROR|Test unit written' "$log" || tail -n 3 "$log"
  fi
  echo "$target: $(grep -E 'DONE|cov:' "$log" | tail -n 1)"
done
echo "torture: count=$total failures=$failures seed=$seed note=${#targets[@]}_targets"
exit $((failures != 0))
