"""The rows: an answer's or a problem's members beside whose they are, and what they come to."""

import json

from mlserverless.batch.engine import Done
from mlserverless.batch.rows import Tally, head, problem_of, row

ANSWER = {"model": "m", "sha256": "0a", "predictions": [{"label": 'a "problem":{', "index": 0, "score": 1.0}]}
PROBLEM = {"type": "urn:x", "detail": "é\udc80", "code": "source-not-found"}


def test_a_row_has_the_answers_members() -> None:
    line = row(Done(7, "https://x.example/é?sig=1", ANSWER, 2))
    assert line.endswith(b'"attempts":2}\n')
    assert json.loads(line) == {"index": 7, "source": "https://x.example/é?sig=1", **ANSWER, "attempts": 2}
    assert list(json.loads(line))[:2] == ["index", "source"]
    assert problem_of(line) == ""


def test_a_row_has_a_problem_as_one_member() -> None:
    line = row(Done(7, "a\udc80.jpg", PROBLEM))
    assert json.loads(line) == {"index": 7, "source": "a\udc80.jpg", "problem": PROBLEM, "attempts": 1}
    assert problem_of(line) == "source-not-found"


def test_a_row_begins_with_what_it_is_of() -> None:
    assert row(Done(7, 'a"\udc80.jpg', ANSWER)).startswith(head(7, 'a"\udc80.jpg'))
    assert not row(Done(7, "a.jpg", ANSWER)).startswith(head(7, "a"))


def test_a_tally_counts_rows_and_problems_and_tells_sources_apart() -> None:
    first, second = Tally(), Tally()
    for tally, sources in ((first, ("a", "b\udc80")), (second, ("ab\udc80", ""))):
        for source in sources:
            tally.add(source, "internal" if source == "a" else "")
    assert (first.rows, dict(first.problems), dict(second.problems)) == (2, {"internal": 1}, {})
    assert first.to_dict()["problems"] == {"internal": 1}
    assert first.to_dict()["sources_sha256"] != second.to_dict()["sources_sha256"]
