"""Golden predictions from the packed artefact, in each provider's real runtime, against the unpacked library.

The archive is unpacked again, made read-only, and is all that the runtime finds beside its own packages: the model
has a name that only the package knows.
"""

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.conformance import over
from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import archive, golden, resolve
from mlserverless.bundle.package import Package
from mlserverless.formats import PLUGINS
from mlserverless.local import azure
from mlserverless.local.aws.function import Function
from mlserverless.local.aws.sandboxes import Sandboxes
from mlserverless.local.aws.server import LambdaServer
from mlserverless.local.process import ServerProcess, on_free_port
from mlserverless.local.runtime import Runtime, child_environment
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import JPEG, LIMIT, Case, cases, check, expected_of
from mlserverless.testing.world import World
from packages.built import MODEL, package
from security.started import printed

NAME, BAR = "golden predictions from the packed artefact", "bit-identical to the unpacked library"
HOST, PIXELS = "127.0.0.1", 4_000_000
MODELS = Path(__file__).parents[2] / "models"
Start = Callable[[Path, Package, dict[str, str]], Runtime]


def measure(scale: Scale) -> list[Figure]:
    """Return one figure a runtime."""
    del scale  # it is quick enough to run whole
    if resolve.interpreter("3.13") is None:
        return [skip(NAME, BAR, "this machine has no Python 3.13")]
    with TemporaryDirectory(prefix="golden-") as folder, World() as world:
        model = Path(folder, "packed-model")  # no bundled model has this name
        shutil.copytree(MODELS / MODEL, model)
        return [_figure(provider, start, model, world) for provider, start in STARTS.items()]


def _figure(provider: str, start: Start, model: Path, world: World) -> Figure:
    name = f"{NAME}, {provider}'s runtime"
    if provider == "azure" and (reason := azure.available()) is not None:
        return skip(name, BAR, reason)
    made = package(provider, model=str(model))
    settings = {"MAX_BYTES": LIMIT, "MAX_PIXELS": PIXELS, "FORMATS": ",".join(PLUGINS), "THREADS": 1}
    environment = {f"MLSERVERLESS_{name}": str(value) for name, value in settings.items()}
    options = {name.lower(): value for name, value in settings.items()}
    options |= {"formats": tuple(PLUGINS), "model": str(model), "allow_private_addresses": True}
    service = Service(lambda: Predictor(**options))
    expected = expected_of(service)
    # What is no image there begins like a GIF, which is a format here.
    asked = [case.at(world.places()) for case in cases() if case.name != "no image"] + _pictures(expected)
    failed: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="unpacked-")))
        root = unpack(made, folder)
        before = _digest(folder)
        said = stack.enter_context(printed())
        running = start(root, made, {**world.environment(), **environment})
        stack.callback(running.close)
        ask = over(running.url)
        for case in asked:
            try:
                check(case, ask, expected)
            except AssertionError as error:
                failed.append(f"{case.name}: {error}")
        if not failed and _digest(folder) != before:
            failed.append("something was written into the read-only package")
        log = said()[-2000:]
    if failed:
        print(f"{provider}: {failed[0]}\n{log}", file=sys.stderr)
    shown = f"{len(asked) - len(failed)} of {len(asked)} identical, {len(PLUGINS)} formats, read-only, isolated"
    return Figure(name, f"{BAR}, all formats, all error paths", shown, not failed, {"failed": failed})


def _pictures(expected: Callable[[Case], bytes]) -> list[Case]:
    """Return the golden pictures as cases: the library says whether each is an image."""
    made = []
    for name, data in golden.pictures().items():
        case = Case(name, "POST", "/predict?top_k=1000", JPEG, data, 200)
        answer = json.loads(expected(case))
        made.append(case._replace(status=answer.get("status", 200), code=answer.get("code", "")))
    return made


def unpack(made: Package, folder: Path) -> Path:
    """Unpack what would be uploaded into ``folder``, read-only; return the folder that the platform starts in."""
    if made.archive is None:
        shutil.copytree(made.out, folder, dirs_exist_ok=True)
        root = folder / "app"
    else:
        zipfile.ZipFile(made.archive).extractall(folder)
        root = folder
    for wheel in folder.glob("wheels/*.whl"):
        zipfile.ZipFile(wheel).extractall(folder / "installed")
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
    return root


def _digest(folder: Path) -> str:
    digest = sha256()
    for path in archive.files(folder):
        digest.update(path.as_posix().encode() + (folder / path).read_bytes())
    return digest.hexdigest()


class _Isolated(Function):
    """A function in the target's Python, which finds nothing of this environment."""

    @property
    def command(self) -> list[str]:
        return [str(resolve.interpreter("3.13")), "-S", "-B", "-m", "awslambdaric", self.handler]


def _runtime(made: Package, environment: dict[str, str], *more: Path) -> dict[str, str]:
    """Return the environment with the runtime's own packages on the path, and ``more``."""
    folder = made.out.parent / f"runtime-{made.target.provider}"
    _, lock = resolve.lock_files(made.target)
    if lock is not None and not folder.is_dir():
        resolve.install(lock, folder, made.target)
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, [*more, folder])), "PYTHONNOUSERSITE": "1"}


def _aws(root: Path, made: Package, environment: dict[str, str]) -> Runtime:
    function = _Isolated("app.handler", root, 60.0, 1769, _runtime(made, environment, root))
    return LambdaServer(Sandboxes(function, 1), HOST, 0)


def _azure(root: Path, made: Package, environment: dict[str, str]) -> Runtime:
    del made  # Microsoft's worker puts the package's own folder first on its path
    return azure.start(app_dir=root, environment={**environment, "PYTHONDONTWRITEBYTECODE": "1"})


def _gcp(root: Path, made: Package, environment: dict[str, str]) -> Runtime:
    target = ["--source", str(root / "main.py"), "--target", "predict"]
    return _server(
        root,
        ["functions_framework", *target, "--host", HOST, "--port"],
        _runtime(made, environment, root / "installed"),
    )


def _container(root: Path, made: Package, environment: dict[str, str]) -> Runtime:
    packages = root.parent / "packages"
    command = ["gunicorn", "--threads", "2", "--log-level", "warning", "app:application", "--bind"]
    return _server(root, command, {**environment, "PYTHONPATH": str(packages), "PYTHONNOUSERSITE": "1"})


def _server(root: Path, command: list[str], environment: dict[str, str]) -> Runtime:
    def on(port: int) -> ServerProcess:
        where = f"{HOST}:{port}" if command[-1] == "--bind" else str(port)
        whole = [str(resolve.interpreter("3.13")), "-S", "-B", "-m", *command, where]
        return ServerProcess(whole, HOST, port, child_environment(environment), root)

    return on_free_port(on, HOST, 0)


STARTS: dict[str, Start] = {"aws": _aws, "azure": _azure, "gcp": _gcp, "container": _container}
