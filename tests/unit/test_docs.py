"""The documents say what the code does: settings, problem codes, links, the picture, the changelog's names."""

import json
import re
import runpy
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

import mlserverless
from helpers import examples, site
from mlserverless import config, errors
from mlserverless.adapters import aws
from mlserverless.config import Settings
from mlserverless.model_toml import ACTIVATIONS, FIT, RESIZE
from mlserverless.model_values import RANGES
from mlserverless.sinks import records
from mlserverless.types import Options, Outcome, Prediction, Problem, Request, Score

ROOT = Path(__file__).parents[2]
# What is hidden or built is not looked into: an image's storage may change meanwhile.
TOPS = [path for path in ROOT.iterdir() if not path.name.startswith((".", "build"))]
PAGES = sorted(page for top in TOPS for page in ((top, *top.rglob("*.md")) if top.is_dir() else (top,)))
PAGES = [page for page in PAGES if page.suffix == ".md" and "node_modules" not in page.parts]


def rows(page: str) -> list[list[str]]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_every_setting_is_documented_with_its_default() -> None:
    told = {
        row[0].strip("`").removeprefix("MLSERVERLESS_").lower(): row[1].strip("`")
        for row in rows("docs/reference/settings.md")
    }
    defaults = Settings()._asdict()
    assert told.keys() == defaults.keys()
    for name, text in told.items():
        value = defaults[name]
        shown = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value).lower()
        assert shown in (text, f"{text}.0"), name


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def block(page: str, after: str, kind: str) -> str:
    """Return the first fenced block of a ``kind`` after a heading."""
    found = re.search(rf"{re.escape(after)}\n.*?```{kind}\n(.*?)```", text(page), re.S)
    assert found
    return found[1]


@pytest.mark.parametrize("variable", sorted(config.FOREIGN))
def test_every_variable_that_one_part_reads_is_documented(variable: str) -> None:
    assert f"`{variable}`" in text("docs/reference/settings.md")


@pytest.mark.parametrize("scheme", ["log:", "file:", "s3:", "gs:", "az:", "bigquery:", "sqs:", "queue:"])
def test_every_sink_is_documented(scheme: str) -> None:
    told = [row for row in text("docs/reference/http.md").splitlines() if re.match(rf"\| `[^|]*{scheme}", row)]
    assert len(told) == 1
    accepted, _ = config._READERS["sink"]
    assert scheme in accepted
    assert accepted.count(":") == 8, "a new scheme is documented and added here"


def example() -> tuple[dict[str, object], Request, records.ModelId]:
    """Return the record that the contract shows, the request that it is of, and the model."""
    shown = json.loads(block("docs/reference/http.md", "## Results", "json"))
    options = Options(**shown["options"])
    request = Request(shown["request_id"], url=shown["source"], options=options, version=shown["version"])
    return shown, request, records.ModelId(shown["model"], shown["sha256"])


def test_the_record_is_the_one_that_is_shown() -> None:
    shown, request, model = example()
    scores = tuple(Score(**score) for score in shown["predictions"])  # type: ignore[attr-defined]
    outcome = Outcome(None, request.id, request.url or "", Prediction(*model, scores), request)
    moment = datetime.fromisoformat(str(shown["time"]))
    made = records.record(outcome, model, records.key(outcome, model), lambda: moment.astimezone(UTC))
    assert json.dumps(made) == json.dumps(shown), "in this order, too"


def test_the_table_has_the_records_fields() -> None:
    columns = re.findall(
        r"(\w+) (?:STRING|TIMESTAMP|JSON)\b", block("docs/reference/http.md", "## Results", "sql")
    )
    shown, request, model = example()
    problem = Problem(500, "internal", "", "", retryable=True)
    failed = records.record(Outcome(None, "", "", problem, request), model, "")
    assert columns == [*shown, "problem"]
    assert list(failed) == [*list(shown)[:-1], "problem"]


def test_the_how_to_finds_the_record_by_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("docs/how-to/results-and-queues.md", "## Find one image's result", "python"), {})
    assert capsys.readouterr().out.strip() == f"s3://RESULTS/results/{example()[0]['key']}.json"


