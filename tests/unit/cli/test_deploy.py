"""``mlserverless deploy``: in which order it checks, builds and runs, what it shows, and where it stops."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers.tools import Tools
from mlserverless.bundle import archive, preflight, record
from mlserverless.bundle import build as building
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import FAIL, OK, WARN, Finding
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target, parse
from mlserverless.cli.deploy import deploy

RED = Finding("timeout", FAIL, "It is 1000 s.", "Set it to 900 at most.")
YELLOW = Finding("python", WARN, "It ends in May.", "Take a newer one.")
GREEN = Finding("size", OK, "14 MB")


class Happened:
    """What deploying did, in order; ``found`` is what the preflight finds before and after the build."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.found: dict[bool, list[Any]] = {False: [GREEN], True: [GREEN]}
        self.fails: Exception | None = None

    def examine(
        self,
        target: Target,
        *,
        deploy: Path,
        project: Path,
        model: str,
        others: tuple[str, ...],
        package: Package | None = None,
    ) -> list[Any]:
        self.steps.append(("examine", str(target), ",".join([model, *others]), package is not None))
        return self.found[package is not None]

    def build(
        self, target: Target, *, model: str, models: tuple[str, ...], out: Path, project: Path, tell: Any
    ) -> Package:
        self.steps.append(("build", str(target), ",".join([model, *models]), str(out)))
        if self.fails:
            raise self.fails
        tell("packing")
        return packed(target, out)


def packed(target: Target, out: Path) -> Package:
    """Write what a build of ``target`` writes, without the packages."""
    root = out / "package"
    model = root / "mlserverless/_models/roses"
    model.mkdir(parents=True)
    (model / "model.toml").write_text("")
    for path in building.deploy_folder(target, Path()).iterdir():
        if path.suffix in (".yaml", ".bicep", ".json"):
            shutil.copyfile(path, out / path.name)
    archive.write_zip(root, out / "function.zip")
    package = Package(target, out, root, out / "function.zip", 1, 1, None, "proven")
    record.write(package, {}, None)
    return package


