"""A server that loads the model and forks then: the fork has none of the threads that its engine started."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers import onnxmodel
from helpers.child import run

MODEL = Path(__file__).parents[2] / "models" / "dogs-vs-cats"
PACKAGES = {
    "litert": "ai_edge_litert",
    "litert-python": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "onnxruntime": "onnxruntime",
}
# A thread's stack is unmapped once 40 MB of them lie unused (glibc): then to wait for it is a crash.
FORK = """
import gc, json, os, signal, sys, threading, warnings
from PIL import Image
from mlserverless import Predictor

warnings.simplefilter("ignore", DeprecationWarning)  # a server's workers are forked with threads, too
photo = Image.effect_noise((64, 64), 90).convert("RGB")
predictor = Predictor(concurrency=1)

def tasks():
    return len(os.listdir("/proc/self/task"))

def told():
    before = tasks()
    found = predictor.predict(photo).to_dict()
    return [found.get("predictions") or found.get("outputs"), tasks() - before, predictor.loaded.pool.made]

def gone():
    global predictor
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    del predictor
    gc.collect()
    return "gone"

def last():
    return "ended"

def forked(do):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(20)
        os.write(writing, json.dumps(do()).encode())
        os._exit(0) if do is not last else sys.exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    return [status, json.loads(os.read(reading, 65536) or b"null")]

parents = told()
stop = threading.Event()
for _ in range(12):
    threading.Thread(target=stop.wait, daemon=True).start()
print(json.dumps([parents, forked(told), forked(gone), forked(last), told()]))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc, which Linux has")
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("engine", PACKAGES)
def test_a_fork_answers_with_threads_of_its_own_and_ends_well(tmp_path: Path, engine: str, threads: int) -> None:
    if find_spec(PACKAGES[engine]) is None:
        pytest.skip(f"{engine} is not installed: it has no wheel for this Python")
    model = MODEL
    if engine == "onnxruntime":
        model = tmp_path / "model"
        model.mkdir()
        (model / "model.onnx").write_bytes(onnxmodel.classifier(("n", 3, 32, 32), batch="n"))
        (model / "model.toml").write_text('file = "model.onnx"\n[input]\nrange = "raw"\n')
    settings = {"MODEL": str(model), "ENGINE": engine, "THREADS": str(threads)}
    given = {f"MLSERVERLESS_{name}": value for name, value in settings.items()}
    parents, answered, gone, ended, again = run(FORK, tmp_path, **given)
    assert answered[0] == 0, "a crash or a hang"
    assert answered[1][0] == parents[0] == again[0]
    assert answered[1][2] == again[2] == 1, "one interpreter, not one more"
    if threads > 1:
        assert answered[1][1] > 0, "the fork has threads of its own"
    assert gone == [0, "gone"]
    assert ended == [0, "ended"]