def test_every_entry_point_that_the_contract_names_is_there() -> None:
    named = set(re.findall(r"`(mlserverless\.adapters\.\w+)\.(\w+)`", text("docs/reference/http.md")))
    assert len(named) == 12
    for module, name in named:
        assert hasattr(import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("kind", aws.TRIGGERS, ids=lambda kind: kind.__name__)
def test_every_trigger_of_lambda_is_in_the_contract(kind: type) -> None:
    words = {
        "HttpApi": "Function URL, HTTP API (payload 2.0)",
        "RestApi": "REST API, HTTP API (payload 1.0)",
        "LoadBalancer": "Application Load Balancer",
        "S3Notification": "S3 notification",
        "SqsBatch": "SQS, standard or FIFO",
        "SnsNotification": "SNS: a message",
        "KinesisBatch": "Kinesis",
        "ScheduledEvent": "EventBridge rule or Scheduler",
        "EventBridgeEvent": 'EventBridge: S3\'s "Object Created"',
        "WarmUp": "pings of serverless-plugin-warmup",
        "DirectInvoke": "direct invoke",
    }
    assert f"| AWS | {words[kind.__name__]}" in text("docs/reference/http.md")


def test_every_problem_is_documented_with_its_status() -> None:
    told = {row[0].strip("`"): int(row[1]) for row in rows("docs/reference/http.md") if row[1].isdigit()}
    raised = {
        kind.code: kind.status
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.MlserverlessError)
    }
    assert told == raised


