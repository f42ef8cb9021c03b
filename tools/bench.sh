#!/usr/bin/env bash
# Measures outbox beside what SQLite and libcurl allow, and prints a table of ratios. Installs what is
# missing, builds the release preset (or OUTBOX_PRESET), and removes what it has made. docs/performance.md explains the rows.
#
#     tools/bench.sh           as --quick
#     tools/bench.sh --quick   tiny counts, under a minute: shows that the benchmark works, not how fast
#     tools/bench.sh --full    under half an hour; also writes docs/performance.md and its plot
#
# Scratch databases are made below TMPDIR: let that be a disk, since a memory file system makes
# commits free. --full uses up to 12 GB there. The exit code says whether the benchmark worked; a
# missed goal is not a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

size=quick
case "${1:---quick}" in
  --quick) ;;
  --full) size=full ;;
  *) echo "usage: tools/bench.sh [--quick|--full]" >&2; exit 2 ;;
esac

tools/install_packages.sh
echo "Building …" >&2
build_log=$(mktemp)
preset=${OUTBOX_PRESET:-release}
if ! { cmake --preset "$preset" &&
       cmake --build --preset "$preset" --target bench outbox_cli; } >"$build_log" 2>&1; then
  cat "$build_log" >&2
  rm -f "$build_log"
  exit 1
fi
rm -f "$build_log"

TMPDIR=$(mktemp -d -t outbox-bench-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM HUP

results=$TMPDIR/results.tsv
begin=$SECONDS
bench=build/$preset/tools/bench/bench
{
  printf 'machine\tCPU\t%s, %s cores\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)"
  printf 'machine\tKernel\tLinux %s\n' "$(uname -r | sed 's/-.*//')"
  printf 'machine\tCompiler\tg++ %s, -O2\n' "$(g++ -dumpfullversion)"
} >"$results"
# All of it ends within half an hour, whatever the machine: a part that takes longer is a failure.
left() { echo $((1740 - (SECONDS - begin))); }
for part in machine drain wal scaling latency enqueue marks waking idle bulk; do
  timeout --foreground "$(left)" "$bench" "$part" --size "$size" >>"$results"
done
tools/bench/footprint.sh "--$size" >>"$results"
printf 'machine\tDate\t%s\n' "$(date -u +%Y-%m-%d)" >>"$results"
echo "Measured in $((SECONDS - begin)) s." >&2

python3 tools/bench/report.py table <"$results"
if [ "$size" = full ]; then
  python3 tools/bench/report.py document docs/performance.md <"$results"
  python3 tools/bench/report.py plot docs/performance.svg <"$results"
  echo "Wrote docs/performance.md and docs/performance.svg." >&2
else
  echo "A quick run only shows that the benchmark works: its figures and verdicts mean nothing." >&2
fi
