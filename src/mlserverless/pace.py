"""How long a request will take once its image is here, judged by those before it.

Decoding and the model run in C, which nothing can interrupt. So that the answer is a problem before the platform
kills the process, what cannot end in time is not begun, and a download leaves time for what comes after it.
"""

from mlserverless.deadline import Deadline
from mlserverless.errors import DeadlineExceeded

PIXELS = 1_000_000  # an image below this costs about as much as one of this size
FADING = 0.9  # what one request makes of an earlier, slower one
SHARE = 0.5  # of the whole time: no estimate may ask for more, lest one slow request refuse all others


class Pace:
    """The slowest of the last requests, fading: seconds a pixel to prepare an image, and seconds to run."""

    def __init__(self) -> None:
        self._per_pixel = self._run = 0.0

    def learn(self, pixels: int, prepare: float, run: float) -> None:
        """Take in what an image of ``pixels`` took, in seconds."""
        self._per_pixel = max(prepare / max(pixels, PIXELS), self._per_pixel * FADING)
        self._run = max(run, self._run * FADING)

    def needed(self, pixels: int, deadline: Deadline) -> float:
        """Return the seconds that an image of ``pixels`` is likely to take, of those that ``deadline`` granted."""
        return min(self._per_pixel * max(pixels, PIXELS) + self._run, deadline.seconds * SHARE)

    def check(self, pixels: int, deadline: Deadline) -> float:
        """Return the seconds that an image of ``pixels`` is likely to take.

        Raises DeadlineExceeded where that is more than is left.
        """
        deadline.check("the model ran")
        left, needed = deadline.remaining(), self.needed(pixels, deadline)
        if left < needed:
            raise DeadlineExceeded(
                f"Of the {deadline.seconds:.3g} s granted to this request {left:.3g} s are left, and an image of "
                f"this size takes about {needed:.3g} s."
            )
        return needed
