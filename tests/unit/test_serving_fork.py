"""A server that loads the function and forks then: what is made ready aside is ready before the fork."""

import os
import subprocess
import sys

import pytest

CHILD = """
import os, signal, sys, threading, time
from mlserverless.serving import Service

begun = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "ssl":  # whoever imports it holds its lock, which a fork of this moment would find held
            begun.set()
            time.sleep(0.5)

sys.meta_path.insert(0, Slow())
Service().warm_up()
assert begun.wait(10), "the warm-up makes the certificates ready"
if not os.fork():
    signal.alarm(5)  # ends a fork that waits for what nobody will do
    from mlserverless.net import connection
    connection.trust()
    os._exit(0)
_, status = os.wait()
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_during_the_warm_up_can_verify_certificates() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], timeout=60, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
