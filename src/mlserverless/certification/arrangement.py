"""A notebook's array of one image as (height, width, channels), and what else its numbers may stand for."""

from collections.abc import Iterable

from mlserverless.certification.arrays import Array
from mlserverless.target import ORDERS, Target

NATURAL, RESHAPED, TRANSPOSED = "", "reshaped", "transposed"


def views(sample: Array, target: Target) -> dict[str, Array]:
    """Return ``sample`` as (height, width, C): as its shape says, and in two ways in which that is got wrong.

    ``reshaped``: the numbers were given another shape where axes should have been moved; ``transposed``: height
    and width were swapped, too. Empty where the sample has not as many elements as ``target`` asks for.
    """
    height, width, count = target.height, target.width, len(ORDERS[target.channels])
    if sample.size != height * width * count:
        return {}
    shape = tuple(side for side in sample.shape if side > 1)
    last, first = (height, width, count), (count, height, width)
    given = {
        "nhwc": shape == tuple(side for side in last if side > 1),
        "nchw": shape == tuple(side for side in first if side > 1),
    }
    flat = len(shape) == 1
    if not any(given.values()) and not flat:
        return {}
    planes = not flat and given["nchw"] and (target.layout == "nchw" or not given["nhwc"])
    as_last, as_first = sample.reshape(last), sample.reshape(first).transpose(1, 2, 0)
    found = {NATURAL: as_first if planes else as_last}
    if count > 1:
        found[RESHAPED] = as_last if planes else as_first
    if height == width and not flat:
        found[TRANSPOSED] = found[NATURAL].transpose(1, 0, 2)
    return found


def all_views(samples: Iterable[Array], target: Target) -> dict[str, list[Array]]:
    """Return the :func:`views` that all ``samples`` have, each as a list with one array a sample."""
    each = [views(sample, target) for sample in samples]
    names = set(each[0]).intersection(*each) if each else set()
    return {name: [one[name] for one in each] for name in names}


def planes_first(sample: Array, target: Target) -> bool:
    """Whether ``sample`` has its channels first, and the model takes them last, or the other way round."""
    count = len(ORDERS[target.channels])
    shape = [side for side in sample.shape if side > 1]
    if len(shape) != 3 or count == 1:
        return False
    first = shape == [count, target.height, target.width]
    last = shape == [target.height, target.width, count]
    return first != last and first == (target.layout != "nchw")
