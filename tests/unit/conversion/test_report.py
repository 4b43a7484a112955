"""How answers are compared, and how that is shown: table, JSON, picture."""

import json
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from mlserverless.conversion import picture, report
from mlserverless.conversion.report import Compared, Report, compare, to_dict
from mlserverless.conversion.trial import Ran, Trial


def trial(*rows: list[float], task: str = "classify", place: int = 0) -> Trial:
    outputs = tuple([np.array(row, np.float32)] for row in rows)
    return Trial(
        "litert", "runs", task=task, place=place, outputs=outputs, milliseconds=(3.0, 1.0, 2.0)[: len(rows)]
    )


def ran(*rows: list[float]) -> Ran:
    return Ran(tuple([np.array([row], np.float32)] for row in rows), (5.0,) * len(rows))


def test_agreement_and_difference() -> None:
    one = compare(ran([0.1, 0.9], [0.6, 0.4], [0.2, 0.8]), trial([0.2, 0.8], [0.4, 0.6], [0.1, 0.9]), ())
    assert one.agreement == pytest.approx(2 / 3)
    assert one.largest == pytest.approx(0.2)
    assert one.milliseconds == 2.0


def test_a_single_score_says_yes_from_a_half() -> None:
    one = compare(ran([0.4], [0.6]), trial([0.45], [0.49]), ())
    assert one.agreement == 0.5


def test_other_tasks_have_no_best_class() -> None:
    one = compare(ran([0.1, 0.9]), trial([0.9, 0.1], task="raw"), ())
    assert np.isnan(one.agreement)
    assert one.largest == pytest.approx(0.8)


def test_outputs_of_another_size_are_not_compared() -> None:
    one = compare(ran([0.1, 0.9]), trial([0.1, 0.8, 0.1]), ())
    assert np.isnan(one.largest)
    assert "not compared" in one.told


def test_what_did_not_run() -> None:
    one = compare(ran([1.0]), Trial("tflite-runtime", "refused", "no such operator"), ("it has no SIN",))
    assert one == Compared("tflite-runtime", "refused", "no such operator", lacks=("it has no SIN",))._replace(
        agreement=one.agreement, largest=one.largest
    )


def made(*engines: Compared) -> Report:
    return Report(
        "a.keras",
        "Keras 3",
        "out",
        "model.tflite",
        "ab",
        "int8",
        20_000_000,
        5_000,
        30.0,
        200,
        100,
        engines,
        (("x", 1.5),),
    )


RUNS = Compared("litert", "runs", "", 7.0, 0.965, 0.125)
LACKS = Compared("tflite-runtime", "not installed", "no package", lacks=("FULLY_CONNECTED version 12",))
RAW = Compared("tensorflow", "runs", "its outputs are not compared", 8.0)


def shown(found: Report) -> str:
    stream = StringIO()
    Console(width=140, file=stream).print(report.render(found))
    return stream.getvalue()


def test_table() -> None:
    text = shown(made(RUNS, LACKS, RAW))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "a.keras (Keras 3) → out/model.tflite, int8" in lines
    assert "original 20.00 MB 30.0 ms" in lines
    assert "litert 5.0 kB 7.0 ms 96.5% of 200 0.12" in lines
    assert "tflite-runtime not installed FULLY_CONNECTED version 12" in lines
    assert "tensorflow 5.0 kB 8.0 ms its outputs are not compared" in lines


def test_json_has_null_where_there_is_no_figure() -> None:
    told = json.loads(json.dumps(to_dict(made(RUNS, LACKS)), allow_nan=False))
    assert told["engines"][0]["agreement"] == 0.965
    assert told["engines"][1]["agreement"] is None
    assert told["steps"] == {"x": 1.5}


def test_sizes() -> None:
    assert [report.size(count) for count in (0, 1234, 5_284_243)] == ["not known", "1.2 kB", "5.28 MB"]


def test_picture() -> None:
    root = ElementTree.fromstring(picture.draw(made(RUNS, LACKS)))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    for words in (
        "size",
        "median of a run",
        "same best class, 200 pictures",
        "litert",
        "96.5%",
        "7.0 ms",
        "20.00 MB",
    ):
        assert words in texts
    widths = [float(element.get("width", 0)) for element in root.iter() if element.tag.endswith("rect")]
    assert len(widths) == 5
    assert widths[2] / widths[3] == pytest.approx(30 / 7, rel=0.01)
    assert "tflite-runtime" not in texts


def test_picture_without_classes() -> None:
    texts = ElementTree.fromstring(picture.draw(made(RAW))).itertext()
    assert not any("same best class" in text for text in texts)
