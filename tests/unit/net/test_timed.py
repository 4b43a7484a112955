"""A socket held to a deadline."""

import socket
import threading

import pytest

from mlserverless.deadline import Deadline
from mlserverless.net.timed import AT_A_TIME, TimedSocket, time_left


def test_no_time_left_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        time_left(Deadline(0))
    assert time_left(Deadline(None)) > 1e6
    assert 0 < time_left(Deadline(1)) <= 1


def test_neither_sends_nor_reads_without_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x")
        timed = TimedSocket(ours, Deadline(0))
        with pytest.raises(TimeoutError):
            timed.sendall(b"x")
        with pytest.raises(TimeoutError):
            timed.receive(bytearray(1))


def test_answer_has_to_begin_sooner_than_it_has_to_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        timed = TimedSocket(ours, Deadline(5), Deadline(0.01))
        with pytest.raises(TimeoutError):
            timed.receive(bytearray(1))
        assert not timed.answered
        timed.begin_by = Deadline(5)
        theirs.sendall(b"ab")
        assert (timed.receive(bytearray(1)), timed.answered) == (1, True)
        timed.begin_by = Deadline(0)  # is over, and does not count any more
        assert timed.receive(bytearray(9)) == 1


def test_end_of_the_connection_is_no_answer() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        timed = TimedSocket(ours, Deadline(5))
        assert (timed.receive(bytearray(9)), timed.answered) == (0, False)


def test_large_reads_wait_for_more_than_a_packet_and_no_longer_than_there_is_any() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, socket.create_connection(listening.getsockname()) as ours:
        theirs, _ = listening.accept()
        with theirs:
            timed, room = TimedSocket(ours, Deadline(5)), bytearray(2 * AT_A_TIME)

            def send() -> None:
                for _ in range(4):
                    theirs.sendall(bytes(AT_A_TIME // 4))

            sending = threading.Thread(target=send)
            sending.start()
            reads = [timed.receive(room)]
            sending.join()
            while sum(reads) < AT_A_TIME:  # a kernel that is short of memory wakes it sooner
                reads.append(timed.receive(memoryview(room)[: AT_A_TIME - sum(reads)]))
            assert sum(reads) == AT_A_TIME
            assert len(reads) < 4
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1  # a byte that waits is seen
            theirs.sendall(b"rest")
            theirs.shutdown(socket.SHUT_WR)
            assert timed.receive(room) == 4
            assert timed.receive(room) == 0


def test_a_system_without_the_option_wakes_for_every_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "SO_RCVLOWAT", 0x7FFF)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"abc")
        assert TimedSocket(ours, Deadline(5)).receive(bytearray(AT_A_TIME)) == 3
