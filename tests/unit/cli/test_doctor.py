"""``mlserverless doctor``: the checklist, its mends, and how it ends."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlserverless.bundle import preflight, resolve
from mlserverless.bundle.preflight import Finding, trial
from mlserverless.bundle.preflight.trial import Trial, Tried
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.scaffold import scaffold
from mlserverless.cli import doctor as command
from mlserverless.cli.doctor import doctor
from mlserverless.config import Settings

OK = Finding("engine", "ok", "litert")
YELLOW = Finding("payload", "warn", "too [large] a body", "Set less.", "A page (read 2026-11)")
RED = Finding("public", "fail", "open to anybody", "Close it.")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(doctor, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolve, "interpreter", lambda _: None)
    monkeypatch.setattr(trial, "run", lambda *_: Trial(peak=80_000_000, models=(Tried(2, 2),)))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the preflight is asked, of which every target has a yellow line."""
    calls: list[tuple[str, dict[str, object]]] = []

    def examine(target: object, **given: object) -> list[Finding]:
        calls.append((str(target), given))
        return [OK, YELLOW]

    monkeypatch.setattr(preflight, "examine", examine)
    return calls


def test_a_new_project_is_all_good(tmp_path: Path) -> None:
    scaffold(tmp_path, ["aws", "container"], "dogs-vs-cats")
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line for line in lines if line and line[0].isalpha() and ":python" in line] == [
        "aws:python3.13:x86_64",
        "container:python3.13:x86_64",
    ]
    assert "  ✓ labels: 2, as many as classes" in lines
    assert not [line for line in lines if line.startswith(("  ✗", "  !"))]
    assert lines[-1].endswith("checks: all good")


def test_a_red_line_has_its_mend_below_and_ends_with_1(tmp_path: Path) -> None:
    scaffold(tmp_path, ["aws"], "dogs-vs-cats")
    path = tmp_path / "aws" / "template.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("AuthType: AWS_IAM", "AuthType: NONE"), encoding="utf-8"
    )
    result = run("aws:python3.13")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    at = lines.index("  ✗ public: template.yaml: Classifier: its URL answers anybody (AuthType: NONE)")
    assert lines[at + 1].startswith("      Set AuthType: AWS_IAM and sign requests.")
    assert lines[-1].endswith("checks: 1 to mend, 0 to look at")


def test_a_yellow_line_has_its_mend_and_source_below_and_ends_with_0(asked: list[object]) -> None:
    result = run("gcp")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    at = lines.index("  ! payload: too [large] a body")
    assert lines[at + 1 : at + 3] == ["      Set less.", "      by A page (read 2026-11)"]
    assert lines[-1] == "2 checks: 0 to mend, 1 to look at"
    assert len(asked) == 1


def test_without_a_project_every_provider_is_checked(asked: list[tuple[str, dict[str, object]]]) -> None:
    assert run().exit_code == 0
    assert [target.partition(":")[0] for target, _ in asked] == ["aws", "azure", "gcp", "container"]
    assert {given["model"] for _, given in asked} == {Settings().model}


def test_what_the_preflight_is_asked(tmp_path: Path, asked: list[tuple[str, dict[str, object]]]) -> None:
    (tmp_path / "azure").mkdir()
    (tmp_path / "mlserverless.toml").write_text('model = "mine"\n', encoding="utf-8")
    run()
    run("aws:python3.12:arm64", "container", "--model", "other")
    assert [target for target, _ in asked] == [
        "azure:python3.13:x86_64",
        "aws:python3.12:arm64",
        "container:python3.13:x86_64",
    ]
    assert asked[0][1] == {
        "deploy": Path("azure"),
        "project": Path(),
        "model": "mine",
        "others": (),
        "package": None,
    }
    assert [given["model"] for _, given in asked[1:]] == ["other", "other"]


def test_further_models_of_settings_and_environment_are_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, dict[str, object]]]
) -> None:
    (tmp_path / "mlserverless.toml").write_text('model = "a"\nmodels = ["b", "c=d"]\n', encoding="utf-8")
    run("aws")
    monkeypatch.setenv("MLSERVERLESS_MODELS", "x,y=z")
    run("aws")
    run("aws", "--model", "one", "--model", "two=three")
    found = [(given["model"], given["others"]) for _, given in asked]
    assert found == [("a", ("b", "c=d")), ("a", ("x", "y=z")), ("one", ("two=three",))]


def test_a_variable_that_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, asked: list[object]) -> None:
    """It names the models; what is in the settings file is a line of the checklist."""
    monkeypatch.setenv("MLSERVERLESS_MODEL", " ")
    result = run("aws")
    assert (result.exit_code, asked) == (2, [])
    assert "doctor: MLSERVERLESS_MODEL is ' ', which is not accepted" in result.stderr


