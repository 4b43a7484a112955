#!/bin/sh
# Make the lock files anew: pinned, hashed, without index addresses. Usage: requirements/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
unset PIP_FIND_LINKS UV_FIND_LINKS
lock() {
    uv pip compile --quiet --constraint requirements/constraints.txt --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links "$@"
}
lock "$@" --universal --python-version 3.11 --all-extras pyproject.toml -o requirements/dev.txt
lock "$@" --python-version 3.13 --extra azure-local --extra stores pyproject.toml requirements/build.in -o requirements/azure-runtime.txt
# The functions' own: Linux, x86_64, the glibc that the platforms' Python 3.13 runtimes have at least.
for cloud in aws azure gcp container; do
    lock "$@" --python-version 3.13 --python-platform x86_64-manylinux_2_28 "adapters/$cloud/requirements.in" \
        -o "adapters/$cloud/requirements.txt"
done
