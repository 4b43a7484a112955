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
lock "$@" --universal --python-version 3.11 requirements/deploy-tools.in -o requirements/deploy-tools.txt
# The functions' own, one file for every Python and architecture that the platform has.
for cloud in aws azure gcp container; do
    oldest=3.11
    if test $cloud = aws; then oldest=3.12; fi # on 3.11 its base is too old: the file of its own below
    for file in "adapters/$cloud/requirements.in" "adapters/$cloud/requirements-runtime.in"; do
        if test -f "$file"; then lock "$@" --universal --python-version $oldest "$file" -o "${file%.in}.txt"; fi
    done
done
lock "$@" --universal --python-version 3.12 adapters/aws/requirements-arm64.in -o adapters/aws/requirements-arm64.txt
lock "$@" --python-version 3.11 --python-platform x86_64-manylinux2014 --only-binary :all: \
    adapters/aws/requirements-py311.in -o adapters/aws/requirements-py311.txt
# The peers of `make bench`, a file each: a virtual environment of its own for every one.
for file in requirements/bench/*.in; do
    lock "$@" --universal --python-version 3.11 "$file" -o "${file%.in}.txt"
done
