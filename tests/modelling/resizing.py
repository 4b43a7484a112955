"""Resizes and crops against those of the libraries that they are named after, by the tensors that these made."""

from helpers.figures import Figure, Scale
from helpers.goldens import Case, Difference, cases, difference

BAR = 1e-5  # of 0…1


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each library, method and fit: bit-exact, or the largest difference."""
    rows: dict[str, list[tuple[Case, Difference]]] = {}
    for case in cases():
        if not scale.short or case.source != "large":
            rows.setdefault(row(case), []).append((case, difference(case)))
    return [_figure(name, found) for name, found in rows.items()]


def row(case: Case) -> str:
    """Return the line of the table that a case belongs to."""
    options = case.options
    fit = options.get("fit", "stretch")
    if "side" in options:
        fit = "side"
    elif "crop" in options:
        fit = "central crop"
    antialias = {True: ", antialias", False: ", no antialias", None: ""}[options.get("antialias")]
    return f"{case.library}: {options['resize']}{antialias}, {fit}"


def _figure(name: str, found: list[tuple[Case, Difference]]) -> Figure:
    exact = sum(difference.exact for _, difference in found)
    largest = max(0.0 if difference.exact else difference.largest for _, difference in found)
    shown = "bit-exact" if exact == len(found) else f"≤ {largest / 255:.1e} of 0…1, ≤ {largest:.1e} of 0…255"
    shown += f"; {len(found)} tensors" if exact in (0, len(found)) else f"; {exact} of {len(found)} bit-exact"
    details = {case.name: difference._asdict() for case, difference in found}
    # A hash that differs where no kept value does is a difference too, of which is not known how large it is.
    known = all(difference.exact or difference.largest > 0 for _, difference in found)
    return Figure(name, f"≤ {BAR:g} of 0…1", shown, known and largest / 255 <= BAR, details)
