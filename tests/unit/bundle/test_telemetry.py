"""The packages of the telemetry: their lock files, and when a build takes them."""

from pathlib import Path

import pytest

from mlserverless.bundle import resolve, telemetry
from mlserverless.config import Settings
from mlserverless.errors import ConfigError
from mlserverless.local import deploy
from mlserverless.signals.others import PACKAGES


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mlserverless.toml").write_text(text)
    return tmp_path


def test_what_takes_packages_is_what_the_settings_and_the_signals_know() -> None:
    taken = telemetry.TAKEN.keys()
    assert taken == PACKAGES.keys()
    assert set(Settings.load({}, telemetry=("emf", *taken)).telemetry) == {"emf", *taken}
    with pytest.raises(ConfigError):
        Settings.load({}, telemetry=("statsd",))


@pytest.mark.parametrize("name", telemetry.TAKEN)
def test_a_lock_file_has_what_is_taken_with_hashes(name: str) -> None:
    lock = telemetry.lock_file(name)
    assert telemetry.TAKEN[name].keys() <= resolve.versions(lock).keys()
    assert all("--hash=sha256:" in entry for entry in resolve.entries(lock))


@pytest.mark.parametrize("name", telemetry.TAKEN)
def test_it_pins_what_the_functions_own_locks_pin(name: str) -> None:
    held = resolve.versions(telemetry.lock_file(name))
    for lock in deploy.folder("aws").parent.glob("*/requirements*.txt"):
        other = {package: version for package, version in resolve.versions(lock).items() if package in held}
        assert other == {package: held[package] for package in other}, f"{lock} goes into the same folder"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ('telemetry = ["emf"]', []),
        ('telemetry = ["otel"]', ["otel"]),
        ('telemetry = ["otel", "emf", "prometheus"]', ["prometheus", "otel"]),
    ],
)
def test_a_build_takes_what_the_settings_name(tmp_path: Path, text: str, names: list[str]) -> None:
    beside = [deploy.folder("aws") / "requirements.txt"]
    expected = [deploy.folder("aws").parent / f"requirements-{name}.txt" for name in names]
    assert telemetry.locks(project(tmp_path, text), beside) == expected


def test_what_a_projects_own_lock_pins_is_left_to_it(tmp_path: Path) -> None:
    own, where = tmp_path / "requirements.txt", project(tmp_path, 'telemetry = ["otel"]')
    first, second = telemetry.TAKEN["otel"]
    own.write_text(f"{first}==1.30 --hash=sha256:0\n")
    assert telemetry.locks(where, [own]) == [telemetry.lock_file("otel")]
    own.write_text(f"{first}==1.30 --hash=sha256:0\n{second}==1.30 --hash=sha256:0\n")
    assert telemetry.locks(where, [own]) == []


def test_a_setting_that_is_not_accepted_ends_the_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"telemetry .* is \['statsd'\]"):
        telemetry.locks(project(tmp_path, 'telemetry = ["statsd"]'), [])
