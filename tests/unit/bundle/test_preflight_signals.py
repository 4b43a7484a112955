"""What the settings ask for beside the answers: packages of the telemetry, and whose scripts may read them."""

from pathlib import Path

import pytest

from helpers.preflight import case, only, statuses, template
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import CHECKS, Case, signals
from mlserverless.bundle.stage import AZURE_SITE
from mlserverless.bundle.targets import parse
from mlserverless.config import Settings

LOCKED = "prometheus-client==0.21.0 --hash=sha256:0\nopentelemetry-sdk==1.30 --hash=sha256:0\n"
EXPORTER = "opentelemetry-exporter-otlp-proto-http==1.30 --hash=sha256:0\n"


def packed(tmp_path: Path, target: str, *folders: str, **files: str) -> Case:
    """Return the case of a package with ``folders`` where ``target`` has its libraries."""
    root = tmp_path / "package"
    site = root / AZURE_SITE if target == "azure" else root
    for name in ("mlserverless", *folders):
        (site / name).mkdir(parents=True, exist_ok=True)
    return case(tmp_path / "deploy", target, Package(parse(target), tmp_path, root, None, 0, 0), **files)


@pytest.mark.parametrize("telemetry", ["[]", '["emf"]'])
def test_without_packages_of_its_own_there_is_nothing_to_tell(tmp_path: Path, telemetry: str) -> None:
    examined = case(tmp_path, mlserverless_toml=f"telemetry = {telemetry}\n")
    assert signals.telemetry(examined) == signals.origins(examined) == []


@pytest.mark.parametrize("name", ["prometheus", "otel"])
def test_telemetry_that_no_requirement_brings_is_told_before_it_is_built(tmp_path: Path, name: str) -> None:
    examined = case(tmp_path, mlserverless_toml=f'telemetry = ["emf", "{name}"]\n')
    finding = only(signals.telemetry, examined)
    assert (finding.check, finding.status) == ("telemetry", "fail")
    missing = ", ".join(signals.TAKEN[name])
    assert finding.told == f"mlserverless.toml asks for {name}, and {tmp_path}/requirements.txt lacks {missing}"
    assert f"{tmp_path}/requirements.txt" in finding.mend


def test_of_several_packages_each_is_looked_for(tmp_path: Path) -> None:
    files = {"mlserverless_toml": 'telemetry = ["prometheus", "otel"]\n'}
    found = signals.telemetry(case(tmp_path, requirements_txt=LOCKED, **files))
    assert [finding.status for finding in found] == ["ok", "fail"]
    assert found[1].told.endswith("lacks opentelemetry-exporter-otlp-proto-http")
    found = signals.telemetry(case(tmp_path, requirements_txt=LOCKED + EXPORTER, **files))
    assert [finding.status for finding in found] == ["ok", "ok"]


@pytest.mark.parametrize("target", ["aws", "azure", "gcp", "container"])
def test_a_package_is_looked_into_whatever_the_requirements_say(tmp_path: Path, target: str) -> None:
    files = {"mlserverless_toml": 'telemetry = ["otel"]\n', "requirements_txt": LOCKED + EXPORTER}
    finding = only(signals.telemetry, packed(tmp_path, target, "opentelemetry/sdk", **files))
    assert finding.status == "fail"
    assert finding.told == (
        "mlserverless.toml asks for otel, and the package lacks opentelemetry-exporter-otlp-proto-http"
    )
    examined = packed(tmp_path, target, "opentelemetry/exporter/otlp/proto/http", **files)
    assert only(signals.telemetry, examined).status == "ok"


def test_a_templates_variable_asks_as_the_settings_do(tmp_path: Path) -> None:
    text = template("Environment: {Variables: {MLSERVERLESS_TELEMETRY: 'emf, prometheus'}}")
    finding = only(signals.telemetry, case(tmp_path, template_yaml=text))
    assert finding.status == "fail"
    assert finding.told.startswith("template.yaml: Classifier asks for prometheus, and ")


def test_what_is_looked_for_is_what_the_settings_take(tmp_path: Path) -> None:
    names = set(Settings.load({}, str(tmp_path), telemetry=("emf", *signals.TAKEN)).telemetry)
    assert names == {"emf", "prometheus", "otel"}


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
    assert signals.telemetry(examined) == signals.origins(examined) == []


def test_the_doctor_asks_both() -> None:
    assert {signals.telemetry, signals.origins} <= set(CHECKS)
