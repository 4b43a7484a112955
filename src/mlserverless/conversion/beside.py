"""The original and what came of it, side by side in the engines, and what is said of those that cannot run it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mlserverless import engines as known
from mlserverless.conversion import made, pixels, trial
from mlserverless.conversion.frameworks import Original
from mlserverless.conversion.plan import Plan
from mlserverless.conversion.problem import ConversionError
from mlserverless.conversion.report import Compared, compare
from mlserverless.inspection.trial import MISSING, RUNS, Verdict, lacking


def beside(
    todo: Plan,
    written: Path,
    original: Original,
    converted: made.Made,
    paths: Sequence[Path],
    tell: Callable[[str], None],
) -> tuple[trial.Ran, tuple[Compared, ...], list[str]]:
    """Run ``original`` and the model folder ``written`` on the pictures ``paths``.

    Returns what the original made of them, how each engine compares, and notes on those that cannot run it. Raises
    ConversionError where one that was asked for cannot, or none can.
    """
    names = todo.engines or (known.ONNX if todo.form == "onnx" else known.ORDER)
    inputs = pixels.arrays(paths, todo.wanted, original.input)
    ran, trials = trial.run(written, names, paths, lambda number: original.run(inputs[number]), tell)
    found = []
    for one in trials:
        lacks = lacking(Verdict(one.engine, one.status), converted.uses)
        if todo.engines or lacks or one.status != MISSING:
            found.append(compare(ran, one, lacks))
    return ran, tuple(found), _judged(found, todo.engines)


def _judged(found: Sequence[Compared], asked: Sequence[str]) -> list[str]:
    """Return what cannot run it, as notes; raise ConversionError where that was ``asked`` for, or nothing can."""
    notes = []
    for one in found:
        if one.status == RUNS:
            continue
        if one.status == MISSING and not one.lacks:
            notes.append(f"{one.engine} is not installed here: only its operators' versions were checked.")
            continue
        why = "; ".join(one.lacks) or one.told
        told = f"{one.engine} cannot run it: {why}. {_way_out(one)}".strip()
        if one.engine in asked:
            raise ConversionError(told)
        notes.append(told)
    if not any(one.status == RUNS for one in found):
        whys = " ".join(f"{one.engine}: {'; '.join(one.lacks) or one.told}" for one in found)
        raise ConversionError(f"No engine here runs what came of it. {whys}")
    return notes


def _way_out(one: Compared) -> str:
    if any("FULLY_CONNECTED" in lack for lack in one.lacks):
        return (
            "Name it among --engines, and dense layers get one scale each instead of one a unit; or take "
            "--quantize int8 or float16."
        )
    return ""
