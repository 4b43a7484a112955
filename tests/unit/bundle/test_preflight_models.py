"""The model: read, tried in a process of its own, its labels counted, its memory held against what is asked."""

import shutil
import sys
from pathlib import Path

import pytest

from helpers.preflight import TODAY, case, statuses, template
from mlserverless import certificate
from mlserverless.bundle import limits
from mlserverless.bundle.preflight import Case, Finding, examine, models, trial
from mlserverless.bundle.preflight.trial import Trial, Tried
from mlserverless.bundle.targets import parse
from mlserverless.model import load, locate

ORIGINAL = Path(locate("dogs-vs-cats"))
PETS = Tried(classes=2, labels=2, engine="litert")
FITS = Trial(peak=100 * limits.MB, models=(PETS,))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ORIGINAL, tmp_path / "model")
    return tmp_path


def tried(monkeypatch: pytest.MonkeyPatch, result: Trial) -> None:
    monkeypatch.setattr(trial, "run", lambda *_: result)


def test_a_good_model_is_loaded_asked_and_measured(project: Path) -> None:
    examined = case(project, template_yaml=template("MemorySize: 512"))
    found = models.examine(examined)
    assert statuses(found) == {("model", "ok"), ("labels", "ok"), ("memory-needed", "ok")}
    assert "1, as many as classes" in [finding.told for finding in found]
    assert found[-1].told.endswith(", and 512 MB are asked for")


def test_a_certificate_is_told_and_a_stale_one_is_red(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, FITS._replace(models=(Tried(1, 1),)))
    path, hashed = project / "model" / "model.toml", "0" * 64
    text, plain = path.read_text(), load(str(project / "model"))
    told = f'reference = "{hashed}"\nmodel = "{plain.sha256}"\npipeline = "{certificate.pipeline(plain)}"\n'
    path.write_text(f'{text}\n[certificate]\n{told}images = 6\ndate = "2026-11-28"\n')
    (found,) = [one for one in models.examine(case(project)) if one.check == "certificate"]
    assert (found.status, found.told) == ("ok", "of 2026-11-28, by 6 images of a notebook")
    path.write_text(path.read_text().replace("[output]", "[output]\noffset = 0").replace('"unit"', '"signed"'))
    (found,) = [one for one in models.examine(case(project)) if one.check == "certificate"]
    assert (found.status, "have been changed since" in found.told) == ("fail", True)
    assert "mlserverless certify" in found.mend


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is what Linux's kernel says of the process")
def test_the_trial_measures_its_own_process_alone(project: Path) -> None:
    ballast = b"x" * (200 * limits.MB)
    result = trial.run(project / "model", project, pixels=1_000_000)
    assert len(ballast) > result.peak > 20 * limits.MB
    assert (result.problem, result.models) == ("", (Tried(1, 1, "classify", "litert"),))


def test_the_trial_tells_whose_fault_it_is(project: Path) -> None:
    for toml, problem in {
        "top_k = 0": "settings",
        'engine = "tensorflow"': "engine",
        'labels_allow = ["x"]': "model",
    }.items():
        (project / "mlserverless.toml").write_text(toml, encoding="utf-8")
        assert trial.run(project / "model", project, 1000).problem == problem


def test_a_process_that_dies_is_told_with_its_last_words(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "ASK", "import sys; sys.exit('killed by the model')")
    result = trial.run(project / "model", project, 1000)
    assert (result.problem, result.told) == ("crash", "the process ended with code 1: killed by the model")
    monkeypatch.setattr(trial, "ASK", "import time; time.sleep(60)")
    monkeypatch.setattr(trial, "SECONDS", 0.3)
    assert trial.run(project / "model", project, 1000).problem == "crash"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def no_labels(model: Path) -> None:
    (model / "labels.txt").unlink()


def one_more(model: Path) -> None:
    edit(model / "labels.txt", "dog", "dog\nbird")


def flipped(model: Path) -> None:
    path = next(model.glob("*.tflite"))
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def unknown_key(model: Path) -> None:
    edit(model / "model.toml", "[input]", "[input]\nresise = 1")


def no_toml(model: Path) -> None:
    (model / "model.toml").unlink()


def no_file(model: Path) -> None:
    next(model.glob("*.tflite")).unlink()


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (no_labels, "labels", "labels.txt cannot be read"),
        (one_more, "labels", "2 labels, but its output has 1 classes"),
        (flipped, "model-sha256", "but model.toml pins"),
        (unknown_key, "model", "resise is not known"),
        (no_toml, "model", "has no model.toml"),
        (no_file, "model", "cannot be read"),
        (shutil.rmtree, "model", "There is no model"),
    ],
)
def test_what_is_wrong_with_a_model_folder_is_one_red_line(
    project: Path, change: object, check: str, told: str
) -> None:
    assert callable(change)
    change(project / "model")
    (finding,) = models.examine(case(project))
    assert (finding.check, finding.status) == (check, "fail")
    assert told in finding.told
    assert finding.mend


