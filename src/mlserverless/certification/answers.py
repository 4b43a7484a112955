"""Labels and whole answers: what a notebook says of each image against what a request is answered."""

import math
from collections.abc import Sequence

from mlserverless import postprocess
from mlserverless.certification.arrays import Array
from mlserverless.certification.difference import Difference
from mlserverless.certification.findings import (
    ABSENT,
    AGREES,
    DIVERGES,
    EQUAL,
    LABELS,
    Finding,
    Found,
    Stage,
)
from mlserverless.certification.reference import Reference
from mlserverless.certification.served import Served
from mlserverless.predictor import Predictor
from mlserverless.types import Score

MOST = 0.9  # of the labels that have to stand where a shift says
MOST_NEAR = 1000  # classes that are looked at for one nearly as high as the first: as many as are answered
SHIFTS = (1, -1, 2, -2, 3, -3)


class Answers:
    """The stages labels and answer of one reference."""

    def __init__(self, served: Served, reference: Reference, predictor: Predictor, bar: float) -> None:
        self.served, self.reference, self.predictor, self.bar = served, reference, predictor, bar
        model = served.loaded.model
        self.classes = classes(served)
        self.offset = model.output.offset
        self.ours = spread(model.labels, self.offset, self.classes)
        given = reference.labels
        shift = self.classes - len(given)
        self.theirs = spread(given, shift if shift == 1 else 0, self.classes) if given else ()

    def labels(self) -> Found:
        """Compare the labels, by their place in the model's output."""
        found = self._of_lists() if self.theirs else self._of_answers()
        if found is None:
            return Stage("labels", ABSENT), []
        return Stage("labels", DIVERGES if found else EQUAL), found

    def _of_lists(self) -> list[Finding]:
        if self.ours == self.theirs:
            return []
        if (shift := _shift(self.ours, self.theirs)) is not None:
            return [self._shifted(shift)]
        theirs, ours = set(self.theirs), set(self.ours)
        if theirs == ours:
            told = "the notebook has the same labels in another order"
            return [Finding("labels", "order", told, self._rewrite(), LABELS)]
        differing = [i for i, (a, b) in enumerate(zip(self.ours, self.theirs, strict=True)) if a != b]
        first = differing[0]
        told = (
            f"{len(differing):,} of {self.classes:,} labels differ; class {first} is {self.theirs[first]!r} in "
            f"the notebook, {self.ours[first]!r} is served"
        )
        return [Finding("labels", "texts", told, self._rewrite(), LABELS)]

    def _shifted(self, shift: int) -> Finding:
        offset = self.offset + shift
        place = f"i {'−' if shift > 0 else '+'} {abs(shift)}"
        told = f"the notebook's label of class i is that of class {place} here"
        labels = self.served.loaded.model.labels
        if spread(labels, offset, self.classes) == self.theirs and len(labels) + offset == self.classes:
            return Finding("labels", "offset", told, f"offset = {offset}")
        return Finding("labels", "offset", told, self._rewrite(), LABELS)

    def _rewrite(self) -> str:
        kept = [label for label in self.theirs if label] if self.theirs else []
        if not kept:
            return "write the notebook's labels into the file, one a line, in the order of the model's output"
        told = f"{', '.join(kept[:3])}, … : the notebook's {len(kept):,} labels, one a line, in its order"
        first = self.theirs.index(kept[0])
        return told + (f"\noffset = {first} in model.toml" if first != self.offset else "")

    def _of_answers(self) -> list[Finding] | None:
        """Return what the notebook's answers tell of labels that it has not saved; None for nothing."""
        texts = [one for one in self.reference.top1 if isinstance(one, str)]
        values = self._values()
        if not texts or values is None:
            return None
        indices = values.argmax(1).tolist()
        if all(self.ours[i] == text for i, text in zip(indices, texts, strict=True)):
            return []
        places = {label: i for i, label in enumerate(self.ours) if label}
        shifts = {i - places[text] for i, text in zip(indices, texts, strict=True) if text in places}
        missing = [text for text in texts if text not in places]
        if missing:
            told = f"the notebook answers {missing[0]!r}, which is none of the labels here"
            return [Finding("labels", "texts", told, self._rewrite(), LABELS)]
        if len(shifts) == 1 and len(set(indices)) > 1:
            return [self._by_answers(shifts.pop())]
        return None  # what was answered otherwise for another reason is not the labels' fault

    def _by_answers(self, shift: int) -> Finding:
        side = "before" if shift > 0 else "after"
        told = f"the labels that the notebook answers stand {abs(shift)} {side} their class here"
        return Finding(
            "labels", "offset", told, f"offset = {self.offset + shift}, or a label file to match", LABELS
        )

    def _values(self) -> Array | None:
        scores = self.reference.scores if self.reference.scores is not None else self.reference.output
        return scores if scores is not None and scores.shape[1] == self.classes else None

    def answer(self) -> Found:
        """Compare what a request with each image is answered with what the notebook says of it."""
        if self.classes == 1:
            return self._single()
        every = self._wanted()
        wanted = {i: asked for i, asked in enumerate(every) if not self._background(asked)}
        if not wanted:
            return Stage("answer", ABSENT), []
        right = near = 0
        gaps: list[float] = []
        values, wrong = self._values(), []
        for i, asked in wanted.items():
            best = self._best(self.reference.images[i], MOST_NEAR)
            if best and values is not None and self.reference.scores is not None:
                gaps.append(abs(best[0].score - float(values[i, best[0].index])))
            found = next((one for one in best if asked in (one.label, one.index)), None)
            if found and found == best[0]:
                right += 1
            elif found and postprocess.nearly_equal([best[0].score, found.score]):
                near += 1
            else:
                wrong.append(i)
        share = right / len(wanted)
        gap = Difference(
            max(gaps, default=0.0), sum(gaps) / len(gaps) if gaps else 0.0, 1 - share, (wrong or [0])[0]
        )
        note = f"the same first class for {right} of {len(wanted)}"
        note += f", {near} nearly equal" if near else ""
        if left := len(every) - len(wanted):
            note += f"; {left} not compared: a class without a label is first, which is never answered"
        if share == 1:
            return Stage("answer", EQUAL, gap, 0.0, "share", note), []
        verdict = AGREES if (right + near) / len(wanted) >= self.bar else DIVERGES
        return Stage("answer", verdict, gap, 1 - self.bar, "share", note), []

    def _single(self) -> Found:
        scores = self.reference.scores
        if scores is None:
            return Stage("answer", ABSENT), []
        answered = [self._best(source, 1) for source in self.reference.images]
        # Settings may let nothing be answered.
        gaps = [abs(best[0].score - float(scores[i, 0])) if best else math.inf for i, best in enumerate(answered)]
        gap = Difference(max(gaps), sum(gaps) / len(gaps), 0.0, gaps.index(max(gaps)))
        near = postprocess.NEAR
        verdict = EQUAL if gap.largest <= near else DIVERGES
        return Stage("answer", verdict, gap, near, "score"), []

    def _best(self, source: bytes | Array, most: int) -> tuple[Score, ...]:
        return self.predictor.predict(source, top_k=most, score_threshold=-1e9).predictions

    def _background(self, asked: str | int) -> bool:
        return isinstance(asked, int) and 0 <= asked < self.classes and not self.ours[asked]

    def _wanted(self) -> Sequence[str | int]:
        if self.reference.top1:
            return self.reference.top1
        values = self._values()
        if values is None:
            return ()
        indices: list[int] = values.argmax(1).tolist()
        return [self.theirs[i] or i for i in indices] if self.theirs else indices


def classes(served: Served) -> int:
    """Return how many classes the model's output has."""
    return served.loaded.output.shape[-1]


def spread(labels: Sequence[str], offset: int, classes: int) -> tuple[str, ...]:
    """Return the label of each index of the output, "" for none; ``offset``: the first label's index."""
    return tuple(labels[i - offset] if 0 <= i - offset < len(labels) else "" for i in range(classes))


def _shift(ours: Sequence[str], theirs: Sequence[str]) -> int | None:
    """Return by how much further on ``theirs`` has the labels of ``ours``, None where that is no one number."""
    for shift in SHIFTS:
        pairs = [
            (ours[i - shift], theirs[i])
            for i in range(len(theirs))
            if 0 <= i - shift < len(ours) and theirs[i] and ours[i - shift]
        ]
        same = sum(a == b for a, b in pairs)
        if (
            len(pairs) > 1
            and same >= MOST * len(pairs)
            and same > sum(a == b for a, b in zip(ours, theirs, strict=True))
        ):
            return shift
    return None
