"""``mlserverless serve``: a real server behind it, and a clean end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlserverless.cli import serve as module
from mlserverless.cli.serve import serve
from mlserverless.local import aws, azure, deploy, gcp, wsgi

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(serve, list(arguments), catch_exceptions=False)


@contextmanager
def serving(*arguments: str, code: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process of its own, after ``code``; kill it at the end if it still runs."""
    program = f"{code}\nfrom mlserverless.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        yield process
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def no_process_of(group: str) -> bool:
    """Return whether no process has ``group`` in its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if group.encode() in (folder / "cmdline").read_bytes():
                return False
        except OSError:
            continue
    return True


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_wsgi_is_served_until_it_is_stopped(signum: signal.Signals) -> None:
    with serving("--on", "wsgi", "--port", "0", "--model", "models/dogs-vs-cats") as process:
        assert process.stdout is not None
        told = process.stdout.readline(), process.stdout.readline()
        found = re.fullmatch(r"wsgi answers at (http://127\.0\.0\.1:\d+)  \(Ctrl-C stops it\)\n", told[0])
        assert found is not None, told
        assert f"curl '{found[1]}/predict?top_k=3'" in told[1]
        with urllib.request.urlopen(f"{found[1]}/model", timeout=30) as response:
            assert json.load(response)["name"] == "dogs-vs-cats"
        process.send_signal(signum)
        assert process.wait(30) == 0
        assert no_process_of(found[1].removeprefix("http://")), "gunicorn and its workers are gone, too"


def test_a_stop_while_the_runtime_starts_leaves_no_process_behind() -> None:
    marker = f"mlserverless-test-{os.getpid()}"
    code = f"""
import sys
from mlserverless.local import process, wsgi

class Slow(process.ServerProcess):
    def _await(self, host, port):
        print("awaited", flush=True)
        super()._await(host, port)

def start(**_):
    command = [sys.executable, "-c", "import time; time.sleep(60)", {marker!r}]
    return Slow(command, "127.0.0.1", process.free_port("127.0.0.1"), {{}}, ".")

