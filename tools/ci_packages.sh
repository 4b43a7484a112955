#!/bin/sh
# Install the Debian packages with which `make packages` builds and runs images, sets another clock, and shows the page. Needs root.
# Usage: tools/ci_packages.sh
set -eu
for name in buildah podman runc mmdebstrap faketime chromium; do
    command -v "$name" >/dev/null || set -- "$@" "$name"
done
if test $# -gt 0; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
fi
