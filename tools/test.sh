#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
#     tools/test.sh               the dev build
#     tools/test.sh --sanitize    the address + undefined build and the thread build too
set -euo pipefail
cd "$(dirname "$0")/.."

presets=(dev)
case "${1:-}" in
  "") ;;
  --sanitize) presets=(dev asan tsan) ;;
  *) echo "usage: tools/test.sh [--sanitize]" >&2; exit 2 ;;
esac

tools/install_packages.sh

# CMake may have been configured by an older checkout: start from what the preset says.
for preset in "${presets[@]}"; do
  echo "== $preset: build"
  cmake --preset "$preset" --fresh >/dev/null
  if [ "$preset" = dev ]; then
    cmake --build --preset "$preset"
  else
    cmake --build --preset "$preset" --target outbox_tests  # and what it runs
  fi
done
for preset in "${presets[@]}"; do
  echo "== $preset: test"
  # Three times the cores: most of the time of most tests is spent waiting for a disk or a socket.
  ctest --preset "$preset" --parallel "$((3 * $(nproc)))" --no-tests=error --timeout 240
done
