"""The same measurements under the limits of one function size after another, and what each would cost."""

from collections.abc import Sequence
from typing import NamedTuple

from mlserverless.measure import groups, sizes, warm
from mlserverless.measure.cold import Tell
from mlserverless.measure.prices import Prices
from mlserverless.measure.sizes import Size
from mlserverless.measure.spawn import Died, Limits, Subject, ask
from mlserverless.measure.spread import Spread, spread

ROUNDS = 3


class Row(NamedTuple):
    """One size: cold starts and warm requests in milliseconds, the peak in bytes, the cost of a million requests.

    ``told`` says why there is none of it where the function does not fit.
    """

    size: Size
    cold: Spread | None = None
    warm: Spread | None = None
    peak: int = 0
    million: float = 0.0
    told: str = ""


class Sweep(NamedTuple):
    """The sizes of one provider. ``best`` and ``front`` are numbers of rows: what is advised (None: nothing), and
    those that no other one beats in both cost and latency. ``target`` is in milliseconds, 0 for none.
    """

    provider: str
    rows: tuple[Row, ...]
    best: int | None
    front: tuple[int, ...]
    target: float
    prices: Prices
    notes: tuple[str, ...]

    @property
    def advice(self) -> str:
        """What to take, in a sentence."""
        goal = f"whose warm median is at most {self.target:g} ms"
        if self.best is None:
            if all(row.told for row in self.rows):
                return "The function fits into none of these sizes."
            fastest = min(
                (row for row in self.rows if row.warm), key=lambda row: row.warm.median if row.warm else 0
            )
            took = fastest.warm.median if fastest.warm else 0.0
            return f"There is no size {goal}; the fastest is {fastest.size.mb:,} MB with {took:.0f} ms."
        row = self.rows[self.best]
        which = f"The cheapest size {goal}" if self.target else "The cheapest size"
        took = row.warm.median if row.warm else 0.0
        cost = f"{row.million:.2f} {self.prices.currency} for a million requests"
        return f"{which}: {row.size.mb:,} MB ({took:.0f} ms warm, {cost})."


class Plan(NamedTuple):
    """What is asked for: ``runs`` cold starts and ``requests`` warm ones of each of the ``sizes``."""

    subject: Subject
    provider: str
    url: str
    runs: int
    requests: int
    prices: Prices
    target: float
    base: groups.Base
    sizes: tuple[Size, ...]


class _Taken(NamedTuple):
    cold: list[float]
    warm: list[float]
    peaks: list[int]


def measure(plan: Plan, tell: Tell) -> Sweep:
    """Return what the ``plan`` asks for, measured in rounds of all sizes, since a machine's speed drifts.

    Raises Unavailable where the groups cannot be made, and what :func:`mlserverless.measure.spawn.ask` raises for
    anything but a lack of memory.
    """
    taken = {size: _Taken([], [], []) for size in plan.sizes}
    ended: dict[Size, str] = {}
    for turn in range(ROUNDS):
        for size in plan.sizes:
            tell(f"{size.mb:,} MB")
            if size not in ended and (told := _round(plan, size, taken[size], turn)):
                ended[size] = told
    rows = [
        Row(size, told=ended[size])
        if size in ended
        else Row(size, spread(got.cold), spread(got.warm), max(got.peaks), plan.prices.million(size, got.warm))
        for size, got in taken.items()
    ]
    notes = [sizes.IMITATED[plan.provider], sizes.beyond(plan.sizes, warm.cores()), sizes.OTHERWISE]
    best, front = choose(rows, plan.target)
    return Sweep(plan.provider, tuple(rows), best, front, plan.target, plan.prices, tuple(filter(None, notes)))


def choose(rows: Sequence[Row], target: float) -> tuple[int | None, tuple[int, ...]]:
    """Return the number of the cheapest row that meets the ``target`` (0: any), and those of the Pareto front."""
    fit = [(index, row.million, row.warm.median) for index, row in enumerate(rows) if row.warm]
    front = tuple(
        index
        for index, cost, took in fit
        if not any((c <= cost and t < took) or (c < cost and t <= took) for _, c, t in fit)
    )
    good = [(cost, took, index) for index, cost, took in fit if not target or took <= target]
    return (min(good)[2] if good else None), front


def _round(plan: Plan, size: Size, taken: _Taken, turn: int) -> str:
    """Add a share of the runs and requests to what was ``taken``; return why that cannot be, "" where it can."""
    variables = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(size.mb)} if plan.provider == "aws" else {}
    at_most = warm.cores()
    with groups.limited(plan.base, size.mb, min(size.init_vcpu, at_most)) as group:
        before, then = (
            groups.quota_text(plan.base.version, min(vcpu, at_most)) for vcpu in (size.init_vcpu, size.vcpu)
        )
        limits = Limits(group.folders, min(size.cores, at_most), variables)
        lowered = f"{group.quota}={then}" if before != then else ""
        try:
            for run in range(_share(plan.runs, turn) + (turn == 0)):
                group.quota.write_text(before)  # the last one has lowered it
                told, _ = ask(plan.subject, "cold", plan.url, lowered, limits=limits)
                taken.peaks.append(told["peak"])
                if turn or run:  # the very first may write bytecode
                    taken.cold.append(told["total"])
            group.quota.write_text(then)
            took, peak = warm.bare(plan.subject, plan.url, _share(plan.requests, turn), limits)
        except Died as error:
            if group.oom_kills():
                return f"does not fit: the kernel ended it when {size.mb:,} MB were used up"
            raise error from None
    taken.warm.extend(took)
    taken.peaks.append(peak)
    return ""


def _share(whole: int, turn: int) -> int:
    return whole // ROUNDS + (turn < whole % ROUNDS)
