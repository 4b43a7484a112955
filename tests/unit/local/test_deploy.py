"""The deploy folders are found in a wheel and in a checkout."""

from pathlib import Path

import pytest

from mlserverless.local import deploy

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("provider", "file"),
    [("aws", "app.py"), ("azure", "function_app.py"), ("gcp", "main.py"), ("container", "Dockerfile")],
)
def test_a_checkout_has_them_at_its_top(provider: str, file: str) -> None:
    assert deploy.folder(provider) == ROOT / "adapters" / provider
    assert (deploy.folder(provider) / file).is_file()


def test_the_packages_own_data_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a wheel, which may be installed beside an unrelated folder called adapters."""
    package = tmp_path / "lib" / "python" / "mlserverless"
    packed, beside = package / "_deploy" / "aws", tmp_path / "lib" / "adapters" / "aws"
    beside.mkdir(parents=True)
    monkeypatch.setattr(deploy, "HERE", package)
    assert deploy.folder("aws") == beside
    packed.mkdir(parents=True)
    assert deploy.folder("aws") == packed


def test_a_folder_that_is_nowhere_is_told() -> None:
    with pytest.raises(
        RuntimeError, match="the deploy folder of heroku is neither in the package nor in a checkout"
    ):
        deploy.folder("heroku")
