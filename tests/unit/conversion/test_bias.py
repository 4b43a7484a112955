"""Bias correction, the channel without weights, and the ranges that are measured."""

import numpy as np

from helpers.convertible import DEAD, DEAD_BIAS, network, samples
from mlserverless.conversion import bias, flat, quantise, ranges

INPUTS = samples(20)


def test_ranges_are_the_extremes() -> None:
    found = ranges.measured(network(), INPUTS)
    every = np.stack(INPUTS)
    assert found["image"] == (float(every.min()), float(every.max()))
    assert found["conv"][0] == 0.0
    assert DEAD_BIAS <= found["conv"][1] <= 6.0
    assert found["scores"][0] >= 0
    assert found["scores"][1] <= 1


def test_a_channel_without_weights_keeps_its_bias() -> None:
    data = quantise.quantised(network(), "int8", INPUTS, dense_by_unit=True)
    (value,) = [value for name, value in ranges.examined(data, INPUTS[:1], ("conv",))]
    assert np.allclose(value[..., DEAD], DEAD_BIAS, atol=0.03)


def test_one_weight_is_added_to_such_a_channel_only() -> None:
    model = flat.unpacked(network())
    before = [bytes(one.data) if one.data is not None else b"" for one in model.buffers]
    assert flat.heal(model, ranges.measured(network(), INPUTS)) == 1
    changed = [i for i, one in enumerate(model.buffers) if one.data is not None and bytes(one.data) != before[i]]
    assert len(changed) == 1
    moved = np.frombuffer(bytes(model.buffers[changed[0]].data), "<f4") - np.frombuffer(before[changed[0]], "<f4")
    assert np.count_nonzero(moved) == 1
    assert 0 < moved.max() < DEAD_BIAS * 3.1e-5  # and an input is at most 1


def test_without_ranges_nothing_is_added() -> None:
    assert flat.heal(flat.unpacked(network()), {}) == 0


def test_biases_that_were_moved_are_moved_back() -> None:
    """Every layer's mean over the samples is the float one's again, whatever its bias was."""
    model = flat.unpacked(quantise.quantised(network(), "int8", INPUTS, dense_by_unit=True))
    graph, names = model.subgraphs[0], flat.operators()
    (step,) = [one for one in graph.operators if flat.name(model, one, names) == "FULLY_CONNECTED"]
    held = model.buffers[graph.tensors[step.inputs[2]].buffer]
    wrong = np.frombuffer(bytes(held.data), "<i4") + np.int32(2_000)
    held.data = np.frombuffer(wrong.tobytes(), np.uint8)
    off = difference(flat.packed(model))
    assert bias.correct(network(), model, INPUTS) == 3
    assert difference(flat.packed(model)) < off / 5


def difference(data: bytes) -> float:
    """Return by how much the mean of the logits is off."""
    pairs = [
        np.stack([value for _, value in ranges.examined(model, INPUTS, ("logits",))]).mean(axis=0)
        for model in (network(), data)
    ]
    return float(np.abs(pairs[0] - pairs[1]).max())


def test_a_float_model_has_nothing_to_correct() -> None:
    assert bias.correct(network(), flat.unpacked(network()), INPUTS) == 0
