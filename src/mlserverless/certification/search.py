"""Which way of making pixels explains the ones that a notebook has: the search over what may have been done."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mlserverless import preprocess
from mlserverless.certification import geometry
from mlserverless.certification.arrays import Array
from mlserverless.certification.matching import Match, match
from mlserverless.certification.served import Served
from mlserverless.errors import MlserverlessError
from mlserverless.model_toml import Input
from mlserverless.target import ORDERS, Target

if TYPE_CHECKING:
    from PIL.Image import Image

LOOKED_AT = 4  # images, in a search
LEVEL = 1.05  # levels of 255 that two right resizers may be apart, and the error of a fitted line
CLOSER = 0.7  # times as far apart as what is served: a guess that does not fit has to come that near to be told
PLAUSIBLE = 40.0  # levels; pictures that have nothing to do with each other are 60 and more apart
TOP = 3  # fits that are tried with every method

# What a notebook's arrays may be, laid out as (height, width, C): by the way's name.
Views = Callable[[Target], dict[str, list[Array]]]


class How(NamedTuple):
    """How an image was made ready before its size was changed."""

    exif: bool = True
    background: str = ""


class Guess(NamedTuple):
    """One way: the view of the notebook's array, how it was decoded, what model.toml would say."""

    view: str
    how: How
    wanted: Input
    changes: dict[str, Any]


class Explained(NamedTuple):
    """A guess, how it matches, and whether that is near enough to be right."""

    guess: Guess
    match: Match
    fits: bool


class Search:
    """The images of a reference, brought to the model's size in any way that is asked for, and compared."""

    def __init__(self, served: Served, sources: tuple[bytes | Array, ...]) -> None:
        self.served, self.sources = served, sources
        self.sideways = [i for i, source in enumerate(sources) if self._tagged(source)]
        self.clear = [i for i, source in enumerate(sources) if self._transparent(source)]
        telling = dict.fromkeys([*self.sideways[:1], *self.clear[:1], *range(len(sources))])
        self.chosen = sorted(list(telling)[:LOOKED_AT])
        self.pixels = lru_cache(maxsize=256)(self._pixels)
        self._opened = lru_cache(maxsize=2 * LOOKED_AT)(self._open)  # decoded once for all guesses

    def _pixels(self, i: int, wanted: Input, how: How) -> Array:
        return self.served.resized(self._opened(i, how.exif), wanted, background=how.background)

    def _open(self, i: int, exif: bool) -> "Image":
        return self.served.opened(self.sources[i], exif=exif)

    def _tagged(self, source: bytes | Array) -> bool:
        opened = self.served.opened(source)
        return opened.getexif().get(0x0112, 1) not in (0, 1)

    def _transparent(self, source: bytes | Array) -> bool:
        opened = self.served.opened(source)
        return "A" in opened.getbands() or "transparency" in opened.info

    def explain(self, views: Views, slack: Callable[[Match], float]) -> Explained | None:
        """Return the guess with the fewest changes that makes what ``views`` show, else the nearest.

        The channels' order, mean and std are free in each. ``slack``: levels that a value may be off by itself,
        being rounded. None where no guess could be compared.
        """
        base, plain = self.served.input, How()
        own = self._tried(Guess("", plain, base, {}), views, slack)
        if own is not None and own.fits:
            return own
        hows = self.hows()
        fits = self._guesses(geometry.fits((self.served.target.height, self.served.target.width)), views, slack)
        quick, slow = (
            [way for way in geometry.methods() if (way["resizer"] == "pillow") == fast] for fast in (True, False)
        )
        singles = [
            *self._views(views, slack),
            *self._tries((Guess("", how, base, {}) for how in hows), views, slack),
            *fits,
            *self._guesses(quick, views, slack),
            *self._guesses(geometry.shapes(base), views, slack),
        ]
        if found := _best(singles):
            return found
        crops = self._guesses(geometry.crops(self.served.target.height, self.served.target.width), views, slack)
        if found := _best(crops):
            return found
        singles += [*crops, *self._guesses(slow, views, slack)]
        if found := _best(singles):
            return found
        nearest = [one.guess.changes for one in sorted(fits, key=lambda one: one.match.rms)[:TOP]]
        both = self._guesses(({**fit, **way} for fit in nearest for way in geometry.methods()), views, slack)
        if found := _best(both):
            return found
        several = [
            one._replace(guess=one.guess._replace(how=how, view=view))
            for one in sorted([*singles, *both], key=lambda one: one.match.rms)[:TOP]
            for how in (plain, *hows)
            for view in ("", "reshaped", "transposed")
        ]
        sized = [one.guess._replace(how=how) for how in hows for one in singles if not one.guess.view]
        mixed = self._tries((*(one.guess for one in several), *sized), views, slack)
        if found := _best(mixed):
            return found
        nearer = min([*singles, *both, *mixed], key=lambda one: one.match.rms, default=None)
        if nearer and nearer.match.rms < PLAUSIBLE and (own is None or nearer.match.rms < CLOSER * own.match.rms):
            return nearer
        return own

    def hows(self) -> list[How]:
        exifs = (True, False) if self.sideways else (True,)
        others = [one for one in ("white", "black", "drop") if one != self.served.settings.background]
        grounds = ("", *others) if self.clear else ("",)
        return [How(exif, ground) for exif in exifs for ground in grounds if not exif or ground]

    def _guesses(
        self, changes: Iterable[dict[str, Any]], views: Views, slack: Callable[[Match], float]
    ) -> list[Explained]:
        wanted = geometry.several(self.served.input, changes)
        return self._tries((Guess("", How(), one, told) for one, told in wanted.items()), views, slack)

    def _views(self, views: Views, slack: Callable[[Match], float]) -> list[Explained]:
        base = self.served.input
        return self._tries((Guess(view, How(), base, {}) for view in ("reshaped", "transposed")), views, slack)

    def _tries(self, guesses: Iterable[Guess], views: Views, slack: Callable[[Match], float]) -> list[Explained]:
        return [found for one in guesses if (found := self._tried(one, views, slack)) is not None]

    def _tried(self, guess: Guess, views: Views, slack: Callable[[Match], float]) -> Explained | None:
        try:
            target = preprocess.check(guess.wanted, self.served.tensor)
            theirs = views(target).get(guess.view)
            ours = [self.pixels(i, guess.wanted, guess.how) for i in self.chosen] if theirs else []
        except MlserverlessError:
            return None
        if not theirs or any(theirs[i].shape != pixels.shape for i, pixels in zip(self.chosen, ours, strict=True)):
            return None
        found = match(ours, [theirs[i] for i in self.chosen], ORDERS[target.channels])
        return Explained(guess, found, found.largest <= LEVEL + slack(found))


def _best(found: list[Explained]) -> Explained | None:
    return min((one for one in found if one.fits), key=lambda one: one.match.rms, default=None)
