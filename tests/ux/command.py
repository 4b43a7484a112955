"""The command line: quick, readable by people and programs, quiet in pipes, helpful with slips."""

import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

from helpers import session, terminal, typed
from helpers.figures import Figure, Scale, skip
from helpers.shells import BIN, in_bash

ROOT = Path(__file__).parents[2]
PHOTO = str(ROOT / "examples/photos/coffee.png")
COMMAND = str(BIN / "mlserverless")
OVER_MS = 150.0
COSTLY = ("rich", "numpy", "PIL", "ai_edge_litert", "mlserverless.predictor", "mlserverless.bundle", "asyncio")
WITHOUT_JSON = {"completion": "its answer is a shell's script", "help": "its answer is a text for people"}
IN_PIPES = (
    ("--help",),
    ("build", "--help"),
    ("predict", PHOTO, "no-such.png"),
    ("inspect", "dogs-vs-cats", "--no-try"),
    ("inspect", "no-such-model"),
    ("init", "made", "--cloud", "aws", "--model", "dogs-vs-cats"),
    ("deploy", "aws", "--dry-run", "--name", "flowers"),
    ("biuld",),
)
COMPLETED = {
    "mlserverless dep": ["deploy"],
    "mlserverless b": ["batch", "build", "bench"],
    "mlserverless build az": ["azure"],
    "mlserverless build aws --ar": ["--arch"],
    "mlserverless build aws --arch a": ["arm64"],
    "mlserverless predict --model eff": ["efficientnet-lite0"],
    "mlserverless inspect d": ["dogs-vs-cats"],
    "mlserverless serve --on g": ["gcp"],
    "mlserverless help cer": ["certify"],
}
# What is typed, the variables it is typed with, and what is to be suggested.
SLIPS: tuple[tuple[tuple[str, ...], dict[str, str], str], ...] = (
    (("biuld",), {}, "build"),
    (("help", "predcit"), {}, "predict"),
    (("predict", PHOTO, "--topk", "3"), {}, "--top-k"),
    (("build", "azur"), {}, "azure"),
    (("serve", "--on", "asw"), {}, "aws"),
    (("doctor", "gcpp"), {}, "gcp"),
    (("build", "aws", "--arch", "arm46"), {}, "arm64"),
    (("predict", PHOTO, "--model", "efficientnet-lite"), {}, "efficientnet-lite0"),
    (("inspect", "dog-vs-cats"), {}, "dogs-vs-cats"),
    (("predict", PHOTO), {"MLSERVERLESS_TOPK": "3"}, "MLSERVERLESS_TOP_K"),
    (("doctor", "aws"), {"MLSERVERLESS_MODLE": "x"}, "MLSERVERLESS_MODEL"),
)


def measure(scale: Scale) -> list[Figure]:
    """Return the figures; the whole form runs more starts and builds the release."""
    figures = [
        _quick(scale.of(41, 15)),
        _light(),
        _json(),
        _examples(),
        _pipes(),
        _bash(),
        _slips(),
        _session(scale),
    ]
    return figures if scale.short else [*figures, _release()]


