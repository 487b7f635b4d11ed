#!/usr/bin/env bash
# 200 clusters of seven objects on a kube-apiserver with CRDs only: first sync, one-cluster commit, unrelated commit,
# memory, beside the floors measured in the same run. Fails when an aim is missed.
# usage: tests/shows/show_3_two_hundred.sh [CLUSTERS]
set -euo pipefail
cd "$(dirname "$0")/../.."
.venv/bin/python -m tests.scale.first_sync "${1:-200}"
