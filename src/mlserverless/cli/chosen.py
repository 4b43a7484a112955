"""What `build`, `deploy` and `doctor` are told alike: which models, which Python, which architecture."""

import click

from mlserverless.bundle import targets
from mlserverless.config import Settings

MODELS = click.option(
    "--model",
    "models",
    multiple=True,
    help="A model folder, a file or a bundled model's name [default: the settings' own]; again for further ones.",
)
PYTHON = click.option("--python", default="3.13", show_default=True, type=click.Choice(targets.PYTHONS))
ARCH = click.option("--arch", default="x86_64", show_default=True, type=click.Choice(targets.ARCHES))


def settings_models() -> tuple[str, ...]:
    """Return the models that the settings in force here name, the first one first; raise ConfigError."""
    settings = Settings.load()
    return settings.model, *settings.models