def _environment(**more: str) -> dict[str, str]:
    """Return this process's variables, without those that change how fast or how coloured it is."""
    out = ("PYTHONDONTWRITEBYTECODE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in out}
    return {name: value for name, value in kept.items() if not name.startswith("MLSERVERLESS")} | more


def _run(*words: str, folder: str | None = None, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, *words],
        cwd=folder,
        env=_environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _quick(runs: int) -> Figure:
    """Both are run in turn. On a busy machine a clock tells how busy it is: there processor time counts."""
    words = {"bare": [sys.executable, "-c", "pass"], "help": [COMMAND, "--help"]}
    took: dict[str, list[Times]] = {name: [] for name in words}
    for _ in range(runs + 1):
        for name, command in words.items():
            took[name].append(_times(command))
    medians = {
        name: Times(*(statistics.median(column) for column in zip(*times[1:], strict=True)))  # the first compiles
        for name, times in took.items()
    }
    clock, processor = (more - less for less, more in zip(medians["bare"], medians["help"], strict=True))
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    over = processor if busy else clock
    told = f"{over:.0f} ms" + (f" of the processor (it is busy: {clock:.0f} by the clock)" if busy else "")
    details = {
        "runs": runs,
        "load": os.getloadavg()[0],
        "medians": {name: one._asdict() for name, one in medians.items()},
        "milliseconds": {name: [one._asdict() for one in times] for name, times in took.items()},
    }
    name = "mlserverless --help over bare Python"
    return Figure(name, f"< {OVER_MS:.0f} ms", told, over < OVER_MS, details)


class Times(NamedTuple):
    """Milliseconds by the clock, and of the processor."""

    clock: float
    processor: float


def _times(command: list[str]) -> Times:
    begin = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        pid = os.posix_spawn(
            command[0], command, _environment(), file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        )
        _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    clock = time.perf_counter() - begin
    return Times(round(1000 * clock, 1), round(1000 * (used.ru_utime + used.ru_stime), 1))


def _light() -> Figure:
    code = f"""
import json, sys
sys.argv = ["mlserverless", "--help"]
from mlserverless.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps([name for name in {COSTLY!r} if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return Figure(
        "costly packages that --help imports",
        "0",
        str(len(found)),
        not found,
        {"found": found, "looked for": COSTLY},
    )


def _json() -> Figure:
    commands = typed.commands()
    has = {name for name, one in commands.items() if any("--json" in param.opts for param in one.params)}
    undocumented = [name for name in has if not getattr(commands[name], "answer", None)]
    lacking = set(commands) - has
    held = lacking == set(WITHOUT_JSON) and not undocumented
    told = f"{len(has)} of {len(commands)}, the keys of {len(has) - len(undocumented)} in their help"
    bar = f"all but {' and '.join(WITHOUT_JSON)}, each with its keys in its help"
    details = {"lacking": sorted(lacking), "undocumented": undocumented, "exceptions": WITHOUT_JSON}
    return Figure("commands that answer in JSON", bar, told, held, details)


def _examples() -> Figure:
    """Each is read as the command line reads it; one with a wrong option has to be found."""
    failed: list[str] = []
    total, fewest = 0, 99
    for name, command in typed.commands().items():
        lines = typed.examples(command)
        fewest = min(fewest, len(lines))
        for line in lines:
            total += 1
            failed += [f"{line}: {told}"] if (told := _parsed(name, command, line)) else []
    notices = bool(_parsed("build", typed.commands()["build"], "mlserverless build aws --no-such-option"))
    held = not failed and fewest >= 2 and notices
    told = f"{total - len(failed)} of {total}, at least {fewest} a command"
    return Figure("examples in --help that parse", "all, ≥ 2 a command", told, held, {"failed": failed})


def _parsed(name: str, command: click.Command, line: str) -> str:
    try:
        first, *words = typed.arguments(line)
        typed.parse(command, words).close()
    except click.ClickException as error:
        return error.format_message()
    return "" if first == name else f"it is of {first}"


def _pipes() -> Figure:
    """The same commands on a terminal have to have colours, or nothing was shown."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for words in IN_PIPES:
            done = _run(*words, folder=folder)
            if "\x1b" in done.stdout + done.stderr:
                found[" ".join(words)] = "colours in a pipe"
        predict = [COMMAND, "predict", PHOTO]
        _, coloured = terminal.shown(predict, environment=_environment(TERM="xterm"), streams="out")
        _, plain = terminal.shown(predict, environment=_environment(TERM="xterm", NO_COLOR="1"), streams="out")
        forced = _run("inspect", "no-such-model", FORCE_COLOR="1").stderr
    asked = {
        "a terminal has colours": "\x1b[36m" in coloured,
        "NO_COLOR takes them off": "\x1b[36m" not in plain and "espresso" in plain,
        "FORCE_COLOR puts them into a pipe": "\x1b[31m" in forced,
    }
    told = f"{len(IN_PIPES) - len(found)} of {len(IN_PIPES)} plain; {sum(asked.values())} of {len(asked)} obeyed"
    held = not found and all(asked.values())
    bar = "none in a pipe; NO_COLOR and FORCE_COLOR obeyed"
    return Figure("colours of the command line", bar, told, held, {"found": found, **asked})


def _bash() -> Figure:
    name, bar = "completions in a real bash", f"{len(COMPLETED)} of {len(COMPLETED)}"
    if shutil.which("bash") is None:
        return skip(name, bar, "bash is not here")
    found = {line: in_bash(line) for line in COMPLETED}
    right = sum(found[line] == offered for line, offered in COMPLETED.items())
    return Figure(name, bar, f"{right} of {len(COMPLETED)}", right == len(COMPLETED), {"offered": found})


def _slips() -> Figure:
    missed: dict[str, str] = {}
    for words, variables, meant in SLIPS:
        done = _run(*words, **variables)
        told = " ".join(done.stderr.split())
        if not re.search(rf"Did you mean[^?]*{re.escape(meant)}\W", told) or done.returncode == 0:
            missed[" ".join(words)] = told[-300:]
    right = len(SLIPS) - len(missed)
    bar = f"{len(SLIPS)} of {len(SLIPS)}"
    return Figure(
        "slips told with what was meant", bar, f"{right} of {len(SLIPS)}", not missed, {"missed": missed}
    )


def _session(scale: Scale) -> Figure:
    """It is run again; the build, which takes a minute, in the whole form alone."""
    gone = session.differences(whole=not scale.short)
    told = "all lines are printed" if not gone else f"{len(gone)} lines are not"
    bar = "every line is printed today"
    return Figure("the recorded session in the README", bar, told, not gone, {"gone": gone})


def _release() -> Figure:
    """Built twice from the same commit; the second time elsewhere."""
    bar = "wheel, sdist and list of parts: the same bytes twice, checked"
    made: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            done = subprocess.run(
                [ROOT / "tools/release.sh", str(Path(folder, name))], capture_output=True, text=True, check=False
            )
            if done.returncode:
                return Figure("make release", bar, done.stderr[-300:], held=False)
            made.append(_digests(Path(folder, name)))
    same = made[0] == made[1] and len(made[0]) == 3
    return Figure(
        "make release", bar, f"{len(made[0])} files, {'the same' if same else 'different'}", same, {"sha256": made}
    )


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
