"""A lock on a file holds between threads and between processes."""

import os
import threading
import time
from pathlib import Path

import pytest

from mlserverless.deadline import Deadline
from mlserverless.lock import locked


def test_one_thread_at_a_time(tmp_path: Path) -> None:
    inside, most, done = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        with locked(str(tmp_path / "lock"), Deadline(20)) as mine:
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1
            done.append(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (most, done) == (1, [True] * 8)


def test_false_where_it_is_not_free_in_time(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path, Deadline(5)) as first:
        start = time.monotonic()
        with locked(path, Deadline(0.15)) as second:
            assert (first, second) == (True, False)
        assert 0.1 < time.monotonic() - start < 2
    with locked(path, Deadline(0)) as third:
        assert third


# From Python 3.12 on; the child does nothing that another thread could have locked.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_process_that_dies_gives_it_up(tmp_path: Path) -> None:
    path, (ours, theirs) = str(tmp_path / "lock"), os.pipe()
    child = os.fork()
    if not child:
        with locked(path, Deadline(5)):
            os.write(theirs, b"x")
            time.sleep(20)
        os._exit(0)
    assert os.read(ours, 1) == b"x"
    with locked(path, Deadline(0)) as mine:
        assert not mine
    os.kill(child, 9)
    os.waitpid(child, 0)
    with locked(path, Deadline(5)) as mine:
        assert mine
    os.close(ours)
    os.close(theirs)
