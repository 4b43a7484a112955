#!/usr/bin/env bash
# Build what is released, the same bytes for the same commit: wheel, sdist, and the list of what they are made of.
# Usage: tools/release.sh [FOLDER]     (dist; TAG=v1.2.3 in the environment has to be the version)
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-dist}")
venv=.venv-release
tools/release.py check "${TAG:-}"
if ! test -e $venv/.ready || test requirements/release.txt -nt $venv/.ready; then
    tools/make_venv.sh $venv requirements/release.txt 3.11 3.12 3.13 >&2
    touch $venv/.ready
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022
rm -rf "$out" && mkdir -p "$out"
$venv/bin/python -m build --no-isolation --outdir "$out" . >&2
# What the wheel brings along, as locked: installed beside it and nothing else, not even pip.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
$venv/bin/python -m venv --without-pip "$scratch/venv"
pip() { $venv/bin/python -m pip --quiet --disable-pip-version-check --python "$scratch/venv/bin/python" "$@" >&2; }
pip install --no-deps --require-hashes --only-binary :all: --requirement requirements/runtime.txt
pip install --no-deps --no-index "$out"/*.whl
$venv/bin/cyclonedx-py environment --output-reproducible --spec-version 1.6 --output-file "$scratch/installed.json" \
    "$scratch/venv/bin/python" >&2
$venv/bin/python tools/release.py parts "$scratch/installed.json" "$out"
