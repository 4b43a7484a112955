"""What no server can exceed: a process on each of two cores that decodes, resizes, invokes, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks import venvs
from benchmarks.children import SUBJECTS, Command, model
from benchmarks.kept import kept
from benchmarks.serving.server import WANTED, Server
from benchmarks.serving.turn import turn

CORES = 2
ROUNDS = 20  # of all photos, about a second


def ceiling(server: Server, venv: str, turns: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return answers a second without any server and those of ``server``, in turn.

    ``venv`` is that of the server: both run the same interpreter and the same decoder.
    """
    script = SUBJECTS / "servers" / "alone.py"
    env = {"BENCH_MODEL": str(model() / "model.tflite"), "PYTHONPATH": str(SUBJECTS)}
    command = Command((str(venvs.python(venv, "3.11")), str(script), *map(str, WANTED)), env)
    alone: list[float] = []
    served: list[float] = []
    with ExitStack() as stack, ThreadPoolExecutor(CORES) as pool:
        processes = [stack.enter_context(kept(command)) for _ in range(CORES)]
        for _ in range(turns):
            spent = pool.map(lambda process: process.ask(ROUNDS), processes)
            alone.append(sum(1000 * len(WANTED) / each.wall for each in spent))
            served.append(turn(server, seconds).throughput)
    return alone, served
