"""The providers' real runtimes, as every suite that needs them starts them."""

from collections.abc import Callable
from pathlib import Path

from mlserverless.local import aws, azure, deploy, gcp, wsgi
from mlserverless.local.runtime import Runtime

# Why one cannot run here, or None.
REASONS: dict[str, Callable[[], str | None]] = {
    "aws": aws.available,
    "aws-rie": aws.available,
    "azure": azure.available,
    "gcp": gcp.available,
    "wsgi": wsgi.available,
}


def start(cloud: str, settings: dict[str, str], *, folder: Path | None = None, sandboxes: int = 1) -> Runtime:
    """Start the real runtime of ``cloud`` on its deploy folder, or on ``folder``.

    ``sandboxes`` is how many requests Lambda answers at a time; its emulator answers one.
    """
    if cloud == "aws-rie":
        app = folder or deploy.folder("aws")
        return aws.start(handler="app.handler", app_dir=app, emulator=True, environment=settings)
    if cloud == "aws":
        app = folder or deploy.folder("aws")
        return aws.start(handler="app.handler", app_dir=app, sandboxes=sandboxes, environment=settings)
    if cloud == "azure":
        return azure.start(app_dir=folder or deploy.folder("azure"), environment=settings)
    if cloud == "gcp":
        return gcp.start(app_dir=folder, environment=settings)
    if folder is None:
        return wsgi.start(environment=settings)
    return wsgi.start(application="wsgi:application", environment={**settings, "PYTHONPATH": str(folder)})