def test_labels_that_are_not_those_of_the_metadata_are_told_as_labels(tmp_path: Path) -> None:
    shutil.copytree(models.models.locate("efficientnet-lite0"), tmp_path / "model")
    labels = next((tmp_path / "model").glob("labels*.txt"))
    labels.write_text(labels.read_text(encoding="utf-8").rstrip("\n") + "\none too many\n", encoding="utf-8")
    (finding,) = models.examine(case(tmp_path))
    assert (finding.check, finding.status) == ("labels", "fail")
    assert "1,001 lines" in finding.told


def test_a_model_at_a_url_is_not_looked_at(tmp_path: Path) -> None:
    (finding,) = models.examine(case(tmp_path)._replace(model="https://example.com/m.tflite?sig=x"))
    assert (finding.check, finding.status) == ("model", "warn")
    assert "sig" not in finding.told


# --- several models ----------------------------------------------------------------------------------------------


@pytest.fixture
def several(project: Path) -> Case:
    """A project with a second model of its own, and the bundled one as a third."""
    shutil.copytree(ORIGINAL, project / "second")
    edit(project / "second" / "model.toml", 'name = "dogs-vs-cats"', 'name = "second"')
    return case(project)._replace(others=("blue=second", "efficientnet-lite0"))


def told(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(finding.status, finding.told.partition(",")[0]) for finding in findings if finding.check == check]


def test_every_model_has_its_lines_and_the_memory_is_that_of_them_all(several: Case) -> None:
    found = models.examine(several)
    assert told(found, "model") == [("ok", "dogs-vs-cats"), ("ok", "second"), ("ok", "efficientnet-lite0")]
    assert [one.told for one in found if one.check == "labels"] == [
        "dogs-vs-cats: 1, as many as classes",
        "second: 1, as many as classes",
        "efficientnet-lite0: 1,000, as many as classes",
    ]
    assert "the 3 models take" in found[-1].told
    alone = trial.run(several.project / "model", several.project, 1000)
    every = trial.run(several.project / "model", several.project, 1000, ("blue=second", "efficientnet-lite0"))
    assert every.models[::2] == (alone.models[0], Tried(1000, 1000, "classify", "litert"))
    assert every.peak > alone.peak


@pytest.mark.parametrize("at", ["model", "second"])
@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (no_labels, "labels", "labels.txt cannot be read"),
        (one_more, "labels", "2 labels, but its output has 1 classes"),
        (flipped, "model-sha256", "but model.toml pins"),
        (unknown_key, "model", "resise is not known"),
        (no_toml, "model", "has no model.toml"),
    ],
)
def test_what_is_wrong_with_any_of_them_is_red(
    several: Case, at: str, change: object, check: str, said: str
) -> None:
    assert callable(change)
    change(several.project / at)
    (finding,) = [one for one in models.examine(several) if one.status != "ok"]
    assert (finding.check, finding.status) == (check, "fail")
    assert said in finding.told


def test_all_that_cannot_be_read_are_told_at_once(several: Case) -> None:
    for name in ("model", "second"):
        unknown_key(several.project / name)
    assert [one.status for one in models.examine(several)] == ["fail", "fail"]


def test_two_of_one_name_are_red(several: Case) -> None:
    (finding,) = [one for one in models.examine(several._replace(others=("model",))) if one.status != "ok"]
    assert (finding.check, finding.status) == ("model", "fail")
    assert "Two models are called 'dogs-vs-cats'" in finding.told


def test_what_cannot_be_fed_is_told_with_the_models_name(several: Case) -> None:
    edit(several.project / "second" / "model.toml", "[input]", "[input]\nsize = [1, 2]")
    (finding,) = [one for one in models.examine(several) if one.status != "ok"]
    assert finding.told.startswith("second: The model's input has the shape")


def test_one_at_a_url_is_not_fetched(several: Case) -> None:
    found = models.examine(several._replace(others=("https://example.com/third.tflite?sig=x", "second")))
    assert told(found, "model") == [
        ("warn", "third is at a URL: it is downloaded when the function starts"),
        ("ok", "dogs-vs-cats"),
        ("ok", "second"),
    ]
    assert "sig" not in "".join(one.told + one.mend for one in found)


