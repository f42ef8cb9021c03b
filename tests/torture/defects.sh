#!/usr/bin/env bash
# Can the torture suite fail? Puts one deliberate fault at a time into a copy of the sources, builds it, and runs the
# row that should see it. Prints a table; the exit code is not 0 when a row saw nothing.
#
#     tests/torture/defects.sh           all of tests/torture/defects
#     tests/torture/defects.sh NAME…     some
#     tests/torture/defects.sh --build   only builds; --run: only runs what was built
#
# Each row first runs without its fault: a row that fails anyway proves nothing. The head of a patch says
# what it does, which row should see it, what is built and what is run. All is made in build/defects: the copy,
# its dev build, and bin/NAME/, the programs with that fault (bin/none/: without any).
set -euo pipefail
cd "$(dirname "$0")/../.."

patches=$PWD/tests/torture/defects
steps=both
case "${1:-}" in --build | --run) steps=${1#--}; shift ;; esac
names=("$@")
if [ $# -eq 0 ]; then
  for patch in "$patches"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
mkdir -p build/defects
if [ "$steps" != run ]; then
  git ls-files -z | tar --create --null --files-from=- | tar --extract --touch --directory build/defects
fi
cd build/defects

head_of() { sed -n "s/^$1: //p" "$patches/$2.patch"; }

applied=
revert() {
  [ -z "$applied" ] || patch --quiet --strip=1 --reverse <"$patches/$applied.patch"
  applied=
}
trap revert EXIT
trap 'exit 130' INT TERM

# Builds, and keeps the programs where the rows look for them below OUTBOX_BUILD.
build_into() {  # folder targets…
  local folder=$1 file
  shift
  mkdir -p "$folder"
  if ! cmake --build --preset dev --target "$@" >"$folder/build.log" 2>&1; then
    tail -n 20 "$folder/build.log" >&2
    return 1
  fi
  for file in tests/torture_host tests/simulation tests/allocation_faults tests/cli_fuzz tests/outbox_tests \
              tools/outbox/outbox tools/track_server/track_server; do
    [ ! -e "build/dev/$file" ] || install -D "build/dev/$file" "$folder/$file"
  done
}

# All are built first: then the rows run beside no compiler.
build_all() {
  local name
  read -ra targets < <(for name in "${names[@]}"; do head_of Build "$name"; done | tr ' ' '\n' | sort -u | tr '\n' ' '; echo)
  cmake --preset dev >cmake.log
  build_into bin/none "${targets[@]}" track_server outbox_cli
  for name in "${names[@]}"; do
    read -ra targets <<<"$(head_of Build "$name")"
    patch --quiet --strip=1 <"$patches/$name.patch"
    applied=$name
    rm -rf "bin/$name"
    build_into "bin/$name" "${targets[@]}"
    revert
  done
}

# The row's exit code; what it says is in run.log.
row() {  # folder command
  OUTBOX_BUILD=$1 timeout --kill-after=10 400 bash -c "$2" >"$1/run.log" 2>&1
}

if [ "$steps" != run ]; then
  echo "Building ${#names[@]} …" >&2
  build_all
  [ "$steps" != build ] || exit 0
fi
unseen=0
declare -A sound=()  # of each command: does it pass without a fault
printf 'fault\trow\tresult\tseconds\n'
for name in "${names[@]}"; do
  begin=$SECONDS code=0
  command=$(head_of Run "$name")
  if [ -z "${sound[$command]:-}" ]; then
    row bin/none "$command" && sound[$command]=yes || sound[$command]=no
  fi
  if [ "${sound[$command]}" = no ]; then
    result="the row fails without it, too" unseen=1
  else
    row "bin/$name" "$command" || code=$?
    case $code in
      0 | 77) result="NOT SEEN" unseen=1 ;;
      124 | 137) result="seen: it did not end" ;;
      *) result="seen" ;;
    esac
  fi
  printf '%s\t%s\t%s\t%s\n' "$(head_of What "$name")" "$(head_of Row "$name")" "$result" $((SECONDS - begin))
done
exit $unseen
