"""The parsers of what strangers send, each fuzzed by atheris in a process of its own."""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from helpers.figures import Figure, Scale, skip

TESTS = Path(__file__).parents[1]
PARALLEL = 2
STARTING = 120  # seconds, beside those that are fuzzed
MOST_BYTES, MOST_TEXT = 2048, 4000
LIMITS = ("-timeout=10", "-len_control=0", "-print_final_stats=1")


class Parser(NamedTuple):
    """A harness in ``security.fuzzers``: the longest input that it is given, and the memory that it may take."""

    name: str
    max_len: int
    rss_mb: int = 1024


PARSERS = (
    *(Parser("url", 512), Parser("response", 2048), Parser("metadata", 4096), Parser("event", 4096)),
    Parser("decode", 8192, 2048),
)


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each parser."""
    if find_spec("atheris") is None:
        return [skip(_name(p), _bar(scale), "atheris has no wheel for this Python or machine") for p in PARSERS]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda parser: _measure(parser, scale), PARSERS))


def _measure(parser: Parser, scale: Scale) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        code, text = _run(parser, scale, Path(folder))
        crashes = [
            path for path in Path(folder).iterdir() if re.match("(crash|timeout|oom|leak|slow)-", path.name)
        ]
        details = {
            "crashes": [{"file": path.name, "hex": path.read_bytes()[:MOST_BYTES].hex()} for path in crashes],
            "said": "" if code == 0 else _told(text),
        }
    stats = {name: int(value) for name, value in re.findall(r"stat::(\w+): +(\d+)", text)}
    runs, rate = stats.get("number_of_executed_units", 0), stats.get("average_exec_per_sec", 0)
    uncaught = max(len(crashes), code != 0)
    measured = f"{uncaught} uncaught in {scale.fuzz_seconds} s; {runs:,} runs, {rate:,} a second"
    return Figure(
        _name(parser), _bar(scale), measured, uncaught == 0 and runs > 0, {**details, **stats, "exit_code": code}
    )


def _run(parser: Parser, scale: Scale, folder: Path) -> tuple[int, str]:
    options = [f"-max_total_time={scale.fuzz_seconds}", f"-max_len={parser.max_len}", *LIMITS]
    options += [f"-rss_limit_mb={parser.rss_mb}", f"-artifact_prefix={folder}/"]
    if scale.short:
        options.append("-seed=1")  # `make test` is to say the same twice; the whole form looks for what is new
    # Neither coverage nor warnings as errors: both would be measured instead of the parser.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHON"))}
    command = [sys.executable, "-m", f"security.fuzzers.{parser.name}", *options]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**kept, "PYTHONPATH": str(TESTS), "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,  # atheris prints the exception here, libFuzzer the rest there
            stderr=subprocess.STDOUT,
            timeout=scale.fuzz_seconds + STARTING,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return -1, (error.stdout or b"").decode(errors="replace") + f"\nended after {error.timeout:.0f} s"
    return done.returncode, done.stdout.decode(errors="replace")


def _told(text: str) -> str:
    # From the exception on; a crash in C has no such line, and then the end is what matters.
    _, found, after = text.partition("=== Uncaught Python exception: ===")
    return (after if found else text[-MOST_TEXT:])[:MOST_TEXT].strip()


def _name(parser: Parser) -> str:
    return f"atheris: {parser.name}"


def _bar(scale: Scale) -> str:
    return f"0 uncaught in {scale.fuzz_seconds} s"
