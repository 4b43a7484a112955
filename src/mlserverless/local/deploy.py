"""Where the deploy folders lie: data of the package in a wheel, ``adapters/`` at the top of a checkout."""

from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def folder(provider: str) -> Path:
    """Return the deploy folder of ``provider`` (aws, azure, gcp, container); raise RuntimeError without one."""
    for place in (HERE / "_deploy" / provider, HERE.parents[1] / "adapters" / provider):
        if place.is_dir():
            return place
    raise RuntimeError(f"the deploy folder of {provider} is neither in the package nor in a checkout beside it")
