"""Bytecode beside the sources: of the unchecked kind, the same in every build."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlserverless.bundle import bytecode
from mlserverless.bundle.resolve import BuildError

SOURCES = {
    "app.py": "import pkg.inner\n\nNAMES = frozenset({'a', 'b', 'c', 'd'})\n",
    "pkg/__init__.py": "",
    "pkg/inner.py": "def where():\n    return where.__code__.co_filename, {'x': 1, 'y': (1.5, 'a')}\n",
    "pkg/data.txt": "no Python",
}


def tree(root: Path) -> Path:
    for name, text in SOURCES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def compiled(root: Path) -> dict[str, bytes]:
    """Return the bytecode below ``root`` by its sources' names."""
    found = {name: root / importlib.util.cache_from_source(name) for name in SOURCES if name.endswith(".py")}
    assert {path.name for path in root.rglob("*.pyc")} == {path.name for path in found.values()}
    return {name: path.read_bytes() for name, path in found.items()}


def test_every_module_gets_bytecode_that_is_never_compared_with_it(tmp_path: Path) -> None:
    bytecode.add(tree(tmp_path), sys.executable)
    for name, data in compiled(tmp_path).items():
        assert data[:4] == importlib.util.MAGIC_NUMBER, name
        # PEP 552: bit 0 for a hash, bit 1 (not set) for checking it.
        assert int.from_bytes(data[4:8], "little") == 0b01, name
        assert data[8:16] == importlib.util.source_hash((tmp_path / name).read_bytes()), name


def test_it_is_the_same_bytes_in_another_folder_and_names_no_folder(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "a"), tree(tmp_path / "much" / "deeper" / "b")
    shutil.rmtree(second / "pkg")
    tree(second)  # made in another order
    for root in (first, second):
        bytecode.add(root, sys.executable)
    assert compiled(first) == compiled(second)
    assert not any(str(tmp_path).encode() in data for data in compiled(first).values())


def test_python_runs_it_without_the_source_being_read(tmp_path: Path) -> None:
    bytecode.add(tree(tmp_path), sys.executable)
    (tmp_path / "app.py").write_text("raise SystemExit('it was compiled anew')\n")
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import app"]
    subprocess.run(command, check=True)


def test_a_folder_without_modules_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    bytecode.add(tmp_path, sys.executable)
    assert [path.name for path in tmp_path.rglob("*")] == ["host.json"]


def test_a_module_that_is_none_is_named(tmp_path: Path) -> None:
    (tree(tmp_path) / "pkg" / "broken.py").write_text("def f(:\n")
    with pytest.raises(BuildError, match=r"(?s)A module of the package cannot be compiled: .*pkg/broken\.py"):
        bytecode.add(tmp_path, sys.executable)


def test_docstrings_are_left_out_where_nobody_reads_them_and_assertions_stay(tmp_path: Path) -> None:
    source = (
        '"""A module."""\nfrom __future__ import annotations\n\nclass A:\n    """A class."""\n\n'
        '    def f(self, x):\n        """A method."""\n        assert x, "it is wanted"\n        return "x", x\n\n'
        'async def g():\n    """A coroutine."""\n    return 1\n\nTEXT = """no docstring"""\n'
    )
    for name in ("bare.py", "told.py"):
        (tmp_path / name).write_text(source)
    bytecode.add(tmp_path, sys.executable, {"bare.py"})
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import bare, told, inspect, json\n"
        "def told_by(m): return [m.__doc__, m.A.__doc__, m.A.f.__doc__, m.g.__doc__, m.TEXT, m.A().f(2)]\n"
        "try: bare.A().f(0)\nexcept AssertionError as error: line = error.__traceback__.tb_next.tb_lineno\n"
        "print(json.dumps([told_by(bare), told_by(told), line]))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True, capture_output=True, text=True)
    bare, told, line = json.loads(done.stdout)
    assert bare == [None, None, None, None, "no docstring", ["x", 2]]
    assert told == ["A module.", "A class.", "A method.", "A coroutine.", "no docstring", ["x", 2]]
    assert line == 9, "a traceback names the source's own line"
    left = (tmp_path / "bare.py").read_text().splitlines()
    assert "A method" not in "".join(left)
    assert left[8] == source.splitlines()[8], "and shows it"
    assert (tmp_path / "told.py").read_text() == source


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ('def f():\n    """Alone,\n    in two lines."""\n\nx = 1\n', "def f():\n    pass\n\n\nx = 1\n"),
        ('class A: "On its line."  # why\n', "class A: pass  # why\n"),
        ('"""É."""; x = 1\n', '"""É."""; x = 1\n'),  # what follows a semicolon stays what it is
        ('# coding: latin-1\ndef f(): "\xe9"; return 1\n', None),
        ('\ufeff"""After a mark."""\nx = 1\n', None),
    ],
)
def test_a_source_without_docstrings_says_the_same(tmp_path: Path, source: str, left: str | None) -> None:
    data = source.encode("latin-1" if "coding" in source else "utf-8")
    (tmp_path / "bare.py").write_bytes(data)
    bytecode.add(tmp_path, sys.executable, {"bare.py"})
    found = (tmp_path / "bare.py").read_bytes()
    assert left is None or found.decode() == left
    before, after = ast.parse(data), ast.parse(found)
    for node in (*ast.walk(before), *ast.walk(after)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    told = [ast.dump(tree).replace("Pass(), ", "").replace("Pass()", "") for tree in (before, after)]
    assert told[0] == told[1]
