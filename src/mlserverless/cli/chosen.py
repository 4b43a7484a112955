"""What several commands are told alike: which models, which cloud, which Python, which architecture."""

from pathlib import Path

import click

from mlserverless.bundle import targets
from mlserverless.cli import completing
from mlserverless.cli.command import Choice
from mlserverless.config import Settings

MODELS = click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=completing.models,
    help="A model folder, a file or a bundled model's name [default: the settings' own]; again for further ones.",
)
MODEL = click.option(
    "--model",
    shell_complete=completing.models,
    help="A model folder, a model file or a bundled model's name [default: the settings' own].",
)
ENGINE = click.option("--engine", help="auto, litert, litert-python, tflite-runtime, tensorflow or onnxruntime.")
CLOUD = click.argument("cloud", metavar="CLOUD", type=Choice(targets.PROVIDERS))
PYTHON = click.option(
    "--python", default="3.13", show_default=True, type=Choice(targets.PYTHONS), help="The function's Python."
)
ARCH = click.option(
    "--arch", default="x86_64", show_default=True, type=Choice(targets.ARCHES), help="The processors it runs on."
)


def writable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Return ``path`` where it can be written: to be found now, not when all was done."""
    if path and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(path.parent)!r}.", context, option)
    return path


def settings_models() -> tuple[str, ...]:
    """Return the models that the settings in force here name, the first one first; raise ConfigError."""
    settings = Settings.load()
    return settings.model, *settings.models