def test_settings_that_are_wrong_are_a_line_and_no_end(tmp_path: Path) -> None:
    scaffold(tmp_path, ["container"], "dogs-vs-cats")
    (tmp_path / "mlserverless.toml").write_text('model = "model"\ntop_k = 0\n', encoding="utf-8")
    result = run()
    assert result.exit_code == 1
    assert "  ✗ settings: top_k (in the settings file) is 0" in result.stdout


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("gws", "The provider is 'gws'; give one of aws, azure, gcp, container."),
        ("aws:python2.7", "The Python is '2.7'; give one of"),
        ("azure:python3.13:arm64", "which azure's functions do not run on"),
    ],
)
def test_a_target_that_is_none_is_a_wrong_command(target: str, told: str) -> None:
    result = run(target)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_package_is_examined_for_its_own_target(
    tmp_path: Path, asked: list[tuple[str, dict[str, object]]]
) -> None:
    inside = tmp_path / "build" / "package" / "mlserverless" / "_models" / "mine"
    inside.mkdir(parents=True)
    (inside / "model.toml").touch()
    told = {"target": "aws:python3.12:arm64", "archives": {}, "root": "package", "unpacked": 1, "zipped": 1}
    told |= {"peak_megabytes": 80, "proof": "", "dropped": {}}
    (tmp_path / "build" / "build.json").write_text(json.dumps(told), encoding="utf-8")
    assert run("--package", "build").exit_code == 0
    ((target, given),) = asked
    assert target == "aws:python3.12:arm64"
    assert given["package"] is not None
    assert given["model"] == str(Path("build", "package", "mlserverless", "_models", "mine"))
    assert given["others"] == ()
    (inside.parent / "a-second").mkdir()
    (inside.parent / "a-second" / "model.toml").touch()
    (tmp_path / "build" / "build.json").write_text(json.dumps(told | {"models": ["mine", "a-second"]}))
    assert run("--package", "build").exit_code == 0
    assert (asked[1][1]["model"], asked[1][1]["others"]) == (
        given["model"],
        ("1=build/package/mlserverless/_models/a-second",),
    )


def test_a_folder_that_holds_no_package_is_a_wrong_command(tmp_path: Path) -> None:
    result = run("--package", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "holds no package" in result.stderr


def test_a_pipe_gets_no_progress(asked: list[object]) -> None:
    assert run("aws").stderr == ""


def test_targets_were_an_option(asked: list[tuple[str, dict[str, object]]]) -> None:
    result = run("--target", "aws:python3.12", "--target=gcp")
    assert [target for target, _ in asked] == ["aws:python3.12:x86_64", "gcp:python3.13:x86_64"]
    assert result.stderr == (
        "doctor: --target is deprecated, and goes in 0.3: write its value alone, after doctor. "
        "See docs/reference/versions.md.\n"
    )


def test_a_slip_is_told_with_what_was_meant() -> None:
    result = run("azur")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'azure'?" in result.stderr


def test_a_setting_that_there_is_not_is_told_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_MODLE", "mine")
    result = run("aws")
    assert result.exit_code == 2
    assert "Did you mean 'MLSERVERLESS_MODEL'" in result.stderr


def test_without_uv_a_python_may_still_be_missing(monkeypatch: pytest.MonkeyPatch, asked: list[object]) -> None:
    def interpreter(_: str) -> str:
        raise BuildError("there is no uv")

    monkeypatch.setattr(resolve, "interpreter", interpreter)
    assert json.loads(run("aws", "--json").stdout)["pythons"] == {"3.13": None}


def test_without_its_packages_it_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlserverless.bundle.preflight")
    monkeypatch.delattr("mlserverless.bundle.preflight")
    monkeypatch.delitem(sys.modules, "mlserverless.bundle.elf", raising=False)
    monkeypatch.delattr("mlserverless.bundle.elf", raising=False)
    monkeypatch.setitem(sys.modules, "elftools", None)
    monkeypatch.setitem(sys.modules, "elftools.common.exceptions", None)
    for name in [name for name in sys.modules if name.startswith("mlserverless.bundle.preflight.")]:
        monkeypatch.delitem(sys.modules, name)
    result = run("aws")
    assert (result.exit_code, result.stdout) == (3, "")
    assert 'pip install "mlserverless[build]"' in result.stderr


def test_json_has_every_line_and_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "examine", lambda *_, **__: [OK, RED])
    result = run("aws", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["targets"] == {"aws:python3.13:x86_64": [OK._asdict(), RED._asdict()]}
    assert set(told["tools"]) == {"sam", "aws", "func", "az", "gcloud", "docker", "podman"}
    assert told["pythons"] == {"3.13": None}


def test_the_machines_tools_and_pythons_are_told(monkeypatch: pytest.MonkeyPatch, asked: list[object]) -> None:
    monkeypatch.setattr(command.shutil, "which", lambda name: f"/bin/{name}" if name == "az" else None)
    lines = run("azure").stdout.splitlines()
    assert "  tools: az; not here: sam, aws, func, gcloud, docker, podman" in lines
    assert "  Python 3.13: not here: a package for it cannot be run and slimmed (uv python install 3.13)" in lines
    assert asked
