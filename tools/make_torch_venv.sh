#!/bin/sh
# Make a virtual environment with PyTorch from the files that requirements/split-torch.sh writes: with its build for the
# CPU where pip finds that (PIP_FIND_LINKS, or an index of such wheels), else with PyPI's, which takes 4 GB more on
# Linux. Usage: tools/make_torch_venv.sh FOLDER LOCKFILE VERSION...
set -eu
folder=$1 base=${2%.txt}
"$(dirname "$0")/make_venv.sh" "$@"
install() {
    "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes --requirement "$1"
}
install "$base-cpu.txt" 2>/dev/null || install "$base-pypi.txt"
"$folder/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'
