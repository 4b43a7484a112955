"""``mlserverless serve``: the model in a cloud's real runtime, on this machine."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mlserverless.cli import UNUSABLE, WRONG, completing, project
from mlserverless.cli.answers import stop
from mlserverless.cli.command import command
from mlserverless.cli.deprecated import Renamed
from mlserverless.cli.progress import QUIET, steps
from mlserverless.cli.suggest import meant
from mlserverless.errors import ConfigError
from mlserverless.local.runtime import Runtime

CLOUDS = ("aws", "azure", "gcp", "wsgi")
POSTED = "-H 'Content-Type: image/jpeg' --data-binary @photo.jpg"
GROUP = "mlserverless.adapters"  # the entry points by which an installed package adds a cloud


def _known(context: click.Context, option: click.Parameter, cloud: str) -> str:
    """Return ``cloud`` if it is one of ours or an installed package's; only another name is looked up."""
    if cloud in CLOUDS or cloud in (others := installed()):
        return cloud
    told = ", ".join(map(repr, (*CLOUDS, *sorted(others))))
    near = meant(cloud, (*CLOUDS, *others))
    raise click.BadParameter(f"{cloud!r} is not one of {told}.{near}", context, option)


@command(
    examples=(
        ("As Lambda would run it", "mlserverless serve --on aws --model models/mine"),
        ("On any free port, for a program that reads where", "mlserverless serve --port 0 --json"),
        (
            "Two requests at a time, from a deploy folder of yours",
            "mlserverless serve --on aws --app aws --parallel 2",
        ),
    ),
    groups={
        "What is served": ("model", "app", "allow_private_addresses"),
        "In which runtime": ("cloud", "parallel", "emulator", "python"),
        "Where": ("host", "port"),
    },
    answer={
        "cloud, url, pid": "one line, once it answers: the runtime, where it listens, this process, to be stopped",
    },
    exits={0: "it was stopped by Ctrl-C or SIGTERM", 1: "", 3: "the runtime cannot run here"},
    pages=("docs/reference/http.md", "docs/reference/settings.md"),
    renamed=(Renamed("--python", "--interpreter", "--interpreter", "0.3"),),
)
@click.option(
    "--on",
    "cloud",
    callback=_known,
    shell_complete=completing.clouds,
    metavar=f"[{'|'.join(CLOUDS)}|NAME]",
    default="wsgi",
    show_default=True,
    help="Whose runtime; NAME: one that an installed package adds.",
)
@click.option(
    "--model",
    shell_complete=completing.models,
    help="A model folder, a model file or a bundled model's name [default: the settings' own].",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free port.")
@click.option(
    "--app", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Your own deploy folder."
)
@click.option(
    "--parallel", type=click.IntRange(1, 64), default=1, show_default=True, help="aws: sandboxes at a time."
)
@click.option("--emulator", is_flag=True, help="aws: in Lambda's own Runtime Interface Emulator.")
@click.option(
    "--interpreter", "python", metavar="FILE", help="azure: the Python 3.13 that has azure-functions-runtime."
)
@click.option("--allow-private-addresses", is_flag=True, help="Let the function fetch from private networks.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, once it answers.")
@QUIET
def serve(
    cloud: str,
    model: str | None,
    host: str,
    port: int,
    allow_private_addresses: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Serve the model over HTTP in the runtime of a cloud: no account, no Docker.

    aws is awslambdaric behind a Function URL, azure is Microsoft's Python runtime (it needs Python 3.13), gcp
    is functions-framework, wsgi is gunicorn. Settings come from the settings file here and MLSERVERLESS_*
    variables.
    """
    environment: dict[str, str] = {}
    if model:
        environment["MLSERVERLESS_MODEL"] = str(Path(model).resolve()) if os.path.exists(model) else model
    if allow_private_addresses:
        environment["MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES"] = "true"
    with _until_stopped():
        try:
            with steps(quiet=quiet) as tell:
                tell(f"starting {cloud}")
                environment = {**project.variables(), **environment}
                runtime = start(cloud, host=host, port=port, environment=environment, **given)
        except (RuntimeError, OSError) as error:
            raise stop(error, UNUSABLE, cloud) from error
        except (ValueError, ConfigError) as error:
            raise stop(error, WRONG, cloud) from error
        try:
            if as_json:
                click.echo(json.dumps({"cloud": cloud, "url": runtime.url, "pid": os.getpid()}))
            else:
                click.echo(f"{cloud} answers at {runtime.url}  (Ctrl-C stops it)")
                click.echo(f"  curl '{runtime.url}/predict?top_k=3' {POSTED}")
            threading.Event().wait()
        finally:
            runtime.close()


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Leave the ``with`` block with exit code 0 at the first Ctrl-C or SIGTERM, also while the runtime starts."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(*_: object) -> None:
        for signum in signals:
            signal.signal(signum, signal.SIG_IGN)  # a second one must not cut the closing short
        raise SystemExit(0)

    before = [signal.signal(signum, stop) for signum in signals]
    try:
        yield
    finally:
        for signum, handler in zip(signals, before, strict=True):
            signal.signal(signum, handler)


def start(
    cloud: str,
    *,
    host: str,
    port: int,
    environment: dict[str, str],
    app: Path | None = None,
    parallel: int = 1,
    emulator: bool = False,
    python: str | None = None,
) -> Runtime:
    """Start ``cloud``'s runtime; raise RuntimeError where it cannot run here, ValueError for a wrong setting."""
    from mlserverless.local import aws, azure, deploy, gcp, wsgi

    if cloud not in CLOUDS:
        return _start_installed(cloud, app_dir=app, host=host, port=port, environment=environment)
    if cloud == "aws":
        folder = app or deploy.folder("aws")
        return aws.start(
            handler="app.handler",
            app_dir=folder,
            host=host,
            port=port,
            sandboxes=parallel,
            emulator=emulator,
            environment=environment,
        )
    if cloud == "azure":
        folder = app or deploy.folder("azure")
        return azure.start(app_dir=folder, host=host, port=port, python=python, environment=environment)
    if cloud == "gcp":
        return gcp.start(app_dir=app, host=host, port=port, environment=environment)
    return wsgi.start(host=host, port=port, environment=environment)


def installed() -> dict[str, Any]:
    """Return the entry points of the installed packages' clouds, by their names."""
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in CLOUDS}


def _start_installed(cloud: str, **given: Any) -> Runtime:
    entry = installed()[cloud]
    try:
        adapter = entry.load()
    except ImportError as error:
        raise RuntimeError(f"{entry.value}, which a package names for it, cannot be imported: {error}") from error
    if (reason := adapter.available()) is not None:
        raise RuntimeError(reason)
    runtime: Runtime = adapter.start(**given)
    return runtime