@pytest.mark.parametrize("word", [*RESIZE, *FIT, *RANGES, *ACTIVATIONS])
def test_every_word_of_a_model_folder_is_documented(word: str) -> None:
    assert re.search(rf"\b{word}\b", (ROOT / "docs/reference/model-folder.md").read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return what a page's headings can be linked by."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            led = page.parent / target if target else page
            assert led.exists(), target
            assert not anchor or anchor in anchors(led), f"{target}#{anchor}"


NO_PICTURES = ("drawing", "terminal")  # what they share; a session that has a test of its own
PICTURES = sorted(path.stem for path in (ROOT / "docs/pictures").glob("*.py") if path.stem not in NO_PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_one_that_its_script_draws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/pictures"))
    drawn = runpy.run_path(str(ROOT / f"docs/pictures/{name}.py"))["draw"]()
    kept = ROOT / f"docs/pictures/{name.replace('_', '-')}.svg"
    assert kept.read_text(encoding="utf-8") == drawn, f"run python docs/pictures/{name}.py"


@pytest.mark.parametrize(
    "sizes",
    [[5], [6, 6, 4, 3, 2, 2, 1], [100, 1, 1, 1], list(range(40, 0, -1))],
    ids=["one", "the paper's", "one large", "many"],
)
def test_a_treemaps_tiles_have_their_shares_of_its_area(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/pictures"))
    squarified = runpy.run_path(str(ROOT / "docs/pictures/package.py"))["squarified"]
    tiles = squarified([("", size) for size in sizes], (10, 20, 60, 40))
    for size, (x, y, width, height) in zip(sizes, tiles, strict=True):
        assert width * height == pytest.approx(60 * 40 * size / sum(sizes))
        assert x >= 10 - 1e-9
        assert y >= 20 - 1e-9
        assert x + width <= 70 + 1e-9
        assert y + height <= 60 + 1e-9


def test_the_cold_starts_picture_keeps_a_benchs_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/pictures"))
    kept = runpy.run_path(str(ROOT / "docs/pictures/cold_start.py"))["kept"]
    machine = {"system": "Linux x86_64", "cores": 2, "python": "3.13.1", "load": 0.1}
    stages = [{"name": "import Pillow", "ms": {"median": 20.123, "p95": 30.0}}]
    found = kept({"machine": machine, "model": "mine", "cold": {"total": {"runs": 15}, "stages": stages}})
    assert found["stages"] == [["import Pillow", 20.1]]
    assert found["machine"] == "Linux x86_64, 2 cores, Python 3.13.1"
    assert found["command"] == "mlserverless bench --cold --runs 15"


def test_the_page_of_limits_is_the_one_that_its_script_writes() -> None:
    written = runpy.run_path(str(ROOT / "tools/limits_page.py"))["page"]()
    assert text("docs/reference/limits.md") == written, "run python tools/limits_page.py"


@pytest.mark.parametrize(
    ("page", "linked", "expected"),
    [
        ("how-to/images.md", "[a](../../adapters/aws/README.md#events)", "[a](../adapters/aws.md#events)"),
        ("adapters/aws.md", "[a](../../docs/how-to/images.md)", "[a](../how-to/images.md)"),
        ("project/contributing.md", "[a](SECURITY.md) [b](examples/alibaba)", "[a](security.md) [b](alibaba.md)"),
        (
            "index.md",
            "[a](how-to/images.md) ![b](pictures/shape.svg)",
            "[a](how-to/images.md) ![b](pictures/shape.svg)",
        ),
        ("index.md", "[a](https://example.com/x.md) [b](#here)", "[a](https://example.com/x.md) [b](#here)"),
        ("how-to/images.md", "```text\n[a](../../SECURITY.md)\n```", "```text\n[a](../../SECURITY.md)\n```"),
    ],
)
def test_links_between_files_are_made_links_between_the_sites_pages(page: str, linked: str, expected: str) -> None:
    assert runpy.run_path(str(ROOT / "tools/docs_hooks.py"))["relinked"](linked, page) == expected


def test_every_page_is_in_the_sites_navigation_once() -> None:
    named = re.findall(r"^ +- [^:]+: (\S+\.md)$", text("mkdocs.yml"), re.M)
    outside = runpy.run_path(str(ROOT / "tools/docs_hooks.py"))["OUTSIDE"].values()
    there = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert sorted(named) == sorted({*there, *outside})


def test_public_names_are_on_the_page_of_python() -> None:
    assert site.unnamed() == []
    missing, count = site.undocumented()
    assert not missing
    assert count > 100


def test_public_names_have_docstrings() -> None:
    for name in mlserverless.__all__:
        if name != "__version__":
            assert getattr(mlserverless, name).__doc__, name


PAGE = """# A page

<!-- examples: run by make models -->

```console
$ echo one
one
```

<!-- slow -->
```sh
mlserverless build aws
```

<!-- not run: needs root -->

```python
print(1)
```

```text
shown
```
"""


def test_examples_are_found_with_what_is_said_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    first, second, third = examples.found(page)
    assert (first.kind, first.reason, first.where) == ("console", "run by make models", "page.md:5")
    assert (second.kind, second.slow, second.reason) == ("sh", True, "")
    assert (third.kind, third.text, third.reason) == ("python", "print(1)\n", "needs root")
    assert all(map(examples.known, (first.reason, third.reason)))
    assert not examples.known("no time")


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        ("json", '{"a": 1}\n{"b": 2}', ""),
        ("json", "{'a': 1}", "Expecting property name"),
        ("toml", '[input]\nrange = "unit"', ""),
        ("toml", '[input]\nrange = "none"', "range"),
        ("toml", "top_k = 3", ""),
        ("toml", '[aws]\ngb_second = "much"', "checked"),
        ("yaml", "a: [1, 2]", ""),
        ("yaml", "a: b: c", "mapping values"),
    ],
)
def test_data_in_examples_is_read(kind: str, text: str, wrong: str) -> None:
    told = examples.validated(examples.Example(ROOT / "README.md", 1, kind, text, ""))
    assert wrong in told
    assert bool(wrong) == bool(told)


def test_an_example_that_prints_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n$ false\n$ echo three\n```\n")
    (tmp_path / "bin").mkdir()
    told = examples.shell(examples.found(page), tmp_path, "http://127.0.0.1:1/", 1)
    assert [line.partition(" ")[2] for line in told] == [
        "'echo one' did not print 'two'",
        "'false' ended with 1: ",
        "'echo three' was not come to",
    ]


def test_python_that_fails_or_prints_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n<!-- printed -->\n```text\n2\n```\n")
    (told,) = examples.script(examples.found(page), tmp_path, "http://127.0.0.1:1/", 1)
    assert told.endswith("printed '1\\n', not '2\\n'")
    page.write_text("```python\nraise ValueError\n```\n")
    (told,) = examples.script(examples.found(page), tmp_path, "http://127.0.0.1:1/", 1)
    assert "ValueError" in told
