"""A cloud in a package of its own: examples/alibaba passes the suite, and nothing here knows of it."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "alibaba"
SOURCES = sorted(path for path in EXAMPLE.rglob("*.py") if "build" not in path.relative_to(EXAMPLE).parts)


def test_its_own_tests_pass() -> None:
    """In a process of its own, with its own settings of pytest, and without it being installed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    assert int(passed) > 100, "the suite is run, and nothing of it is skipped"


def private(tree: ast.AST) -> Iterator[str]:
    """Yield what is private of mlserverless, or of any object other than the class's own."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mlserverless":
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id == "self"
        ):
            names = [node.attr]
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(EXAMPLE)))
def test_it_needs_nothing_private(path: Path) -> None:
    assert list(private(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    ["from mlserverless.stores import _store", "import mlserverless._models", "stores._store.cache_clear()"],
)
def test_what_is_private_is_found(code: str) -> None:
    assert list(private(ast.parse(code))) != []


def test_nothing_here_knows_of_it() -> None:
    files = [
        path for path in (ROOT / "src" / "mlserverless").rglob("*") if path.suffix != ".pyc" and path.is_file()
    ]
    assert len(files) > 50
    assert [path for path in files if b"alibaba" in path.read_bytes().lower()] == []


def test_serve_starts_it_by_its_entry_point(tmp_path: Path) -> None:
    """With the metadata that an installer makes of its pyproject.toml."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = tmp_path / "mlserverless_alibaba-0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["mlserverless.adapters"].items()]
    (told / "entry_points.txt").write_text("\n".join(["[mlserverless.adapters]", *lines, ""]))

    path = os.pathsep.join([str(tmp_path), str(EXAMPLE / "src")])
    command = [sys.executable, "-m", "mlserverless", "serve", "--on", "alibaba", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as serving:
        guard = threading.Timer(60, serving.kill)
        guard.start()
        try:
            assert serving.stdout is not None
            found = re.match(r"alibaba answers at (http://127\.0\.0\.1:\d+)  ", serving.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(f"{found[1]}/model", timeout=30) as response:
                assert json.load(response)["name"] == "efficientnet-lite0"
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(30) == 0
        finally:
            guard.cancel()
            serving.kill()
