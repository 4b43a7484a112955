"""The Lambda Runtime API, as one runtime process sees it: it asks for events and posts what became of them.

Written on bare sockets because ``http.server`` refuses header lines above 64 KB, and awslambdaric puts the
whole traceback of an error into one: with it a RecursionError would read as a crash of the process.
"""

import queue
import threading
import time
import uuid
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import NamedTuple

_PREFIX = "/2018-06-01/runtime"
_ASKING = {f"{_PREFIX}/invocation/next": "ready", f"{_PREFIX}/restore/next": "snapshot"}
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'


class Report(NamedTuple):
    """What the runtime told, at ``at`` on the clock of ``time.perf_counter``.

    ``kind`` is "ready" (it asks for an event), "snapshot" (with SnapStart: it is ready for one, and asks when it
    is restored), "response", "error", "init-error" or "restore-error"; a sandbox adds "exit", the end of the
    process, with its ``code``.
    """

    kind: str
    at: float
    body: bytes = b""
    code: int = 0


class RuntimeApi:
    """Serve one runtime process at ``address`` (host:port) on loopback until :meth:`close`.

    What the process tells arrives in ``reports``. One server a process: the requests of a killed one, still
    under way, can then reach no other.
    """

    def __init__(self) -> None:
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._server = _Server(self.reports, self._answers)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="runtime-api", daemon=True
        )
        self._thread.start()

    def send(self, event: bytes, request_id: str, deadline: float, arn: str) -> None:
        """Hand ``event`` to the process when it asks; ``deadline`` is in seconds since the epoch."""
        head = (
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",  # without it or the trace id the native client dies of SIGSEGV
            f"Content-Length: {len(event)}",
            f"Lambda-Runtime-Aws-Request-Id: {request_id}",
            f"Lambda-Runtime-Deadline-Ms: {int(deadline * 1000)}",
            f"Lambda-Runtime-Invoked-Function-Arn: {arn}",
            f"Lambda-Runtime-Trace-Id: Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        )
        self._answers.put("\r\n".join((*head, "", "")).encode() + event)

    def restore(self) -> None:
        """Tell the process, when it asks, that it has been restored from its snapshot."""
        self._answers.put(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        """Stop listening and let go of a process that waits for an event; a second call does nothing."""
        self._answers.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, reports: "queue.SimpleQueue[Report]", answers: "queue.SimpleQueue[bytes | None]") -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.reports, self.answers = reports, answers


class _Conversation(StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer requests until the runtime hangs up, which a killed one does anywhere."""
        try:
            while words := self.rfile.readline().split():
                length = 0
                while (line := self.rfile.readline()).strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = self.rfile.read(length)
                if len(body) < length:
                    return
                answer = self._answer(words[0].decode(), words[1].decode(), body)
                if answer is None:
                    return
                self.wfile.write(answer)
        except ConnectionError:
            return

    def _answer(self, method: str, path: str, body: bytes) -> bytes | None:
        if method == "GET" and (kind := _ASKING.get(path)):
            self.server.reports.put(Report(kind, time.perf_counter()))
            return self.server.answers.get()
        if method != "POST" or not path.startswith(_PREFIX):
            return _NOT_FOUND
        match path.removeprefix(_PREFIX).split("/"):
            case ["", "init" | "restore" as phase, "error"]:
                kind = f"{phase}-error"
            case ["", "invocation", _, "response" | "error" as kind]:
                pass
            case _:
                return _NOT_FOUND
        self.server.reports.put(Report(kind, time.perf_counter(), body))
        return _ACCEPTED