def test_a_certificate_of_any_of_them_may_be_stale(several: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, FITS._replace(models=(PETS, PETS, PETS)))
    hashed = "0" * 64
    text = "".join(f'{key} = "{hashed}"\n' for key in ("reference", "model", "pipeline"))
    path = several.project / "second" / "model.toml"
    path.write_text(f'{path.read_text()}\n[certificate]\n{text}images = 6\ndate = "2026-11-28"\n')
    (finding,) = [one for one in models.examine(several) if one.check == "certificate"]
    assert finding.status == "fail"
    assert "second" in finding.told


def test_the_engine_and_the_delegates_of_all_are_looked_at(several: Case) -> None:
    assert [one.name for one in models.readable(several)] == ["dogs-vs-cats", "second", "efficientnet-lite0"]


def memory(examined: Case) -> Finding:
    (finding,) = [finding for finding in models.examine(examined) if finding.check == "memory-needed"]
    return finding


@pytest.mark.parametrize(
    ("target", "files", "status", "mend"),
    [
        ("aws", {"template_yaml": template("MemorySize: 128")}, "ok", ""),
        ("aws", {"template_yaml": template("MemorySize: 124")}, "warn", "Ask for 256 MB."),
        ("aws", {"template_yaml": template("MemorySize: 99")}, "fail", "Ask for 256 MB."),
        ("azure", {"main_bicep": "  instanceMemoryMB: 99\n"}, "fail", "Ask for 512 MB."),
        ("gcp", {"flags_yaml": "--memory: 99M\n"}, "fail", "Ask for 256 MB."),
        ("container", {}, "ok", ""),
    ],
)
def test_the_memory_that_is_asked_for_has_headroom(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    files: dict[str, str],
    status: str,
    mend: str,
) -> None:
    tried(monkeypatch, FITS)
    finding = memory(case(project, target, **files))
    assert (finding.status, finding.mend) == (status, mend)
    assert "a prediction takes 100 MB" in finding.told


def test_a_model_that_no_size_holds_is_said_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, FITS._replace(peak=9000 * limits.MB))
    finding = memory(case(project, template_yaml=template("MemorySize: 8000")))
    assert (finding.status, "Take a smaller model" in finding.mend) == ("fail", True)


@pytest.mark.parametrize(
    ("result", "status", "told"),
    [
        (Tried(2, 0), "warn", "dogs-vs-cats has 2 classes and no labels"),
        (Tried(0, 0, "detect"), "warn", "dogs-vs-cats has no labels"),
        (Tried(0, 90, "detect"), "ok", "90"),
        (Tried(0, 0, "raw"), "ok", "none needed: it answers raw tensors"),
    ],
)
def test_labels_are_asked_for_where_the_task_has_some(
    project: Path, monkeypatch: pytest.MonkeyPatch, result: Tried, status: str, told: str
) -> None:
    tried(monkeypatch, FITS._replace(models=(result,)))
    (found,) = (finding for finding in models.examine(case(project)) if finding.check == "labels")
    assert (found.status, found.told.partition(":")[0]) == (status, told.partition(":")[0])


def test_numbers_in_the_place_of_labels_are_none(project: Path) -> None:
    edit(project / "model" / "model.toml", 'labels = "labels.txt"\n', "")
    result = trial.run(project / "model", project, 1000)
    assert (result.problem, result.models[0][:3]) == ("", (1, 0, "classify"))


def test_a_model_without_labels_is_a_yellow_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, FITS._replace(models=(Tried(2, 0),)))
    assert ("labels", "warn") in statuses(models.examine(case(project)))


def test_without_an_engine_here_the_memory_is_not_measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, Trial(problem="engine", told="No engine can run the model."))
    finding = memory(case(project))
    assert (finding.status, "not measured: No engine" in finding.told) == ("warn", True)


def test_all_checks_together_say_of_a_good_project_that_it_is_good(project: Path) -> None:
    (project / "app.py").write_text("handler = 1\n", encoding="utf-8")
    (project / "template.yaml").write_text(template("MemorySize: 512"), encoding="utf-8")
    found = examine(parse("aws"), deploy=project, project=project, model="model", today=TODAY)
    assert {finding.status for finding in found} == {"ok"}
    assert {finding.mend for finding in found} == {""}


def test_a_deploy_folder_that_is_missing_is_the_only_line(tmp_path: Path) -> None:
    (finding,) = examine(parse("aws"), deploy=tmp_path / "aws", project=tmp_path, model="model")
    assert (finding.check, finding.status) == ("deploy-folder", "fail")
    assert finding.mend == "`mlserverless init --cloud aws` writes one."
