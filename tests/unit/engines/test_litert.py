"""LiteRT's C interface: bit for bit the Python interpreter's answers, and clean failures where it has none."""

import gc
import json
import subprocess
import sys
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.pools import in_threads
from mlserverless.engines import Interpreter, Tensor, select
from mlserverless.engines.capi import Runtime
from mlserverless.errors import ModelUnavailable

MODELS = ("efficientnet-lite0", "dogs-vs-cats")
INPUTS = 100


def data_for(tensor: Tensor, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    if tensor.dtype == "float32":
        return random.random(tensor.shape, np.float32).tobytes()
    return random.integers(0, 256, tensor.shape, np.uint8).tobytes()


def load(models: Path, name: str, engine: str = "litert", threads: int = 1) -> Interpreter:
    return select(engine).load((models / name / "model.tflite").read_bytes(), threads)


@pytest.mark.parametrize("name", MODELS)
def test_tensors_are_described_as_the_python_interpreter_does(models: Path, name: str) -> None:
    ours, theirs = load(models, name), load(models, name, "litert-python")
    assert ours.inputs == theirs.inputs
    assert [tensor._replace(name="") for tensor in ours.outputs] == [
        tensor._replace(name="") for tensor in theirs.outputs
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_bit_identical_to_the_python_interpreters(models: Path, name: str, threads: int) -> None:
    ours, theirs = load(models, name, threads=threads), load(models, name, "litert-python", threads)
    answers = set()
    for seed in range(INPUTS):
        data = data_for(ours.inputs[0], seed)
        answer = ours.run(data)
        assert answer == theirs.run(data), f"seed {seed}"
        answers.add(answer[0])
    assert len(answers) > 10  # it looks at its input


@pytest.mark.parametrize("name", MODELS)
def test_same_input_gives_the_same_bytes_again(models: Path, name: str) -> None:
    interpreter = load(models, name)
    first, other = (data_for(interpreter.inputs[0], seed) for seed in (1, 2))
    answer = interpreter.run(first)
    interpreter.run(other)
    assert interpreter.run(first) == answer


@pytest.mark.parametrize("engine", ["litert", "litert-python"])
@pytest.mark.parametrize("change", [-1, 1, 3, -150528, 150528])
def test_wrong_lengths_are_refused_and_do_no_harm(models: Path, engine: str, change: int) -> None:
    interpreter = load(models, "efficientnet-lite0", engine)
    right = data_for(interpreter.inputs[0], 1)
    answer = interpreter.run(right)
    with pytest.raises(ValueError, match=rf"{len(right) + change} bytes|cannot reshape|buffer size"):
        interpreter.run(right[:change] if change < 0 else right + bytes(change))
    assert interpreter.run(right) == answer


@pytest.mark.parametrize("engine", ["litert", "litert-python"])
@pytest.mark.parametrize("name", MODELS)
def test_model_runs_from_a_mapped_file_as_from_its_bytes(models: Path, name: str, engine: str) -> None:
    with open(models / name / "model.tflite", "rb") as file:
        mapped = mmap(file.fileno(), 0, access=ACCESS_COPY)
    ours, theirs = select(engine).load(mapped, 1), load(models, name, engine)
    del mapped  # the interpreter holds what it reads from
    gc.collect()
    for seed in range(5):
        data = data_for(ours.inputs[0], seed)
        assert ours.run(data) == theirs.run(data), f"seed {seed}"
    assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)


def test_mapped_bytes_that_are_no_model_are_refused() -> None:
    broken = mmap(-1, 64)
    broken[4:8] = b"TFL3"
    with pytest.raises(ModelUnavailable, match=r"CreateModelFromBuffer answered with status \d+\.$"):
        select("litert").load(broken, 1)


def test_buffer_of_another_size_than_its_shapes_is_refused(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose shapes contradict each other would else be read past the buffer's end."""
    engine, size = select("litert"), Runtime.size

    def larger(runtime: Runtime, name: str, handle: Any) -> int:
        return size(runtime, name, handle) + (name == "GetTensorBufferPackedSize")

    monkeypatch.setattr(Runtime, "size", larger)
    with pytest.raises(ModelUnavailable, match=r"a tensor's size is not that of its shape\.$"):
        engine.load((models / "dogs-vs-cats" / "model.tflite").read_bytes(), 1)


def test_wrong_length_names_both(models: Path) -> None:
    with pytest.raises(ValueError, match=r"^7 bytes given to inputs of \[150528\] bytes$"):
        load(models, "efficientnet-lite0").run(b"1234567")


def test_two_instances_on_two_threads_do_not_mix(models: Path) -> None:
    wrong: list[int] = []
    alone = load(models, "efficientnet-lite0")
    wanted = {seed: alone.run(data_for(alone.inputs[0], seed)) for seed in range(10)}

    def work() -> None:
        mine = load(models, "efficientnet-lite0")
        for seed, answer in wanted.items():
            if mine.run(data_for(mine.inputs[0], seed)) != answer:
                wrong.append(seed)

    in_threads(4, work)
    assert wrong == []


def child(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True, timeout=300
    )


MUTANTS = """
import json, random, sys
from mlserverless.engines import select
from mlserverless.errors import ModelUnavailable
data = open(sys.argv[1], "rb").read()
load, dice = select("litert").load, random.Random(5)
for number in range(36):
    mutant = bytearray(data)
    if number < 12:
        del mutant[(0, 1, 7, 8, 31, 64, 1000, 65_536, len(data) // 3, len(data) // 2, -4096, -1)[number]:]
    elif number < 24:  # the graph stands at one end of the file
        for _ in range(40):
            mutant[dice.choice((dice.randrange(64), dice.randrange(-60_000, 0)))] ^= dice.randrange(1, 256)
    else:
        start = dice.randrange(len(data) - 4096)
        mutant[start : start + 4096] = dice.randbytes(4096)
    print(number, flush=True)
    try:
        interpreter = load(bytes(mutant), 1)
    except ModelUnavailable as error:
        print(json.dumps(str(error)), flush=True)
    else:
        print(json.dumps(f"loaded {len(interpreter.inputs)}"), flush=True)
"""


@pytest.mark.parametrize("name", MODELS)
def test_corrupt_models_are_refused_and_do_not_kill_the_process(models: Path, name: str) -> None:
    done = child(MUTANTS, str(models / name / "model.tflite"))
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"died at mutant {lines[-1:]}: {done.stderr[-2000:]}"
    ends = [json.loads(line) for line in lines[1::2]]
    assert len(ends) == 36
    assert all(end.startswith(("LiteRT cannot run this model: ", "loaded ")) for end in ends)
    assert all(end.startswith("LiteRT cannot run this model: ") for end in ends[:9])  # little is left of these


def test_bytes_that_are_no_model_are_refused_with_the_call_that_refused_them() -> None:
    with pytest.raises(ModelUnavailable, match=r"CreateModelFromBuffer answered with status \d+\.$"):
        select("litert").load(b"TFL3, but not really", 1)


def rss_megabytes() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("name", MODELS)
def test_memory_does_not_grow_with_loading_and_unloading(models: Path, name: str) -> None:
    engine, model = select("litert"), (models / name / "model.tflite").read_bytes()
    sizes = []
    for _ in range(50):
        interpreter: Any = engine.load(model, 1)
        interpreter.run(data_for(interpreter.inputs[0], 1))
        del interpreter
        gc.collect()
        sizes.append(rss_megabytes())
    assert max(sizes[-10:]) - max(sizes[5:15]) < 4, sizes  # one instance is some 10 MB


def test_failing_loads_do_not_grow_the_memory(models: Path) -> None:
    engine, model = select("litert"), (models / "dogs-vs-cats" / "model.tflite").read_bytes()[:-65_536]
    sizes = []
    for _ in range(50):
        with pytest.raises(ModelUnavailable):
            engine.load(model, 1)
        gc.collect()
        sizes.append(rss_megabytes())
    assert max(sizes[-10:]) - max(sizes[5:15]) < 4, sizes
