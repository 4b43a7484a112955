"""What was compared, what diverges, which known mistake explains it and what mends it."""

from typing import Any, NamedTuple

from mlserverless.certification.difference import NONE, Difference

# In the order in which a request goes through them; the first that diverges is named.
STEPS = (
    "decode",
    "resize",
    "channels",
    "range",
    "layout",
    "quantise",
    "model",
    "dequantise",
    "activation",
    "labels",
    "answer",
)
MODEL_TOML, LABELS, SETTING, NOTEBOOK, COMMAND = "model.toml", "labels", "setting", "notebook", "command"


class Finding(NamedTuple):
    """A mistake: the ``step`` it is in, its ``cause`` in one word, what is told of it, and what mends it.

    ``where`` the ``mend`` goes: into model.toml, the label file, a setting, the notebook or the command line.
    ``proven``: with the mend the stage was computed again, and fits.
    """

    step: str
    cause: str
    told: str
    mend: str
    where: str = MODEL_TOML
    proven: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return self._asdict()


class Stage(NamedTuple):
    """One comparison: equal, agrees (in the first class, where values differ), diverges or absent."""

    name: str
    verdict: str
    difference: Difference = NONE
    tolerance: float = 0.0
    unit: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        told: dict[str, Any] = {"stage": self.name, "verdict": self.verdict}
        if self.verdict != "absent":
            told |= {**self.difference.to_dict(), "tolerance": self.tolerance, "unit": self.unit}
        return told | ({"note": self.note} if self.note else {})


EQUAL, AGREES, DIVERGES, ABSENT = "equal", "agrees", "diverges", "absent"


Found = tuple[Stage, list[Finding]]  # a comparison, and what explains it


def first(findings: list[Finding]) -> list[Finding]:
    """Return the ``findings`` in the order of the steps, one of each cause and step."""
    found = {(one.step, one.cause): one for one in reversed(findings)}
    return sorted(found.values(), key=lambda one: STEPS.index(one.step))