@pytest.fixture
def happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Happened:
    """An empty project to deploy from, with a preflight and a build that only say that they were called."""
    project = tmp_path / "flowers"
    project.mkdir()
    monkeypatch.chdir(project)
    does = Happened()
    monkeypatch.setattr(preflight, "examine", does.examine)
    monkeypatch.setattr(building, "build", does.build)
    return does


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools(tmp_path / "bin", monkeypatch)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(deploy, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


def test_it_checks_builds_checks_shows_and_runs(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    result = run("aws", "--region", "eu-central-1")
    assert (result.exit_code, tools.asked[0][:2]) == (0, ["sam", "deploy"])
    assert happened.steps == [
        ("examine", "aws:python3.13:x86_64", "efficientnet-lite0", False),
        ("build", "aws:python3.13:x86_64", "efficientnet-lite0", "build/aws"),
        ("examine", "aws:python3.13:x86_64", "efficientnet-lite0", True),
    ]
    (asked,) = tools.asked
    assert asked[asked.index("--stack-name") + 1] == "flowers", "the project's folder"
    assert {"Model=roses", "Runtime=python3.13", "Architecture=x86_64"} < set(asked), "what is in the package"
    shown = [line for line in result.stdout.splitlines() if line.startswith("sam ")]
    assert [line.split(" ") for line in shown] == [asked], "shown as it was run"
    assert result.stdout.endswith("\nflowers is deployed.\n")


def test_json_is_all_that_is_printed(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    result = run("aws", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["dry_run"], told["missing"]) == (0, False, None)
    (asked,) = tools.asked
    assert [shlex.split(one["command"]) for one in told["commands"]] == [asked]
    assert f"# {told['commands'][0]['does']}" in result.stderr


@pytest.mark.parametrize("given", [("--model", "dogs-vs-cats", "--model", "b=efficientnet-lite0"), ()])
def test_every_model_is_checked_and_built(
    happened: Happened, tools: Tools, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    tools.put("sam")
    if not given:
        monkeypatch.setenv("MLSERVERLESS_MODEL", "dogs-vs-cats")
        monkeypatch.setenv("MLSERVERLESS_MODELS", "b=efficientnet-lite0")
    assert run("aws", *given).exit_code == 0
    assert [(step[0], step[2]) for step in happened.steps] == [
        (what, "dogs-vs-cats,b=efficientnet-lite0") for what in ("examine", "build", "examine")
    ]


@pytest.fixture
def azure(happened: Happened) -> Happened:
    """The same project with an azure folder of its own."""
    Path("azure").mkdir()
    Path("azure/function_app.py").touch()
    Path("azure/main.bicep").write_text("param name string\n")
    return happened


def test_azures_commands_run_in_order(azure: Happened, tools: Tools) -> None:
    tools.put("az")
    result = run("azure", "--resource-group", "rg", "--name", "roses", "--model", "dogs-vs-cats")
    assert result.exit_code == 0
    assert [asked[:4] for asked in tools.asked][:2] == [
        ["az", "deployment", "group", "create"],
        ["az", "functionapp", "deployment", "source"],
    ]
    assert azure.steps[0][2] == "dogs-vs-cats"
    assert [line.split(" ") for line in result.stdout.splitlines() if line.startswith("az ")] == tools.asked


def test_the_first_command_that_fails_ends_it(azure: Happened, tools: Tools) -> None:
    tools.put("az", fails_at=1, code=9)
    result = run("azure", "--resource-group", "rg")
    assert (result.exit_code, len(tools.asked)) == (1, 1)
    assert "not run: az functionapp deployment source config-zip" in result.stderr
    assert result.stderr.splitlines()[-1] == "deploy: az ended with exit code 9."
    assert "is deployed" not in result.stdout


@pytest.mark.parametrize("after", [False, True])
def test_a_red_line_ends_it_before_anything_is_uploaded(happened: Happened, tools: Tools, after: bool) -> None:
    tools.put("sam")
    happened.found[after] = [GREEN, RED]
    result = run("aws")
    assert (result.exit_code, tools.asked) == (1, [])
    assert "fail: timeout: It is 1000 s.\n  Set it to 900 at most.\nNothing was uploaded" in result.stderr
    assert "size" not in result.stderr
    assert ("build" in [step[0] for step in happened.steps]) is after


def test_a_yellow_line_is_shown_and_stops_nothing(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    happened.found[True] = [YELLOW]
    result = run("aws")
    assert (result.exit_code, len(tools.asked)) == (0, 1)
    assert "warn: python: It ends in May.\n  Take a newer one.\n" in result.stderr


def test_a_missing_tool_is_told_before_anything_is_done(happened: Happened, tools: Tools) -> None:
    result = run("aws")
    assert (result.exit_code, happened.steps) == (3, [])
    assert "needs sam, which is not on the PATH. To get it: `pip install aws-sam-cli`" in result.stderr


def test_a_build_that_fails_is_told(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    happened.fails = BuildError("No wheel fits.")
    result = run("aws")
    assert (result.exit_code, tools.asked) == (3, [])
    assert result.stderr.endswith("deploy: No wheel fits.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("azure",), "--resource-group"),
        (("aws", "--name", "My Flowers"), "give one with --name"),
        (("aws", "--template", "none.yaml"), "has no template 'none.yaml'"),
        (("aws", "--parameter", "Size=1"), "names in template.yaml are"),
        (("azure", "--arch", "arm64", "--resource-group", "rg"), "azure's functions do not run on"),
    ],
)
@pytest.mark.parametrize("dry", [("--dry-run",), ()])
def test_a_wrong_option_is_told_before_anything_is_built(
    happened: Happened, tools: Tools, arguments: tuple[str, ...], told: str, dry: tuple[str, ...]
) -> None:
    for name in ("sam", "az"):
        tools.put(name)
    result = run(*arguments, *dry)
    assert (result.exit_code, tools.asked, happened.steps) == (2, [], [])
    assert told in result.stderr


# --- --dry-run ---------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_commands_and_does_nothing(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    result = run("aws", "--dry-run", "--name", "roses")
    assert (result.exit_code, tools.asked, happened.steps) == (0, [], [])
    (shown,) = [line for line in result.stdout.splitlines() if line.startswith("sam ")]
    assert shown.startswith("sam deploy --template-file build/aws/template.yaml --stack-name roses ")
    assert " --parameter-overrides Model=efficientnet-lite0" in shown
    assert "Nothing was run." in result.stdout
    assert not Path("build").exists()


def test_a_dry_run_needs_no_tool(happened: Happened, tools: Tools) -> None:
    result = run("aws", "--dry-run")
    assert result.exit_code == 0
    assert "sam deploy" in result.stdout
    assert "needs sam, which is not on the PATH" in result.stdout


def test_a_dry_run_reads_the_projects_own_template(happened: Happened, tools: Tools) -> None:
    Path("aws").mkdir()
    Path("aws/app.py").write_text("")
    Path("aws/mine.yaml").write_text("Parameters:\n  Colour:\n    Type: String\n")
    result = run("aws", "--dry-run", "--template", "mine.yaml", "--parameter", "Colour=light red")
    assert result.exit_code == 0
    assert "--template-file build/aws/mine.yaml" in result.stdout
    assert """--parameter-overrides 'Colour="light red"'""" in result.stdout


# --- --built -----------------------------------------------------------------------------------------------------


def test_what_was_built_is_deployed_as_it_is(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    packed(parse("aws:python3.12:arm64"), Path("build/aws"))
    result = run("aws", "--built")
    assert (result.exit_code, len(tools.asked)) == (0, 1)
    assert {"Runtime=python3.12", "Architecture=arm64"} < set(tools.asked[0])
    assert happened.steps == [
        ("examine", "aws:python3.12:arm64", "build/aws/package/mlserverless/_models/roses", True)
    ]


def test_every_model_in_what_was_built_is_checked_again(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    made = packed(parse("aws"), Path("build/aws"))
    other = made.root / "mlserverless/_models/asters"
    other.mkdir()
    (other / "model.toml").write_text("")
    archive.write_zip(made.root, made.out / "function.zip")
    record.write(made._replace(models=("roses", "asters")), {}, None)
    assert run("aws", "--built").exit_code == 0
    place = "build/aws/package/mlserverless/_models"
    assert [step[2] for step in happened.steps] == [f"{place}/roses,1={place}/asters"]


def test_what_was_changed_since_it_was_built_is_not_deployed(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    packed(parse("aws"), Path("build/aws"))
    Path("build/aws/function.zip").write_bytes(b"another")
    result = run("aws", "--built")
    assert (result.exit_code, tools.asked) == (2, [])
    assert "build/aws/function.zip is not what was built and proven" in result.stderr


def test_without_a_build_there_is_nothing_to_deploy(happened: Happened, tools: Tools) -> None:
    tools.put("sam")
    result = run("aws", "--built")
    assert result.exit_code == 2
    assert "build/aws holds no package" in result.stderr
