#!/bin/sh
# Make the lock files anew: pinned, hashed, without index addresses. Usage: requirements/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
unset PIP_FIND_LINKS UV_FIND_LINKS
lock() {
    uv pip compile --quiet --constraint requirements/constraints.txt --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links "$@"
}
# Without the converters' frameworks, of 2 GB each: theirs are the last two files.
lock "$@" --universal --python-version 3.11 $(python3 -c '
import tomllib
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]
heavy = ("convert-keras", "convert-onnx", "convert-torch")
print(*(f"--extra {name}" for name in extras if name not in heavy))') pyproject.toml -o requirements/dev.txt
lock "$@" --python-version 3.13 --extra azure-local --extra onnx --extra otel --extra stores pyproject.toml requirements/build.in -o requirements/azure-runtime.txt
lock "$@" --universal --python-version 3.11 requirements/deploy-tools.in -o requirements/deploy-tools.txt
lock "$@" --universal --python-version 3.11 requirements/docs.in -o requirements/docs.txt
lock "$@" --universal --python-version 3.11 requirements/release.in -o requirements/release.txt
# What a released wheel brings along, in the releases that were tested with it: what its list of parts is of.
lock "$@" --universal --python-version 3.11 --constraint requirements/dev.txt --extra aws --extra azure --extra cli \
    --extra gcp --extra onnx --extra stores --extra wsgi pyproject.toml -o requirements/runtime.txt
# The functions' own, one file for every Python and architecture that the platform has.
for cloud in aws azure gcp container; do
    oldest=3.11
    if test $cloud = aws; then oldest=3.12; fi # on 3.11 its base is too old: the file of its own below
    for file in "adapters/$cloud/requirements.in" "adapters/$cloud/requirements-runtime.in"; do
        if test -f "$file"; then lock "$@" --universal --python-version $oldest "$file" -o "${file%.in}.txt"; fi
    done
    # With the releases of the one above, since a function may have models of both kinds.
    lock "$@" --universal --python-version $oldest --constraint "adapters/$cloud/requirements.txt" \
        "adapters/$cloud/requirements-onnx.in" -o "adapters/$cloud/requirements-onnx.txt"
done
lock "$@" --universal --python-version 3.12 adapters/aws/requirements-arm64.in -o adapters/aws/requirements-arm64.txt
lock "$@" --python-version 3.11 --python-platform x86_64-manylinux2014 --only-binary :all: \
    adapters/aws/requirements-py311.in -o adapters/aws/requirements-py311.txt
# What telemetry takes beside them: with their releases, since it is installed into the same folder.
beside=$(for file in adapters/*/requirements*.txt; do echo "--constraint $file"; done)
for name in otel prometheus; do
    lock "$@" --universal --python-version 3.11 $beside "adapters/requirements-$name.in" \
        -o "adapters/requirements-$name.txt"
done
# The peers of `make bench`, a file each: a virtual environment of its own for every one.
for file in requirements/bench/*.in; do
    lock "$@" --universal --python-version 3.11 "$file" -o "${file%.in}.txt"
done
# The libraries that make the golden tensors: an environment each, on the machine that these were made on.
for file in requirements/golden/*.in; do
    lock "$@" --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$file" -o "${file%.in}.txt"
done
# What converts models, and the networks that are converted: an environment for each framework.
lock "$@" --universal --python-version 3.11 --extra convert-onnx --extra convert-sklearn pyproject.toml \
    requirements/models/tensorflow.in -o requirements/models/tensorflow.txt
lock "$@" --universal --python-version 3.11 --extra convert-torch pyproject.toml requirements/models/torch.in \
    -o requirements/models/torch.txt
requirements/split-torch.sh requirements/models/torch.txt
