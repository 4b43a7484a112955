"""Slim a package as far as it still answers every golden request alike; what went too far is put back."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from mlserverless.bundle import golden, resolve, slim
from mlserverless.bundle.package import Dropped
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target
from mlserverless.testing.world import World

Tell = Callable[[str], None]


class Trial(NamedTuple):
    """What the golden requests are tried on: the folder ``site`` of packages, what is beside it, and a Python.

    ``own`` is false where it is this machine's stand-in for a target that cannot run here.
    """

    target: Target
    python: str
    site: Path
    runtime: Path | None
    entry: Path
    own: bool
    formats: tuple[str, ...]
    plain: Path | None = None  # the entry file that comes with this package, where the project has another
    whole: frozenset[str] = frozenset()  # distributions that are not slimmed
    models: tuple[str, ...] = ()  # the names of further models
    raw: bool = False  # the first model's task is that

    def run(self, world: World) -> golden.Run:
        """Answer the golden requests."""
        runs = []
        for entry in filter(None, (self.entry, self.plain)):
            paths = [entry, self.site, *([self.runtime] if self.runtime else [])]
            where = (self.target, self.python, paths, entry, world)
            runs.append(golden.run(*where, self.formats, self.models, raw=self.raw))
        answers = tuple(answer for run in runs for answer in run.answers)
        return golden.Run(answers, frozenset().union(*(run.used for run in runs)), max(run.peak for run in runs))

    def told(self) -> str:
        """Return where it was tried, in words."""
        where = "on its own platform" if self.own else f"with the same releases for {sys.platform}"
        return f"{where}, Python {self.target.python}"


def relative(used: Iterable[str], site: Path) -> set[str]:
    """Return the files of ``site`` among ``used``, as :func:`~mlserverless.bundle.slim.neutral` names."""
    prefix = f"{site.resolve()}/"
    return {slim.neutral(name.removeprefix(prefix)) for name in used if name.startswith(prefix)}


def shrink(trial: Trial, wanted: golden.Run, site: Path, away: Path, world: World, tell: Tell) -> list[Dropped]:
    """Leave out of ``site``, and of the trial's own site, what the golden requests do without.

    ``wanted`` is what the whole package answered. Files go to the folder ``away``; what was left out is returned.
    Where the slimmed one answers anything otherwise, the most daring rule is undone, and so on; raises BuildError
    where even the whole one does not answer alike twice.
    """
    used = relative(wanted.used, trial.site)
    sites = {site: away / "target", trial.site: away / "trial"}
    left_out = {where: slim.plan(slim.gather(where, trial.target, used, trial.whole)) for where in sites}
    for where, into in sites.items():
        slim.move(left_out[where], where, into)
    differ = _differences(trial, wanted, world)
    for rule in reversed(slim.RULES):
        if not differ:
            break
        if all(one.rule != rule for one in left_out[site]):
            continue
        tell(f"put back: {rule}, since without it {differ[0]}")
        for where, into in sites.items():
            back = [one for one in left_out[where] if one.rule == rule]
            slim.move(back, into, where)
            left_out[where] = [one for one in left_out[where] if one.rule != rule]
        differ = _differences(trial, wanted, world)
    if differ:
        raise BuildError(f"The package for {trial.target} does not answer alike twice: {differ[0]}")
    return left_out[site]


def _differences(trial: Trial, wanted: golden.Run, world: World) -> list[str]:
    try:
        return golden.differences(wanted, trial.run(world))
    except BuildError as error:
        return [str(error)]


def confirm(trial: Trial, wanted: golden.Run, world: World) -> golden.Run:
    """Return what the packed package answers; raise BuildError where it is not what was ``wanted``."""
    found = trial.run(world)
    if differ := golden.differences(wanted, found):
        raise BuildError(f"The packed package for {trial.target} answers otherwise: {differ[0]}")
    return found


def python_for(target: Target, slim: bool) -> str | None:
    """Return the Python to try the package with, of the target's version; None where there is none here.

    Raises BuildError where it is to be slimmed, which nothing but golden predictions allows.
    """
    found = resolve.interpreter(target.python)
    if found is None and slim:
        raise BuildError(
            f"Slimming a package for {target} needs a Python {target.python} on this machine, to run it with. "
            f"Install one (uv python install {target.python}), or give --no-slim for all of it, not run."
        )
    return found
