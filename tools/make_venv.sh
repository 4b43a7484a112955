#!/bin/sh
# Make a virtual environment from a lock file, with the first of the given Pythons that this machine has.
# Usage: tools/make_venv.sh FOLDER LOCKFILE VERSION...
set -eu
folder=$1 lock=$2
shift 2
for version in "$@"; do
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python python3; do
        "$python" -c "import ensurepip, sys; sys.exit(sys.version_info[:2] != tuple(map(int, '$version'.split('.'))))" \
            2>/dev/null || continue
        echo "$folder: Python $version, $lock"
        "$python" -m venv --clear "$folder"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$lock"
        if grep -q '^hatchling==' "$lock"; then # our own package, from this checkout
            "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
        fi
        exit 0
    done
done
echo "$folder: no Python of the versions $* with its venv module was found" >&2
exit 3
