"""One call of a fan-out, on the cloud's side: a chunk of items in, what became of each out.

Lithops hands it its arguments and takes its answer as they are; both are plain values, so that nothing but this
module has to be the same on both sides.
"""

from typing import Any

from mlserverless import __version__
from mlserverless.batch.engine import Item, Stopped
from mlserverless.batch.local import Local
from mlserverless.batch.retry import Retry

ANOTHER = (
    "The runtime has mlserverless {there}, and this machine {here}: build the runtime anew, with the same. See "
    "docs/how-to/batch-on-functions.md."
)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return ``identity``, whose answers they are, and ``done``, what became of each of the ``items`` asked for.

    Where the run cannot go on, whatever the image, it is ``stopped`` alone: the problem's code and text. It is
    answered by this machine's own engine, so that an image over which a process dies takes no others along.
    """
    if asked["version"] != __version__:
        return {"stopped": ("misconfigured", ANOTHER.format(there=__version__, here=asked["version"]))}
    engine = Local(
        asked["settings"],
        asked["options"],
        workers=asked["workers"],
        downloads=asked["downloads"],
        retry=Retry(*asked["retry"]),
    )
    try:
        identity = engine.open()
        done = [tuple(one) for one in engine.run(Item(*item) for item in asked["items"])]
        return {"identity": tuple(identity), "done": done}
    except Stopped as error:
        return {"stopped": (error.code, str(error))}
    finally:
        engine.close()
