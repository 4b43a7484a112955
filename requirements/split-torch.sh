#!/bin/sh
# Part a lock file of PyTorch: PyTorch itself, and what only its build with CUDA needs, go to FILE-pypi.txt, its build
# for the CPU to FILE-cpu.txt; tools/make_torch_venv.sh installs one of the two. The rest stays.
# Of a version's builds that a lock file allows, pip prefers the one whose hash the index tells, which is PyPI's: hence
# a file each. Usage: requirements/split-torch.sh FILE.txt
set -eu
file=$1 base=${1%.txt}
# torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
cpu=6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
version=$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' "$file")
test "$version" = 2.13.0 # whose hash that is
printf 'torch==%s+cpu \\\n    --hash=sha256:%s\n' "$version" "$cpu" > "$base-cpu.txt"
awk -v pypi="$base-pypi.txt" -v rest="$file.rest" '
    BEGIN { printf "" > pypi; printf "" > rest }
    /^[A-Za-z]/ { out = /^(cuda-|nvidia-|triton=|torch=)/ ? pypi : rest }
    { print > out }
' "$file"
mv "$file.rest" "$file"
