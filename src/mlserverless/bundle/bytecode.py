"""Bytecode beside the sources, so that a cold start compiles nothing.

It is of the unchecked kind (PEP 552): it holds the source's hash instead of its time, so it is the same in every
build, and is not compared with the source at import. Docstrings, which a function never shows, are a sixth of it
and a quarter of the sources: they are left out of both, and every line keeps its number, for tracebacks.
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

def bare(source, name):
    tree, lines = ast.parse(source, name), source.split(b"\\n")
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            told, alone = node.body[0], len(node.body) == 1
            first, last = told.lineno - 1, told.end_lineno - 1
            before, after = lines[first][: told.col_offset], lines[last][told.end_col_offset :]
            lines[first : last + 1] = [before + b"pass" * alone + after] + [b""] * (last - first)
            node.body[:1] = [ast.copy_location(ast.Pass(), told)] if alone else []
    made = b"\\n".join(lines)
    try:
        same = ast.dump(ast.parse(made, name)) == ast.dump(tree)
    except (SyntaxError, ValueError):
        same = False
    return made if same else source  # as where a semicolon follows, or columns are not of UTF-8

for name, documented in json.load(sys.stdin):
    with open(name, "rb") as file:
        source = file.read()
    if not documented and (made := bare(source, name)) != source:
        source = made
        with open(name, "wb") as file:
            file.write(source)
    code = compile(source, name, "exec", dont_inherit=True)
    into = importlib.util.cache_from_source(name)
    os.makedirs(os.path.dirname(into), exist_ok=True)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    with open(into, "wb") as file:
        file.write(head + marshal.dumps(code))
"""


def add(root: Path, python: str, bare: Collection[str] = ()) -> None:
    """Compile every module below ``root`` with ``python``, of the target's version; raise BuildError.

    Modules in ``bare``, names relative to ``root``, lose their docstrings, in the source as in the bytecode.
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
