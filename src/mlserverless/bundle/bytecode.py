"""Bytecode beside the sources, so that a cold start compiles nothing.

It is of the unchecked kind (PEP 552): it holds the source's hash instead of its time, so it is the same in every
build, and is not compared with the source at import. Docstrings, which a function never shows, are a sixth of it:
they stay in the sources.
"""

import json
import subprocess
from collections.abc import Collection
from pathlib import Path

from mlserverless.bundle.archive import files
from mlserverless.bundle.resolve import BuildError

# One process in a set order: what marshal writes depends on what was interned before. Assertions stay: -OO, which
# leaves out docstrings, leaves out these, too.
SCRIPT = """
import ast, importlib.util, json, marshal, os, sys

DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef

def bare(tree):
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), node.body[0])]
    return tree

for name, documented in json.load(sys.stdin):
    with open(name, "rb") as file:
        source = file.read()
    tree = ast.parse(source, name)
    code = compile(tree if documented else bare(tree), name, "exec", dont_inherit=True)
    into = importlib.util.cache_from_source(name)
    os.makedirs(os.path.dirname(into), exist_ok=True)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    with open(into, "wb") as file:
        file.write(head + marshal.dumps(code))
"""


def add(root: Path, python: str, bare: Collection[str] = ()) -> None:
    """Compile every module below ``root`` with ``python``, of the target's version; raise BuildError.

    Modules in ``bare``, names relative to ``root``, have no docstrings in their bytecode.
    """
    names = [path.as_posix() for path in files(root) if path.suffix == ".py"]
    done = subprocess.run(  # noqa: S603 - our own words
        [python, "-S", "-E", "-c", SCRIPT],
        input=json.dumps([(name, name not in bare) for name in names]),
        cwd=root,
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"A module of the package cannot be compiled: {done.stderr.strip()[-1000:]}")
