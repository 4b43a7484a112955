"""The target's Python, the templates that name it, and the entry file that it loads."""

from datetime import date
from pathlib import Path

import pytest

from helpers.preflight import case, only, template
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import runtimes
from mlserverless.bundle.targets import parse


@pytest.mark.parametrize(
    ("target", "today", "status"),
    [
        ("aws", date(2026, 11, 25), "ok"),
        ("aws", date(2028, 12, 28), "ok"),
        ("aws", date(2028, 12, 30), "warn"),
        ("aws", date(2029, 6, 30), "warn"),
        ("aws", date(2029, 7, 1), "fail"),
        ("aws:python3.11", date(2027, 7, 1), "fail"),
        ("azure:python3.11", date(2027, 7, 1), "warn"),
        ("gcp:python3.12", date(2028, 10, 3), "fail"),
        ("azure:python3.14", date(2026, 11, 25), "warn"),
    ],
)
def test_the_targets_python_is_supported_for_half_a_year(
    tmp_path: Path, target: str, today: date, status: str
) -> None:
    finding = only(runtimes.end, case(tmp_path, target)._replace(today=today))
    assert (finding.check, finding.status) == ("python-end", status)
    assert bool(finding.mend) == (status != "ok")


def test_templates_ask_for_the_target(tmp_path: Path) -> None:
    text = template("Architectures: [x86_64]")
    assert only(runtimes.matches, case(tmp_path, template_yaml=text)).status == "ok"
    both = runtimes.matches(case(tmp_path, "aws:python3.12:arm64", template_yaml=text))
    assert [finding.told for finding in both] == [
        "template.yaml: Classifier asks for the Python 3.13, and the target is aws:python3.12:arm64",
        "template.yaml: Classifier asks for the architecture x86_64, and the target is aws:python3.12:arm64",
    ]
    flags = case(tmp_path, "gcp:python3.12", flags_yaml="--runtime: python311\n")
    assert only(runtimes.matches, flags).status == "fail"


def test_the_package_is_for_the_target(tmp_path: Path) -> None:
    package = Package(parse("aws"), tmp_path, tmp_path, None, 0, 0)
    other = case(tmp_path, "aws:python3.12", package)
    assert (
        only(runtimes.matches, other).told
        == "the package is for aws:python3.13:x86_64, not for aws:python3.12:x86_64"
    )


@pytest.mark.parametrize(
    ("provider", "name", "source", "told"),
    [
        ("aws", "app.py", "from mlserverless.adapters.aws import handler\n", ""),
        ("aws", "app.py", "def handler(event, context): ...\n", ""),
        ("aws", "app.py", "handler = print\n", ""),
        ("aws", "app.py", "def run(event, context): ...\n", "app.py has no handler, which Handler of"),
        ("aws", "app.py", "def handler(:\n", "app.py is no Python"),
        (
            "aws",
            "main.py",
            "handler = print\n",
            "app.py, which Handler of template.yaml: Classifier names, is not",
        ),
        ("azure", "function_app.py", "app = 1\n", ""),
        ("azure", "function_app.py", "", "function_app.py has no app"),
        ("gcp", "main.py", "from x import predict\n", ""),
        ("gcp", "main.py", "from x import event\n", "main.py has no predict"),
        ("container", "app.py", "application = 1\n", ""),
        ("container", "app.py", "app = 1\n", "app.py has no application"),
    ],
)
def test_the_entry_file_has_what_the_platform_calls(
    tmp_path: Path, provider: str, name: str, source: str, told: str
) -> None:
    (tmp_path / name).write_text(source, encoding="utf-8")
    files = {"template_yaml": template()} if provider == "aws" else {}
    finding = only(runtimes.entry, case(tmp_path, provider, **files))
    assert (finding.check, finding.status) == ("entry", "fail" if told else "ok")
    assert told in finding.told


def test_each_entry_point_of_google_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def event(request): ...\n", encoding="utf-8")
    for name, status in {"event": "ok", "predict": "fail"}.items():
        examined = case(tmp_path, "gcp", flags_yaml=f"--entry-point: {name}\n")
        assert only(runtimes.entry, examined).status == status


def test_a_handler_of_ours_needs_no_file(tmp_path: Path) -> None:
    text = template().replace("app.handler", "mlserverless.adapters.aws.handler")
    (tmp_path / "app.py").write_text("handler = 1\n", encoding="utf-8")
    assert only(runtimes.entry, case(tmp_path, template_yaml=text)).status == "ok"
