#!/usr/bin/env bash
# Installs what outbox is built with: Debian's packages, and only those that are missing.
#
#     tools/install_packages.sh run     what the CLI and the demo are built with
#     tools/install_packages.sh relay   those, and what tools/relay_demo.sh needs
#     tools/install_packages.sh test    what the tests need beyond that, too (the default): and, into
#                                       build/npm, the two packages that drive a browser
#     tools/install_packages.sh torture what tools/torture.sh needs beyond both
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build pkg-config
  libsqlite3-dev libsqlitecpp-dev nlohmann-json3-dev libcurl4-openssl-dev libcli11-dev libcpp-httplib-dev
  curl sqlite3
)
case "${1:-test}" in
  run) ;;
  torture) packages+=(strace openssl faketime libclang-rt-dev llvm clang-16 llvm-16 libclang-rt-16-dev) ;&
  test)
    packages+=(clang doctest-dev libgtest-dev catch2 python3 python3-jsonschema prometheus chromium)
    packages+=(libnats-dev nats-server librdkafka-dev libspdlog-dev openssl)
    # Another Node.js than Debian's may be here, with an npm of its own.
    command -v npm >/dev/null || packages+=(nodejs npm)
    ;;
  relay) packages+=(python3 libnats-dev nats-server) ;;
  *) echo "usage: tools/install_packages.sh [run|relay|test|torture]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done

install_missing() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing, and installing them needs root: ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  # The tests start servers of their own: what Debian would start, now and at each boot, is not wanted.
  local service services=()
  if command -v systemctl >/dev/null; then
    for service in prometheus.service nats-server.service; do
      # Not one that somebody has here already, from elsewhere.
      case " ${missing[*]} " in *" ${service%.service} "*)
        systemctl cat "$service" >/dev/null 2>&1 || services+=("$service") ;;
      esac
    done
  fi
  local code=0
  [ ${#services[@]} -eq 0 ] || "${as_root[@]}" systemctl mask --quiet "${services[@]}" || true
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || code=$?
  if [ ${#services[@]} -gt 0 ]; then
    "${as_root[@]}" systemctl unmask --quiet "${services[@]}" || true
    "${as_root[@]}" systemctl disable --quiet "${services[@]}" 2>/dev/null || true
    echo "Not started: ${services[*]} (systemctl enable --now starts them)"
  fi
  return $code
}
[ ${#missing[@]} -eq 0 ] || install_missing
[ "${1:-test}" = test ] || exit 0

# Below build/, for every preset. Without them the test of the page says that it is skipped.
page=tests/tools/page
if ! cmp --silent "$page/package-lock.json" build/npm/package-lock.json; then
  mkdir -p build/npm
  cp "$page/package.json" build/npm/
  cp "$page/package-lock.json" build/npm/
  (cd build/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || {
    rm -f build/npm/package-lock.json
    echo "npm could not install what the test of the page needs: it will be skipped" >&2
  }
fi
