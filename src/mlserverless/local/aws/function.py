"""What both local Lambda backends share: a function's settings and environment, what an invocation gives.

The error documents have Lambda's own words, so that code which reads them here reads them there.
"""

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from mlserverless.local.runtime import child_environment

NAME = "function"  # the emulator knows no other
INVOKE_PATH = f"/2015-03-31/functions/{NAME}/invocations"
REGION = "us-east-1"


class Invocation(NamedTuple):
    """What one invocation gave.

    ``payload`` is what the function returned, or Lambda's error document where ``function_error`` is true.
    ``init_ms`` is the time from the start of the process (with SnapStart, from its restoration) to its first
    question for an event, in milliseconds; None where the sandbox was warm or the time is not known.
    ``duration_ms`` does not include it.
    """

    payload: bytes
    function_error: bool
    init_ms: float | None
    duration_ms: float


class Backend(Protocol):
    """The real runtime, however it is driven."""

    def invoke(self, event: bytes) -> Invocation:
        """Run the function once with the JSON document ``event``; safe to call from several threads."""

    def close(self) -> None:
        """End every process that belongs to it; a second call does nothing."""


class Function(NamedTuple):
    """The settings a function has on Lambda: ``timeout_s`` in seconds, ``memory_mb`` in MB.

    With ``snap_start`` it is told that a snapshot is taken of it.
    """

    handler: str
    app_dir: Path
    timeout_s: float
    memory_mb: int
    environment: Mapping[str, str]
    snap_start: bool = False

    @property
    def command(self) -> list[str]:
        """The runtime's command line, with the Python that runs this."""
        return [sys.executable, "-m", "awslambdaric", self.handler]

    @property
    def arn(self) -> str:
        """The function's ARN, in the region its environment names and an account that is no one's."""
        return f"arn:aws:lambda:{self.environment.get('AWS_REGION', REGION)}:123456789012:function:{NAME}"

    def variables(self) -> dict[str, str]:
        """Return the process's environment: a clean one with Lambda's own variables and the function's."""
        region = self.environment.get("AWS_REGION", REGION)
        return child_environment(
            {
                "TZ": ":UTC",
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                **self.environment,
                "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
                "AWS_LAMBDA_FUNCTION_NAME": NAME,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
                "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if self.snap_start else "on-demand",
                "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{NAME}",
                "AWS_LAMBDA_LOG_STREAM_NAME": "local",
                "LAMBDA_TASK_ROOT": str(self.app_dir),
                "_HANDLER": self.handler,
            }
        )


def error_document(error_type: str, message: str) -> bytes:
    """Return the payload of a function error."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def timed_out(request_id: str, timeout_s: float) -> bytes:
    """Return the payload Lambda gives where the function did not answer within ``timeout_s`` seconds."""
    text = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    return error_document("Sandbox.Timedout", text)


def exited(request_id: str, code: int) -> bytes:
    """Return the payload Lambda gives where the process ended with ``code`` (minus the signal's number)."""
    reason = "Runtime exited without providing a reason"
    if code > 0:
        reason = f"Runtime exited with error: exit status {code}"
    elif code < 0:
        reason = f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return error_document("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")
