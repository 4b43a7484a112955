"""What can be done with the project's named tuples is what can be done with typing's."""

import copy
import pickle
import typing

import pytest

from mlserverless import named_tuple
from mlserverless.types import Score

Record = named_tuple.NamedTuple


class Theirs(typing.NamedTuple):
    """Where it is."""

    index: int  # type: ignore[assignment]
    label: str = "none"
    places: tuple[int, ...] = (1, 2)

    @property
    def shown(self) -> str:
        return f"{self.label} at {self.index}"


class Ours(Record):
    """Where it is."""

    index: int  # type: ignore[assignment]
    label: str = "none"
    places: tuple[int, ...] = (1, 2)

    @property
    def shown(self) -> str:
        return f"{self.label} at {self.index}"


class Heir(Ours):
    """Adds a method alone."""

    def twice(self) -> int:
        return 2 * self.index


@pytest.mark.parametrize(
    "use",
    [
        lambda made: made(1),
        lambda made: made(1, "a"),
        lambda made: made(1, "a", (3,)),
        lambda made: made(index=1),
        lambda made: made(1, places=(4,)),
        lambda made: made(places=(), index=2),
        lambda made: (made(1).index, made(1).label, made(1, places=()).places),
        lambda made: made(1).shown,
        lambda made: made(1)._replace(label="b", index=9),
        lambda made: made._make([1, "a", ()]),
        lambda made: made(1)._asdict(),
        lambda made: (made._fields, made._field_defaults, made.__match_args__, made.__doc__),
        lambda made: hash(made(1)),
        lambda made: len(made(1)),
        lambda made: [*made(1)],
        lambda made: made(1) == (1, "none", (1, 2)),
        lambda made: sorted([made(2), made(1)]),
        lambda made: made(1) < made(1, "zebra"),
        lambda made: made(1)[-1],
        lambda made: copy.copy(made(1)),
        lambda made: copy.deepcopy(made(1)),
        lambda made: pickle.loads(pickle.dumps(made(1))),
        lambda made: issubclass(made, tuple),
    ],
)
def test_it_does_what_typings_does(use: typing.Any) -> None:
    ours, theirs = use(Ours), use(Theirs)
    assert ours == theirs
    assert repr(ours).replace("Ours", "Theirs") == repr(theirs)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda made: made(),
        lambda made: made(label="a"),
        lambda made: made(1, "a", (), 4),
        lambda made: made(1, index=1),
        lambda made: made(1, colour="red"),
        lambda made: made._make([1]),
        lambda made: made._make([1, "a", (), 4]),
        lambda made: made(1)._replace(colour="red"),
        lambda made: setattr(made(1), "index", 2),
        lambda made: setattr(made(1), "colour", "red"),
        lambda made: made(1).colour,
    ],
)
def test_it_refuses_what_typings_refuses(misuse: typing.Any) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)) as theirs:
        misuse(Theirs)
    with pytest.raises(theirs.type):
        misuse(Ours)


@pytest.mark.parametrize(
    ("misuse", "told"),
    [
        (lambda: Ours(), "Ours: a value is missing for index"),
        (lambda: Ours(1, "a", (), 4), "Ours has 3 fields, and 4 values were given"),
        (lambda: Ours(1, index=1), "Ours: index was given twice"),
        (lambda: Ours(1, colour="red"), "Ours: colour is none of its fields"),
        (lambda: Ours(1)._replace(colour="red"), "Ours: colour is none of its fields"),
        (lambda: Ours._make([1]), "Ours has 3 fields, and 1 values were given"),
    ],
)
def test_what_is_refused_is_named(misuse: typing.Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        misuse()
    assert str(caught.value) == told


def test_a_pattern_matches_its_fields() -> None:
    match Ours(1, "a"):
        case Ours(index, label):
            assert (index, label) == (1, "a")


def test_its_instances_have_no_dict_of_their_own() -> None:
    assert not hasattr(Ours(1), "__dict__")


def test_a_class_that_inherits_from_a_record_keeps_its_fields() -> None:
    assert Heir(4).twice() == 8
    assert Heir(4)._replace(index=5) == Heir(5)
    assert repr(Heir(4)) == "Heir(index=4, label='none', places=(1, 2))"


def test_the_public_records_are_made_of_it() -> None:
    assert isinstance(Score("cat", 3, 0.5), Record)
