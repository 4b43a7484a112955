"""The images: linted, built, asked in tight sandboxes; how large they are, how fast, how much memory they take.

The bases are stand-ins (:mod:`packages.bases`): no registry can be reached from where this is developed.
"""

import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from helpers import containers
from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import resolve
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import expected_of
from packages import bases, sandboxed
from packages.built import MODEL, package
from packages.sandboxed import TAGS

NAMES = {"aws": "Lambda image", "container": "container image", "azure": "Azure image"}
MB = 1_000_000
SECRET = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
ANSWERS = f"answers bit-identical to plain Python's, within {containers.MEMORY_MB} MB"
TIGHT = "no root, no right, nothing to write to but /tmp, no secret"
WRONG = "a base that cannot run the function ends the image's build"
# As a base has it that was made smaller: LiteRT finds no C++ library.
BROKEN = "FROM {base}\nRUN rm -f /usr/lib/*/libstdc++.so.6*\n"
NO_BYTECODE = "--env=PYTHONPYCACHEPREFIX=/nowhere"


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the three Dockerfiles and of the images that they make."""
    figures = [_linted(provider) for provider in NAMES]
    reason = containers.missing()
    if reason is None and resolve.interpreter("3.13") is None:
        reason = "this machine has no Python 3.13"
    if reason is not None:
        return [*figures, *(skip(name, ANSWERS, reason) for name in NAMES.values())]
    try:
        base = {"aws": bases.python(), "container": bases.PYTHON, "azure": bases.azure()}
        for provider in NAMES:
            figures += _figures(provider, base[provider], scale)
        return [*figures, _wrong_base(), _engine(scale)]
    finally:
        containers.remove_all()


def _linted(provider: str) -> Figure:
    name, bar = f"hadolint on adapters/{provider}/Dockerfile", "clean"
    places = (bases.ROOT / ".venv-tools" / "bin", Path(sys.executable).parent)
    found = [shutil.which("hadolint", path=str(place)) for place in places] + [shutil.which("hadolint")]
    tool = next(filter(None, found), None)
    if tool is None:
        return skip(name, bar, "hadolint is not installed")
    done = subprocess.run(
        [tool, bases.ROOT / "adapters" / provider / "Dockerfile"], capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).strip()
    return Figure(name, bar, said or "clean", done.returncode == 0 and not said)


def _figures(provider: str, base: str, scale: Scale) -> list[Figure]:
    """Build the image, start it some times, ask it everything, look at it."""
    name, image, made = NAMES[provider], TAGS[provider], package(provider, image=True)
    containers.build(made.out, image, base)
    sizes = containers.layers(image, base)
    cases, model, failed = sandboxed.cases(), str(bases.ROOT / "models" / MODEL), []
    first = next(case for case in cases if case.name == "flower.jpg")
    times = [sandboxed.cold(provider, first) for _ in range(scale.of(9, 3))]
    expected = expected_of(Service(lambda: Predictor(model=model, max_pixels=4_000_000, threads=1)))
    with sandboxed.serving(provider) as ask:
        for case in cases:
            answer = sandboxed.asked(ask, case)
            if answer.body != expected(case):
                failed.append(f"{case.name}: {answer.status} {answer.body[:200]!r}")
        container = containers.names()[0]
        memory, loose = containers.memory(container), _loose(image, container)
        behaved = _behaved(image, container) if provider == "container" else []
    for line in failed[:3]:
        print(f"{image}: {line}", file=sys.stderr)
    seconds = statistics.median(times)
    shown = (
        f"{sizes.packed / MB:.1f} MB packed, {sizes.unpacked / MB:.1f} unpacked, on {sizes.base_unpacked / MB:.0f}"
        f" of {bases.TOLD[base]}; {seconds:.2f} s from podman run to the first answer, median of {len(times)};"
        f" {memory.resident / MB:.0f} MB resident; {len(cases) - len(failed)} of {len(cases)} identical"
    )
    details = {"base": bases.TOLD[base], **sizes._asdict(), "cold": times, **memory._asdict(), "failed": failed}
    held = not failed and max(memory) < containers.MEMORY_MB * 1024**2
    figures = [
        Figure(name, ANSWERS, shown, held, details),
        Figure(f"{name}, in a tight sandbox", TIGHT, ", ".join(loose) or "held", not loose),
    ]
    if provider != "azure":  # whose base decides about its own Python's bytecode
        without = [sandboxed.cold(provider, first, NO_BYTECODE) for _ in times]
        ratio = seconds / statistics.median(without)
        shown = (
            f"{ratio:.2f} × ({seconds:.2f} against {statistics.median(without):.2f} s, podman's own time in both)"
        )
        figures.append(Figure(f"{name}, cold, against itself without bytecode", "≤ 0.7 ×", shown, ratio <= 0.7))
    return figures + behaved


def _loose(image: str, container: str) -> list[str]:
    """Return what is not as tight as it should be."""
    told, of_kernel = containers.inspect(image), containers.status(containers.process_of(container))
    probe = "import os; open('/tmp/probe', 'w').close(); open('/probe', 'w')"
    said = containers.inside(container, "python", "-c", probe, user="0:0").stderr
    names = [variable.partition("=")[0] for variable in told["Config"]["Env"]]
    history = " ".join(entry.get("created_by", "") for entry in told["History"])
    wrong = {
        "runs as root": "0" in of_kernel["Uid"].split() or not told["Config"]["User"][:1].strip("0"),
        "has rights": int(of_kernel["CapEff"], 16) != 0 or of_kernel["NoNewPrivs"] != "1",
        f"its root can be written: {said.strip()[-200:]}": "Read-only file system: '/probe'" not in said,
        f"a variable that may be a secret: {names}": any(map(SECRET.search, names)),
        "an argument that may be a secret": any(map(SECRET.search, re.findall(r"ARG (\w+)", history))),
    }
    return [what for what, is_so in wrong.items() if is_so]


def _behaved(image: str, container: str) -> list[Figure]:
    """Return whether the health check passes, and the container ends when it is told to."""
    check = containers.inspect(image)["Healthcheck"]["Test"]
    healthy = containers.inside(container, *check[1:]).returncode == 0
    begin = time.perf_counter()
    code = containers.stop(container)
    seconds = time.perf_counter() - begin
    shown = f"{'healthy' if healthy else 'NOT healthy'}, then exit code {code} after {seconds:.1f} s"
    held = healthy and code == 0 and seconds < 5
    return [
        Figure(
            "container image, its health check and SIGTERM", "healthy, then exit code 0 within 5 s", shown, held
        )
    ]


def _wrong_base() -> Figure:
    """Build on a base that lacks what the model's engine needs."""
    made, tag = package("container", image=True), f"{TAGS['container']}-broken"
    with containers.folder() as folder:
        (folder / "Dockerfile").write_text(BROKEN.format(base=bases.PYTHON))
        containers.build(folder, f"{tag}-base", bases.PYTHON)
    said = ""
    try:
        containers.build(made.out, tag, f"{tag}-base")
    except RuntimeError as error:
        said = str(error)
    named = re.search(r"libstdc\+\+\.so\.6[^;\n]*", said)
    return Figure(
        WRONG, "the build fails and says why", named[0] if named else said[-160:] or "built", bool(named)
    )


def _engine(scale: Scale) -> Figure:
    """Return what podman itself takes, which is in each cold start."""
    times = []
    for _ in range(scale.of(9, 3)):
        begin = time.perf_counter()
        with containers.running(bases.PYTHON, words=["true"]) as process:
            process.wait()
            times.append(time.perf_counter() - begin)
    return Figure(
        "podman and runc themselves, in each cold start", "shown", f"{statistics.median(times):.2f} s", True
    )
