"""``mlserverless build``: what it asks for, what it prints, and how it ends; the building itself is a stand-in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlserverless.bundle import build as building
from mlserverless.bundle import preflight
from mlserverless.bundle.build import BuildError
from mlserverless.bundle.package import Dropped, Package
from mlserverless.bundle.targets import Target
from mlserverless.cli.build import build
from mlserverless.errors import ModelUnavailable
from mlserverless.formats import PLUGINS
from mlserverless.local import deploy


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(build, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


class Builder:
    """Stands for the build and the preflight, and keeps what they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[dict[str, Any]] = []
        self.examined: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.before: list[preflight.Finding] = []
        self.after: list[preflight.Finding] = []
        monkeypatch.setattr(building, "build", self._build)
        monkeypatch.setattr(preflight, "examine", self._examine)

    def _build(self, target: Target, *, tell: Callable[[str], None], **given: Any) -> Package:
        self.asked.append({"target": target, **given})
        tell("resolving")
        tell("put back: a rule, since without it answer 3")
        if self.error:
            raise self.error
        out = given["out"]
        (out / "package").mkdir(parents=True)
        (out / "package" / "app.py").write_bytes(bytes(300_000))
        (out / "build.json").write_text('{"target": "t",\n "proof": "p"}\n')
        dropped = (Dropped("lib.so", 2_000_000, "a library that nothing opened or needs"),)
        archive = out / "function.zip"
        return Package(target, out, out / "package", archive, 300_000, 100_000, None, "99 answers", dropped)

    def _examine(self, target: Target, **given: Any) -> list[preflight.Finding]:
        self.examined.append({"target": target, **given})
        return self.after if given["package"] else self.before


@pytest.fixture(autouse=True)
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    return Builder(monkeypatch)


def finding(status: str, check: str) -> preflight.Finding:
    return preflight.Finding(check, status, "what is", "what to do")


def test_it_builds_what_is_usual_and_shows_it(builder: Builder) -> None:
    result = run("aws")
    assert result.exit_code == 0
    assert builder.asked == [
        {
            "target": Target("aws", "3.13", "x86_64"),
            "model": "efficientnet-lite0",
            "models": (),
            "out": Path("build/aws"),
            "project": Path(),
            "image": False,
            "layer": False,
            "stores": True,
            "slim": True,
            "strip": False,
            "formats": tuple(PLUGINS),
        }
    ]
    assert "aws:python3.13:x86_64" in result.stdout
    assert "a library that nothing opened or needs" in result.stdout
    assert "build/aws/function.zip: 0.1 MB zipped, 0.3 MB unpacked" in result.stdout
    assert "proof: 99 answers" in result.stdout
    assert "put back: a rule, since without it answer 3" in result.stderr


def test_every_option_reaches_the_build(builder: Builder) -> None:
    words = "--python 3.12 --arch arm64 --model roses --model blue=asters --out there --image --layer"
    words += " --no-stores --no-slim --strip"
    assert run("aws", *words.split(), "--formats", "PNG, jpeg", "--no-check").exit_code == 0
    assert builder.asked == [
        {
            "target": Target("aws", "3.12", "arm64"),
            "model": "roses",
            "models": ("blue=asters",),
            "out": Path("there"),
            "project": Path(),
            "image": True,
            "layer": True,
            "stores": False,
            "slim": False,
            "strip": True,
            "formats": ("png", "jpeg"),
        }
    ]
    assert builder.examined == []


def test_the_settings_name_the_models(builder: Builder) -> None:
    Path("mlserverless.toml").write_text('model = "dogs-vs-cats"\nmodels = ["asters"]\n')
    assert run("gcp").exit_code == 0
    assert (builder.asked[0]["model"], builder.asked[0]["models"]) == ("dogs-vs-cats", ("asters",))


def test_wrong_settings_are_told(builder: Builder) -> None:
    Path("mlserverless.toml").write_text('timeout = "soon"\n')
    result = run("gcp")
    assert (result.exit_code, result.stdout, builder.asked) == (2, "", [])
    assert result.stderr.startswith("build: ")
    assert "timeout" in result.stderr


def test_json_is_all_that_is_printed(builder: Builder) -> None:
    result = run("container", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"target": "t", "proof": "p"}
    assert json.loads(result.stdout)["proof"] == "p"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("heroku",), "'heroku' is not one of 'aws', 'azure', 'gcp', 'container'"),
        (("aws", "--formats", "jpeg,heic"), "'heic' is not one of jpeg, png, webp, gif, bmp, tiff, avif."),
        (("aws", "--formats", "jpeg,"), "'' is not one of jpeg,"),
        (("aws", "--arch", "riscv"), "'riscv' is not one of 'x86_64', 'arm64'"),
        (("aws", "--python", "2.7"), "'2.7' is not one of '3.11',"),
        (
            ("azure", "--arch", "arm64"),
            "build: The architecture is 'arm64', which azure's functions do not run on;",
        ),
        (("aws", "--arch", "arm64", "--python", "3.11"), "build: aws:python3.11:arm64 has glibc 2.26"),
    ],
)
def test_what_there_is_not_is_wrong(builder: Builder, words: tuple[str, ...], told: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout, builder.asked) == (2, "", [])
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "error", [BuildError("uv is [not] here"), ModelUnavailable("no model"), PermissionError("no place")]
)
def test_what_cannot_be_built_is_told(builder: Builder, error: Exception) -> None:
    builder.error = error
    result = run("aws")
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"build: {error}" in result.stderr
    assert len(builder.examined) == 1, "there is no package to look at"


def test_the_doctors_checks_run_before_and_after(builder: Builder) -> None:
    builder.before = [finding(preflight.OK, "quiet"), finding(preflight.WARN, "loud")]
    result = run("aws", "--model", "roses", "--model", "blue=asters")
    assert result.exit_code == 0
    assert f"{preflight.WARN}: loud: what is\n  what to do\n" in result.stderr
    assert "quiet" not in result.stderr
    before, after = builder.examined
    assert (before["package"], after["package"].proof) == (None, "99 answers")
    assert (before["deploy"], before["model"]) == (deploy.folder("aws"), "roses")
    assert [asked["others"] for asked in builder.examined] == [("blue=asters",)] * 2


def test_a_project_that_would_not_be_taken_is_not_built(builder: Builder) -> None:
    builder.before = [finding(preflight.FAIL, "memory")]
    result = run("aws")
    assert (result.exit_code, result.stdout, builder.asked) == (1, "", [])
    assert f"{preflight.FAIL}: memory: what is\n  what to do\n" in result.stderr
    assert "Nothing was built: the project would not be taken, or should not be. See above." in result.stderr


def test_a_package_that_would_not_be_taken_is_shown_and_ends_red(builder: Builder) -> None:
    builder.after = [finding(preflight.FAIL, "size")]
    result = run("aws")
    assert result.exit_code == 1
    assert "build/aws/function.zip" in result.stdout
    assert "Do not deploy build/aws: the package would not be taken" in result.stderr
