"""Who is measured in ``peers``: other libraries, each in a venv of its own, and this project in three forms."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from benchmarks import venvs
from benchmarks.children import BUNDLED, ROOT, SUBJECTS, Command, model, put

OURS = "mlserverless"
ONE_THREAD, NEAREST = f"{OURS}, 1 thread", f"{OURS}, 1 thread, nearest pixels"
FLOOR = "bare draft decode"
AS_IT_COMES: dict[str, str] = {}
ONE = {"MLSERVERLESS_THREADS": "1"}
NUMPY_1 = ("3.11", "3.12")
CACHE = ROOT / ".cache" / "bench"


class Peer(NamedTuple):
    """A library: its venv and lock file, its script, what it does by itself, the Pythons that it may have."""

    name: str
    venv: str
    script: str
    does: str
    nearest: bool = False  # it takes the nearest pixels, which is less work than to average them
    onnx: bool = False
    pythons: tuple[str, ...] = ()


PEERS = (
    Peer(
        "the write-up on tflite-runtime",
        "write-up-tflite",
        "write_up.py",
        "nearest pixels, 1 thread",
        nearest=True,
        pythons=("3.11",),
    ),
    Peer(
        "the write-up on LiteRT",
        "write-up-litert",
        "write_up.py",
        "nearest pixels, 1 thread",
        nearest=True,
        pythons=NUMPY_1,
    ),
    Peer(
        "keras-image-helper on LiteRT",
        "keras-image-helper",
        "keras_image_helper_peer.py",
        "nearest pixels as float32, 1 thread",
        nearest=True,
        pythons=NUMPY_1,
    ),
    Peer("MediaPipe Tasks", "mediapipe", "mediapipe_peer.py", "its own resizing, 1 thread"),
    Peer(
        "onnxruntime",
        "onnxruntime",
        "onnxruntime_peer.py",
        "as tf2onnx converts, every core",
        onnx=True,
        pythons=NUMPY_1,
    ),
    Peer("TensorFlow", "tensorflow", "tensorflow_peer.py", "its own decoder and bilinear of 4 pixels, 1 thread"),
)


def command(peer: Peer) -> Command:
    """Return what runs ``peer``, without the URL; raise Unavailable where it cannot be installed here."""
    python = venvs.python(peer.venv, *peer.pythons)
    taken = onnx() if peer.onnx else model() / "model.tflite"
    return Command((str(python), str(SUBJECTS / peer.script), str(taken)))


def ours() -> dict[str, Command]:
    """Return what runs this project, without the URL: as it is, and told to do what peers do, no more."""
    bilinear, near = model(), CACHE / "model-nearest"
    near.mkdir(parents=True, exist_ok=True)
    for name in ("model.tflite", "labels.txt", "model.toml"):
        data = (bilinear / name).read_bytes()
        if name == "model.toml":
            data = data.replace(b'resize = "bilinear"', b'resize = "nearest"')
        put(near / name, data)
    forms = ((OURS, bilinear, AS_IT_COMES), (ONE_THREAD, bilinear, ONE), (NEAREST, near, ONE))
    return {
        name: Command(
            (sys.executable, str(SUBJECTS / "ours.py"), str(folder)),
            {"MLSERVERLESS_MODEL": str(folder), "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true", **threads},
        )
        for name, folder, threads in forms
    }


def floor() -> Command:
    """Return what runs the bare draft decode, without the URL."""
    argv = (sys.executable, str(SUBJECTS / "draft_floor.py"), str(model() / "model.tflite"))
    return Command(argv, {"PYTHONPATH": str(ROOT)})


def onnx() -> Path:
    """Return the bundled model as ONNX, converted by tf2onnx: each quantised layer between Q and DQ nodes.

    Kept until the model or the converter's lock file changes. Raises Unavailable where it cannot be made.
    """
    source, lock = BUNDLED / "model.tflite", ROOT / "requirements" / "bench" / "tf2onnx.txt"
    key = hashlib.sha256(source.read_bytes() + lock.read_bytes()).hexdigest()[:16]
    path = CACHE / "onnx" / f"model-{key}.onnx"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_suffix(".part")
        argv = [str(venvs.python("tf2onnx")), "-m", "tf2onnx.convert", "--opset", "17"]
        argv += ["--tflite", str(source), "--output", str(begun)]
        made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        if made.returncode or not begun.is_file():
            told = (made.stderr or made.stdout).strip().splitlines()
            raise venvs.Unavailable(f"tf2onnx cannot convert the model: {told[-1] if told else 'no reason given'}")
        begun.replace(path)
    return path


def package_mb(name: str) -> float:
    """Return what pip installs for the venv ``name``, in 10⁶ bytes; pip itself does not count."""
    (site,) = (ROOT / f".venv-bench-{name}").glob("lib/python*/site-packages")
    return _size(site, _locked(name))


def our_package_mb() -> float:
    """Return the same for this project: LiteRT and Pillow as for the write-up, and its own modules."""
    (site,) = Path(sys.prefix).glob("lib/python*/site-packages")
    own = sum(path.stat().st_size for path in (ROOT / "src" / OURS).rglob("*") if path.is_file())
    return _size(site, _locked("write-up-litert")) + own / 1e6


def _locked(name: str) -> set[str]:
    lock = ROOT / "requirements" / "bench" / f"{name}.txt"
    return {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line.partition(" ")[0]}


def _size(site: Path, names: Iterable[str]) -> float:
    wanted = set(names)
    total = 0
    for found in distributions(path=[str(site)]):
        if re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower() in wanted:
            paths = (Path(str(found.locate_file(file))) for file in found.files or ())
            total += sum(path.stat().st_size for path in paths if path.is_file())
    return total / 1e6