wsgi.start = start
"""
    with serving("--on", "wsgi", code=code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "awaited\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert no_process_of(f"time.sleep(60)\0{marker}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--on", "heroku"], "Invalid value for '--on': 'heroku' is not one of 'aws', 'azure', 'gcp', 'wsgi'"),
        (["--port", "65536"], "Invalid value for '--port': 65536 is not in the range 0<=x<=65535"),
        (["--parallel", "0"], "Invalid value for '--parallel'"),
        (["--app", "no-such-folder"], "Invalid value for '--app'"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_ends_with_2(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_what_the_runtime_refuses_ends_with_2() -> None:
    """The emulator serves one event at a time."""
    result = run("--on", "aws", "--emulator", "--parallel", "2")
    assert result.exit_code == 2
    assert result.stderr.startswith("aws: sandboxes must be 1")


@pytest.mark.parametrize("error", [RuntimeError("gunicorn is not installed"), OSError("no such device")])
def test_a_runtime_that_cannot_run_here_ends_with_3(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(wsgi, "start", fail)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    result = run("--on", "wsgi")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", f"wsgi: {error}\n")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


class Started(Exception):
    """Raised in the place of a started runtime, with what it was given."""


@pytest.mark.parametrize("runtime", [aws, azure, gcp, wsgi], ids=["aws", "azure", "gcp", "wsgi"])
def test_every_cloud_is_given_what_was_asked(
    runtime: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(**given: Any) -> None:
        raise Started(given)

    monkeypatch.setattr(runtime, "start", start)
    cloud = runtime.__name__.rpartition(".")[2]
    asked = [
        "--on",
        cloud,
        "--host",
        "127.0.0.2",
        "--port",
        "81",
        "--model",
        "models",
        "--allow-private-addresses",
    ]
    monkeypatch.chdir(ROOT)
    with pytest.raises(Started) as raised:
        run(*asked)
    (given,) = raised.value.args
    assert (given["host"], given["port"]) == ("127.0.0.2", 81)
    assert given["environment"] == {
        "MLSERVERLESS_MODEL": str(ROOT / "models"),
        "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    if cloud in ("aws", "azure"):
        assert given["app_dir"] == deploy.folder(cloud)
    if cloud != "wsgi":
        with pytest.raises(Started) as raised:
            run("--on", cloud, "--app", str(tmp_path), "--model", "efficientnet-lite0")
        assert raised.value.args[0]["app_dir"] == tmp_path
        assert raised.value.args[0]["environment"] == {"MLSERVERLESS_MODEL": "efficientnet-lite0"}


def test_aws_and_azure_are_given_their_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**given: Any) -> None:
        raise Started(given)

    monkeypatch.setattr(aws, "start", start)
    monkeypatch.setattr(azure, "start", start)
    with pytest.raises(Started) as raised:
        run("--on", "aws", "--parallel", "3")
    given = raised.value.args[0]
    assert (given["handler"], given["sandboxes"], given["emulator"]) == ("app.handler", 3, False)
    with pytest.raises(Started) as raised:
        run("--on", "azure", "--interpreter", "/usr/bin/python3.13")
    assert raised.value.args[0]["python"] == "/usr/bin/python3.13"


def test_the_clouds_are_those_that_start() -> None:
    assert module.CLOUDS == ("aws", "azure", "gcp", "wsgi")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a package with entry points on the path, as an installer does."""

    def installed(code: str, **entries: str) -> None:
        told = tmp_path / "fourth-1.0.dist-info"
        told.mkdir()
        (told / "METADATA").write_text("Metadata-Version: 2.1\nName: fourth\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (told / "entry_points.txt").write_text("\n".join(["[mlserverless.adapters]", *lines, ""]))
        (tmp_path / "fourth_cloud.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "fourth_cloud", raising=False)

    return installed


FOURTH = """
def available():
    return {reason!r}

def start(**asked):
    raise ValueError(sorted(asked.items()))
"""


def test_aninstalled_package_adds_a_cloud(install: Callable[..., None], tmp_path: Path) -> None:
    install(FOURTH.format(reason=None), fourth="fourth_cloud")
    result = run("--on", "fourth", "--port", "81", "--app", str(tmp_path), "--model", "mine", "--parallel", "2")
    asked = [("app_dir", tmp_path), ("environment", {"MLSERVERLESS_MODEL": "mine"})]
    asked += [("host", "127.0.0.1"), ("port", 81)]
    assert (result.exit_code, result.stderr) == (2, f"fourth: {asked}\n"), "and nothing that only aws knows"


def test_aninstalled_cloud_says_why_it_cannot_run(install: Callable[..., None]) -> None:
    install(FOURTH.format(reason="no licence"), fourth="fourth_cloud")
    result = run("--on", "fourth")
    assert (result.exit_code, result.stderr) == (3, "fourth: no licence\n")


def test_aninstalled_cloud_that_cannot_be_imported_is_told(install: Callable[..., None]) -> None:
    install("import no_such_module", fourth="fourth_cloud")
    result = run("--on", "fourth")
    assert result.exit_code == 3
    wanted = "fourth: fourth_cloud, which a package names for it, cannot be imported: No module named 'no_such"
    assert result.stderr.startswith(wanted)


def test_an_unknown_cloud_is_told_all_that_are_known(install: Callable[..., None]) -> None:
    install("", fourth="fourth_cloud", another="fourth_cloud")
    result = run("--on", "heroku")
    assert result.exit_code == 2
    assert "'heroku' is not one of 'aws', 'azure', 'gcp', 'wsgi', 'another', 'fourth'." in result.stderr


def test_a_package_does_not_replace_one_of_ours(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(**given: Any) -> None:
        raise Started(given)

    install("", gcp="fourth_cloud")
    monkeypatch.setattr(gcp, "start", start)
    with pytest.raises(Started):
        run("--on", "gcp")
    assert "gcp" not in module.installed()


def test_packages_are_not_looked_up_for_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**given: Any) -> None:
        raise Started(given)

    def looked_up() -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr(wsgi, "start", start)
    monkeypatch.setattr(module, "installed", looked_up)
    with pytest.raises(Started):
        run("--on", "wsgi")
