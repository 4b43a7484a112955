"""A server process is awaited, and ended with all its children, whatever it does."""

import os
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlserverless.local import process
from mlserverless.local.process import ServerProcess, free_port

HOST = "127.0.0.1"
PLAIN = {"PATH": os.environ["PATH"]}
SERVER = """
import http.server, os, sys, time
time.sleep({delay})
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = repr((self.path, os.getcwd(), sorted(os.environ))).encode()
        self.send_response({status})
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("said on stdout", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start(code: str, folder: Path, port: int, environment: dict[str, str] = PLAIN) -> ServerProcess:
    return ServerProcess([sys.executable, "-c", code, str(port)], HOST, port, environment, folder)


def alive(pid: int) -> bool:
    """Return whether ``pid`` runs; a process that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("delay", "status"), [(0, 200), (0.4, 200), (0, 500)])
def test_it_returns_once_the_port_answers_http_whatever_it_answers(
    delay: float, status: int, tmp_path: Path
) -> None:
    with start(SERVER.format(delay=delay, status=status), tmp_path, port := free_port(HOST)) as server:
        assert server.url == f"http://{HOST}:{port}"
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(b"GET /x HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(f"HTTP/1.0 {status} ".encode())


def test_it_runs_in_its_folder_with_the_environment_it_is_given_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_ON_THIS_MACHINE", "1")
    given = {**PLAIN, "LC_ALL": "C.UTF-8", "MINE": "2"}
    with (
        start(SERVER.format(delay=0, status=200), tmp_path, free_port(HOST), given) as server,
        urllib.request.urlopen(f"{server.url}/a", timeout=10) as response,
    ):
        assert response.read().decode() == repr(("/a", str(tmp_path), sorted(given)))


def test_what_it_prints_is_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """So that the command's own output can be piped."""
    with start(SERVER.format(delay=0, status=200), tmp_path, free_port(HOST)):
        pass
    shown = capfd.readouterr()
    assert "said on stdout" in shown.err
    assert shown.out == ""


def test_a_process_that_ends_first_is_told_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeError, match="the server's process ended with code 3 before it listened; see stderr"
    ):
        start("raise SystemExit(3)", tmp_path, free_port(HOST))


def test_a_command_that_does_not_exist_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ServerProcess([str(tmp_path / "none")], HOST, free_port(HOST), PLAIN, tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)",
        """
import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(1000):
    connection = s.accept()[0]
    connection.recv(1000)
    connection.sendall(b"SSH-2.0-not-http\\r\\n")
    connection.close()
""",
    ],
    ids=["does not listen", "does not answer", "does not speak HTTP"],
)
def test_a_process_that_does_not_answer_is_ended(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 1.0)
    told = f"import os; open('pid', 'w').write(str(os.getpid()))\n{code}"
    port = free_port(HOST)
    with pytest.raises(RuntimeError, match=f"the server did not listen on {HOST}:{port} within 1 s"):
        start(told, tmp_path, port)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    """Whoever has the port would answer, and be taken for the process."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"{HOST}:{port} cannot be listened on: Address already in use"):
            start("open('started', 'w')", tmp_path, port)
    assert not (tmp_path / "started").exists()


def test_an_address_that_is_not_this_machines_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"192\.0\.2\.1:1234 cannot be listened on"):
        ServerProcess([sys.executable, "-c", ""], "192.0.2.1", 1234, PLAIN, tmp_path)


STUBBORN = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("child", "w").write(str(os.getpid()))
time.sleep(60)
'''])
while not os.path.exists("child") or not open("child").read():
    pass
open("parent", "w").write(str(os.getpid()))
"""


@pytest.mark.parametrize("also_the_parent", [False, True])
def test_closing_ends_children_that_do_not_listen_to_it(
    also_the_parent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.3)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if also_the_parent else ""
    server = start(STUBBORN + ignore + SERVER.format(delay=0, status=200), tmp_path, free_port(HOST))
    pids = [int((tmp_path / name).read_text()) for name in ("parent", "child")]
    assert all(map(alive, pids))
    server.close()
    assert all(map(gone, pids))
    server.close()  # and a second call does nothing


def test_a_process_is_asked_to_stop_before_it_is_killed(tmp_path: Path) -> None:
    polite = """
import signal
def stop(*_):
    open("stopped", "w").close()
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
"""
    start(polite + SERVER.format(delay=0, status=200), tmp_path, free_port(HOST)).close()
    assert (tmp_path / "stopped").exists()


def test_an_interrupt_while_it_is_awaited_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt
        time.sleep(0.01)

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupt))
    with pytest.raises(KeyboardInterrupt):
        start(
            "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)", tmp_path, free_port(HOST)
        )
    assert gone(int((tmp_path / "pid").read_text()))


def test_it_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches the command only, which then ends the process in order."""
    with start(SERVER.format(delay=0, status=200), tmp_path, free_port(HOST)) as server:
        assert os.getpgid(server._process.pid) == server._process.pid != os.getpgid(0)
        os.kill(server._process.pid, signal.SIGKILL)


def test_free_port_is_one_that_can_be_listened_on() -> None:
    with socket.create_server((HOST, free_port(HOST))) as listener:
        assert listener.getsockname()[1] > 0


def test_another_port_is_tried_where_the_free_one_was_taken_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between choosing a port and listening on it, any other process may be given it."""
    with socket.create_server((HOST, 0)) as taken:
        ports = [taken.getsockname()[1]] * 2 + [free_port(HOST)]
        offered = iter(ports)
        monkeypatch.setattr(process, "free_port", lambda _: next(offered))
        code = SERVER.format(delay=0, status=200)
        with process.on_free_port(lambda port: start(code, tmp_path, port), HOST, 0) as server:
            assert server.url.endswith(f":{ports[2]}")
        with pytest.raises(process.PortTaken):
            process.on_free_port(lambda port: start(code, tmp_path, port), HOST, ports[0])
