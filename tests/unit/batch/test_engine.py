"""What passes between a batch and its engines."""

from mlserverless.batch.engine import Done, Item, Stopped


def test_an_item_is_a_url_unless_it_says_file() -> None:
    assert Item(3, "photo.jpg") == (3, "photo.jpg", False)


def test_a_result_with_a_code_is_a_problem() -> None:
    assert Done(0, "u", {"code": "source-blocked"}).problem == "source-blocked"
    assert Done(0, "u", {"model": "m", "predictions": []}).problem == ""
    assert Done(0, "u", {}).attempts == 1


def test_what_ends_a_run_has_its_code_and_its_text() -> None:
    error = Stopped("misconfigured", "top_k is wrong.")
    assert (error.code, str(error)) == ("misconfigured", "top_k is wrong.")
