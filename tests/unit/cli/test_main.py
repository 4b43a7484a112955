"""The command line as a whole: quick, lazy, and of use where its packages are missing."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers import child
from mlserverless import cli

HERE = Path(__file__).parent


def run(
    *arguments: str, code: str = "from mlserverless.cli import main; main()", **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands_with_what_they_do(flag: str) -> None:
    done = run(flag)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: mlserverless [OPTIONS] COMMAND")
    for name, text in cli.COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert text in done.stdout


def test_without_a_command_the_help_is_shown_and_the_call_is_wrong() -> None:
    done = run()
    assert done.returncode == 2
    assert "predict" in done.stdout + done.stderr


def test_a_command_that_does_not_exist_is_named() -> None:
    done = run("classify")
    assert done.returncode == 2
    assert "No such command 'classify'" in done.stderr


def test_version_is_the_packages() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"{version('mlserverless')}\n")


def test_a_shell_can_complete_the_commands() -> None:
    asked = {"COMP_WORDS": "mlserverless ", "COMP_CWORD": "1", "_MLSERVERLESS_COMPLETE": "bash_complete"}
    assert run(**asked).stdout.split() == [f"plain,{name}" for name in cli.COMMANDS]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(cli.group(__import__("click")), [name, "--help"])
    assert result.exit_code == 0
    assert result.output.count(f"$ mlserverless {name}") + result.output.count(f"(mlserverless {name}") >= 2


def test_help_imports_nothing_that_costs() -> None:
    code = """
import json, sys
sys.argv = ["mlserverless", "--help"]
from mlserverless.cli import main
try:
    main()
except SystemExit:
    pass
costly = ("rich", "PIL", "numpy", "mlserverless.predictor", "mlserverless.local", "http.client", "ai_edge_litert")
print(json.dumps([name for name in costly if name in sys.modules]))
"""
    assert child.run(code, HERE) == []


@pytest.mark.parametrize(
    "lack",
    ["sys.modules['click'] = None", "import importlib.util as u; u.find_spec = lambda name: None"],
    ids=["click", "rich"],
)
def test_without_its_packages_it_says_how_to_get_them(lack: str) -> None:
    done = run("--help", code=f"import sys; {lack}; from mlserverless.cli import main; main()")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == 'The command line needs click and rich: pip install "mlserverless[cli]"\n'


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlserverless", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{version('mlserverless')}\n")
