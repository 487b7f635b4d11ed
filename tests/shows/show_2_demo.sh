#!/usr/bin/env bash
# `clusterops demo`: Available on both clusters, a resize, and the red commit; exit 0. Tools come from the cache.
# usage: tests/shows/show_2_demo.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
started=$SECONDS
.venv/bin/clusterops demo 2>&1 | tee "$out"
grep -q 'north/alpha .*Available after' "$out"
grep -q 'south/beta .*Available after' "$out"
grep -q 'clusterops/apply success: 1 of 1 clusters settled' "$out"
grep -q 'clusterops/plan failure · nothing applied, 3 of 3 machines of south/beta as before' "$out"
grep -q 'clusters/south/beta/values.yaml:9:10: network.pods\[0\]: "10.244.0.0/61" is not an address range (value-format)' "$out"
if [ -e "${XDG_CACHE_HOME:-$HOME/.cache}/clusterops/sandboxes/demo" ]; then
  echo "the demo left its sandbox behind" >&2
  exit 1
fi
echo "demo: $((SECONDS - started)) s, exit 0, nothing left behind"
