"""wrk, an independent client, for the point of saturation: Debian's package, unpacked if not installed."""

import os
import re
import shutil
import subprocess

from benchmarks.children import ROOT, Failed
from benchmarks.serving.server import HOST, WANTED, Server
from benchmarks.venvs import Unavailable

TOOLS = ROOT / ".cache" / "bench" / "tools"
PACKAGES = ("wrk", "libluajit-5.1-2", "libluajit-5.1-common")
LIBRARIES = TOOLS / "usr" / "lib" / "x86_64-linux-gnu"
# wrk does not tell its hook which request an answer belongs to, so one photo is sent.
SCRIPT = """
local file = io.open("{photo}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "image/jpeg"
bad = 0
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function response(status, headers, body)
  if status ~= 200 or body:match('"index": ?(%d+)') ~= "{wanted}" then bad = bad + 1 end
end
function done(summary, latency, requests)
  local wrong, e = 0, summary.errors
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  io.write(string.format("found %d %d %d %d\\n", summary.requests, summary.duration, wrong,
    e.connect + e.read + e.write + e.timeout))
end
"""


def saturation(server: Server, clients: int, seconds: int) -> float:
    """Return how many answers a second wrk got. Raises Unavailable without wrk, Failed for a wrong answer."""
    wrk, env = _wrk()
    photo, wanted = next(iter(WANTED.items()))
    script = TOOLS / "photo.lua"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(SCRIPT.format(photo=photo, wanted=wanted))
    url = f"http://{HOST}:{server.port}{server.subject.path}"
    words = ["-t", "1", "-c", str(clients), "-d", f"{seconds}s", "--timeout", "10s", "-s", str(script), url]
    run = subprocess.run([wrk, *words], env=env, capture_output=True, text=True, check=False)
    found = re.search(r"found (\d+) (\d+) (\d+) (\d+)", run.stdout)
    if found is None:
        raise Failed(f"wrk ended with {run.returncode}: {(run.stderr or run.stdout)[-300:]}")
    requests, duration, wrong, errors = map(int, found.groups())
    if wrong or errors:
        raise Failed(f"wrk counted {wrong} wrong answers and {errors} errors of {requests}: {run.stdout[-300:]}")
    return requests / (duration / 1e6)


def _wrk() -> tuple[str, dict[str, str]]:
    if installed := shutil.which("wrk"):
        return installed, dict(os.environ)
    unpacked = TOOLS / "usr" / "bin" / "wrk"
    if not unpacked.is_file():
        _unpack()
    return str(unpacked), {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES)}


def _unpack() -> None:
    TOOLS.mkdir(parents=True, exist_ok=True)

    def run(*words: str) -> None:
        subprocess.run(words, cwd=TOOLS, capture_output=True, text=True, check=True)

    try:
        run("apt-get", "download", *PACKAGES)
        for package in PACKAGES:
            for archive in TOOLS.glob(f"{package}_*.deb"):
                run("dpkg", "-x", archive.name, ".")
    except FileNotFoundError as error:
        raise Unavailable(f"wrk is not installed, and this is no Debian: {error.filename} is missing") from error
    except subprocess.CalledProcessError as error:
        told = (error.stderr or "").strip().splitlines()
        raise Unavailable(f"wrk cannot be fetched: {told[-1] if told else error.returncode}") from error
