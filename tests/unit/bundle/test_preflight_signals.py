"""What the settings ask for beside the answers: packages of the telemetry, and whose scripts may read them."""

from pathlib import Path

import pytest

from helpers.preflight import case, only, statuses, template
from mlserverless.bundle import telemetry
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import CHECKS, Case, signals
from mlserverless.bundle.stage import AZURE_SITE
from mlserverless.bundle.targets import parse


def locked(*names: str) -> str:
    return "".join(f"{name}==1.30 --hash=sha256:0\n" for name in names)


def packed(tmp_path: Path, target: str, *folders: str, **files: str) -> Case:
    """Return the case of a package with ``folders`` where ``target`` has its libraries."""
    root = tmp_path / "package"
    site = root / AZURE_SITE if target == "azure" else root
    for name in ("mlserverless", *folders):
        (site / name).mkdir(parents=True, exist_ok=True)
    return case(tmp_path / "deploy", target, Package(parse(target), tmp_path, root, None, 0, 0), **files)


@pytest.mark.parametrize("named", ["[]", '["emf"]'])
def test_without_packages_of_its_own_there_is_nothing_to_tell(tmp_path: Path, named: str) -> None:
    examined = case(tmp_path, mlserverless_toml=f"telemetry = {named}\n")
    assert signals.packages(examined) == signals.origins(examined) == []


@pytest.mark.parametrize("name", ["prometheus", "otel"])
def test_what_the_settings_file_names_a_build_packs(tmp_path: Path, name: str) -> None:
    finding = only(signals.packages, case(tmp_path, mlserverless_toml=f'telemetry = ["emf", "{name}"]\n'))
    assert finding == ("telemetry", "ok", f"mlserverless.toml: {name}", "", "")


def test_what_a_template_alone_names_no_build_packs(tmp_path: Path) -> None:
    text = template("Environment: {Variables: {MLSERVERLESS_TELEMETRY: 'emf, prometheus'}}")
    finding = only(signals.packages, case(tmp_path, template_yaml=text))
    assert finding.status == "fail"
    assert finding.told == (
        "template.yaml: Classifier asks for prometheus, and what a build packs lacks prometheus-client"
    )
    assert finding.mend.startswith("Name it in mlserverless.toml")
    named = {"mlserverless_toml": 'telemetry = ["prometheus"]\n', "template_yaml": text}
    found = signals.packages(case(tmp_path, **named))
    assert [one.status for one in found] == ["ok", "ok"]


def test_a_layer_may_bring_what_the_package_lacks(tmp_path: Path) -> None:
    asks, layers = (
        "Environment: {Variables: {MLSERVERLESS_TELEMETRY: otel}}",
        "Layers: ['arn:aws:lambda:::layer:x:1']",
    )
    for lines, status in (((asks,), "fail"), ((asks, layers), "warn")):
        examined = case(tmp_path, template_yaml=template(*lines))
        assert only(signals.packages, examined).status == status


def test_a_projects_own_lock_may_have_it(tmp_path: Path) -> None:
    text = template("Environment: {Variables: {MLSERVERLESS_TELEMETRY: otel}}")
    wanted = list(telemetry.TAKEN["otel"])
    for pins, missing in ((wanted[:1], wanted[1:]), (wanted, [])):
        finding = only(signals.packages, case(tmp_path, template_yaml=text, requirements_txt=locked(*pins)))
        assert finding.status == ("fail" if missing else "ok")
        assert finding.told.endswith(f"lacks {missing[0]}" if missing else ": otel")


@pytest.mark.parametrize("target", ["aws", "azure", "gcp", "container"])
def test_a_package_is_looked_into_whatever_the_settings_say(tmp_path: Path, target: str) -> None:
    files = {"mlserverless_toml": 'telemetry = ["otel"]\n'}
    finding = only(signals.packages, packed(tmp_path, target, "opentelemetry/sdk", **files))
    assert finding.status == "fail"
    assert finding.told == (
        "mlserverless.toml asks for otel, and the package lacks opentelemetry-exporter-otlp-proto-http"
    )
    examined = packed(tmp_path, target, "opentelemetry/exporter/otlp/proto/http", **files)
    assert only(signals.packages, examined).status == "ok"


@pytest.mark.parametrize(
    ("given", "told"),
    [('["*"]', True), ('["https://app.example.com", "https://b.example.com"]', False)],
)
def test_answers_that_every_website_may_read_are_told(tmp_path: Path, given: str, told: bool) -> None:
    findings = signals.origins(case(tmp_path, mlserverless_toml=f"cors_origins = {given}\n"))
    assert statuses(findings) == ({("cors", "warn")} if told else set())


def test_a_templates_variable_opens_to_browsers_too(tmp_path: Path) -> None:
    text = template("Environment: {Variables: {MLSERVERLESS_CORS_ORIGINS: '*'}}")
    finding = only(signals.origins, case(tmp_path, template_yaml=text))
    assert "every website" in finding.told


def test_wrong_settings_are_another_checks_to_tell(tmp_path: Path) -> None:
    examined = case(tmp_path, mlserverless_toml="cors_origins = 5\n")
    assert signals.packages(examined) == signals.origins(examined) == []


def test_the_doctor_asks_both() -> None:
    assert {signals.packages, signals.origins} <= set(CHECKS)
