#!/usr/bin/env bash
# Both README commands on a fresh clone with an empty cache of tools and of Go builds; prints their times.
# usage: tests/shows/show_1_fresh_clone.sh      (about half an hour; modules come from the Go module proxy)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
git clone -q "$root" "$scratch/clusterops"
cd "$scratch/clusterops"
export XDG_CACHE_HOME="$scratch/cache" GOCACHE="$scratch/go-build" GOMODCACHE="$scratch/go-mod"

command_after() { # the console line that follows a marker in the README
  sed -n "/^<!-- $1 -->\$/,/^\`\`\`\$/p" README.md | sed -n 's/^\$ //p'
}

for name in demo tests; do
  command=$(command_after "$name")
  echo "\$ $command"
  started=$SECONDS
  bash -c "$command" </dev/null
  echo "README command '$name': $((SECONDS - started)) s"
done
