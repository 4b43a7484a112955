"""What the package's own code may not do: fetch past the guarded download, run text, unpickle, start a shell."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "adapters").rglob("*.py"))
CALLS = {
    *("eval", "exec", "compile", "__import__", "urlopen", "urlretrieve", "mktemp"),
    *(
        "os.system",
        "os.popen",
        "pickle.loads",
        "pickle.load",
        "marshal.loads",
        "yaml.load",
        "subprocess.getoutput",
    ),
}
SNIPPETS = {
    "from urllib.request import urlopen\n": "mlserverless.download",
    "import urllib.request\n\nurllib.request.urlopen('x')\n": "mlserverless.download",
    "from urllib import request\n\nrequest.urlopen('x')\n": "mlserverless.download",
    "import requests\n\nrequests.get('x')\n": "mlserverless.download",
    "import httpx\n\nhttpx.get('x')\n": "mlserverless.download",
    "import pickle\n\npickle.loads(b'')\n": "runs what it reads",
    "import tempfile\n\ntempfile.mktemp()\n": "TemporaryDirectory",
}


def findings(snippet: str, path: str) -> list[str]:
    """Return what ruff says of ``snippet`` under this project's rules, as if it stood at ``path``."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--output-format",
        "json",
        "--select",
        "TID251",
    ]
    done = subprocess.run(
        [*command, "--stdin-filename", path, "-"],
        cwd=ROOT,
        input=snippet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return [found["message"] for found in json.loads(done.stdout)]


@pytest.mark.parametrize(("snippet", "instead"), SNIPPETS.items(), ids=lambda text: text.splitlines()[0])
def test_the_linter_refuses_it_and_says_what_instead(snippet: str, instead: str) -> None:
    for path in ("src/mlserverless/anything.py", "adapters/aws/app.py"):
        assert any(instead in message for message in findings(snippet, path)), path


def test_what_is_no_part_of_the_function_may_use_it() -> None:
    snippet = "from urllib.request import urlopen\n"
    assert [findings(snippet, f"{place}/x.py") for place in ("tests", "benchmarks", "tools")] == [[], [], []]


def broken_rules(text: str) -> list[str]:
    """Return the calls in ``text`` that are not allowed, and every ``shell=True``."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            banned = name in CALLS or (name.rpartition(".")[2] in ("urlopen", "urlretrieve", "mktemp"))
            shell = any(word.arg == "shell" for word in node.keywords)
            found += [f"line {node.lineno}: {name}"] if banned or shell else []
    return found


def test_there_is_no_such_call_in_what_is_shipped() -> None:
    assert len(SOURCES) > 60
    found = {path: broken_rules(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {str(path.relative_to(ROOT)): calls for path, calls in found.items() if calls} == {}


def test_such_calls_are_found() -> None:
    text = (
        "eval('1')\nos.system('x')\nsubprocess.run('x', shell=True)\nurllib.request.urlopen('x')\nre.compile('x')"
    )
    assert broken_rules(text) == [
        "line 1: eval",
        "line 2: os.system",
        "line 3: subprocess.run",
        "line 4: urllib.request.urlopen",
    ]
