"""What is found to work twice, on functions planted for it."""

import threading

from benchmarks.calls import Call, Recorder, twice


class Item:
    def asked(self, how: str) -> str:
        return how


def numbers() -> object:
    yield 1
    yield 2


def recorded(work: object) -> list[Call]:
    recorder = Recorder(__file__)
    with recorder.on():
        work()  # type: ignore[operator]
    return [call for call in recorder.calls if not call.name.endswith("<lambda>")]


def test_a_second_call_with_equal_arguments_is_found() -> None:
    one, other = Item(), Item()

    def work() -> None:
        one.asked("a")
        one.asked("b")  # something else
        other.asked("a")  # of something else
        one.asked("".join(("", "a")))  # equal, though not the same text

    calls = recorded(work)
    assert [call.name for call in calls][1:] == ["Item.asked"] * 4
    assert [told.partition(" ")[0] for told in twice(calls)] == ["Item.asked"]
    assert "2 ×" in twice(calls)[0]


def test_a_generator_that_goes_on_is_one_call() -> None:
    calls = recorded(lambda: list(numbers()))  # type: ignore[call-overload]
    assert [call.name for call in calls] == ["numbers"]


def test_threads_that_are_started_meanwhile_count() -> None:
    item = Item()

    def work() -> None:
        item.asked("a")
        thread = threading.Thread(target=item.asked, args=("a",))
        thread.start()
        thread.join()

    assert len(twice(recorded(work))) == 1


def test_objects_that_are_gone_are_not_taken_for_later_ones() -> None:
    calls = recorded(lambda: [Item().asked("a") for _ in range(50)])
    assert len(calls) == 50
    assert not twice(calls)


def test_clocks_may_be_asked_again() -> None:
    assert not twice([Call("Deadline.remaining", "deadline.py:27", (1,))] * 3)
