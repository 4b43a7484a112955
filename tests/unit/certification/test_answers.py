"""What comes out of the model: outputs, activations, labels, whole answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.certified import KINDS, PICTURES, certified, small
from mlserverless import postprocess
from mlserverless.certification.answers import spread
from mlserverless.certification.certify import Report

NAMES = KINDS["float"].labels
SCORES = ("input", "output", "scores")


def told(report: Report) -> list[tuple[str, str]]:
    assert not report.certified
    return [(finding.step, finding.cause) for finding in report.findings]


def verdicts(report: Report) -> dict[str, str]:
    return {stage.name: stage.verdict for stage in report.stages}


@pytest.mark.parametrize("kind", ["soft", "int8", "uint8"])
@pytest.mark.parametrize("keys", [("input", "output"), SCORES, ("input", "scores")])
def test_softmax_twice_is_found_in_model_toml(tmp_path: Path, kind: str, keys: tuple[str, ...]) -> None:
    report = certified(tmp_path, kind, keys, toml={"output": {"activation": "softmax"}})
    assert told(report) == [("activation", "twice")]
    assert report.findings[0].mend == 'activation = "none"'


def test_softmax_twice_is_found_in_the_notebook(tmp_path: Path) -> None:
    report = certified(tmp_path, "soft", ("input", "scores"), notebook={"activation": "softmax"})
    assert told(report) == [("activation", "twice")]
    assert report.findings[0].where == "notebook"


def test_sigmoid_of_probabilities_is_found_by_the_scores_and_not_without(tmp_path: Path) -> None:
    wrong = {"output": {"activation": "sigmoid"}}
    assert told(certified(tmp_path, "soft", SCORES, toml=wrong)) == [("activation", "twice")]
    assert told(certified(tmp_path, "soft", ("input", "output"), toml=wrong)) == [("activation", "twice")]
    right = certified(tmp_path, "float", SCORES, notebook={"activation": "sigmoid"}, toml=wrong)
    assert right.certified


def test_an_output_that_has_the_activation_in_it_is_right(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", edit=lambda saved: saved.update(output=saved["scores"]))
    assert report.certified
    assert "has the activation in it" in report.stages[3].note


def test_logits_before_a_softmax_in_the_file_are_right(tmp_path: Path) -> None:
    report = certified(tmp_path, "soft", edit=lambda saved: saved.update(output=np.log(saved["output"])))
    assert report.certified
    assert "before the activation" in report.stages[3].note


@pytest.mark.parametrize("key", ["output", "scores"])
def test_stored_numbers_for_scores_are_found(tmp_path: Path, key: str) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved[key] = saved["output"] * 256 - 128

    assert told(certified(tmp_path, "int8", ("input", key), edit=edit)) == [("dequantise", "stored")]


def test_stored_numbers_in_their_own_dtype_are_no_mistake(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["output"] = np.round(saved["output"] * 256 - 128).astype(np.int8)

    assert certified(tmp_path, "int8", edit=edit).certified


def test_another_model_is_told_as_the_models_fault(tmp_path: Path) -> None:
    def other(saved: dict[str, Any]) -> None:
        saved["output"] = np.roll(saved["output"], 3, axis=1) * 1.7

    report = certified(tmp_path, "float", edit=other)
    assert told(report) == [("model", "values")]


def test_a_lossy_model_is_held_to_the_first_class(tmp_path: Path) -> None:
    def near(saved: dict[str, Any]) -> None:
        saved["output"] = saved["output"] + 0.02 * np.sign(np.arange(7) - 3.5)

    report = certified(tmp_path, "int8", edit=near)
    assert report.certified
    assert verdicts(report)["output"] == "agrees"
    assert told(certified(tmp_path, "soft", edit=near)) == [("model", "values")]
    allowed = certified(tmp_path, "soft", edit=near, tolerances={"top1": 0.95})
    assert (allowed.certified, verdicts(allowed)["output"]) == (True, "agrees")


def test_a_reference_of_fewer_bits_than_the_model_takes_is_held_loosely(tmp_path: Path) -> None:
    def half(saved: dict[str, Any]) -> None:
        saved["input"] = saved["input"].astype(np.float16)

    assert certified(tmp_path, "float", edit=half).certified


@pytest.mark.parametrize(
    ("kind", "toml", "cause", "mend"),
    [
        ("float", {"labels": ["background", *NAMES[:-1]]}, "offset", "ant, bee, cat, … : the notebook's 7 labels"),
        ("float", {"labels": [*NAMES[1:], "spare"]}, "offset", "ant, bee, cat, …"),
        ("float", {"labels": NAMES[::-1]}, "order", "ant, bee, cat, …"),
        ("float", {"labels": [*NAMES[:-1], "gun"]}, "texts", "ant, bee, cat, …"),
        ("more", {"labels": [*NAMES, "spare"], "output": {"offset": 0}}, "offset", "offset = 1 in model.toml"),
    ],
)
def test_labels_that_are_wrong_are_found(
    tmp_path: Path, kind: str, toml: dict[str, Any], cause: str, mend: str
) -> None:
    report = certified(tmp_path, kind, ("input", "output", "labels"), toml=toml)
    assert told(report) == [("labels", cause)]
    assert mend in report.findings[0].mend


def test_an_offset_that_labels_fit_is_the_line_that_mends_it(tmp_path: Path) -> None:
    toml = {"labels": ["background", *NAMES], "output": {"offset": 0}}

    def edit(saved: dict[str, Any]) -> None:
        saved["labels"] = ["", *NAMES]

    report = certified(tmp_path, "more", ("input", "output", "labels"), toml=toml, edit=edit)
    assert told(report) == [("labels", "texts")]


@pytest.mark.parametrize(("shift", "mend"), [(1, "offset = 1"), (-2, "offset = -2")])
def test_answers_of_labels_that_were_not_saved_tell_a_shift(tmp_path: Path, shift: int, mend: str) -> None:
    def edit(saved: dict[str, Any]) -> None:
        # Of images whose classes a shift does not push over an end.
        places = [2, 3, 4]
        saved["output"] = np.eye(7)[places] * 5
        saved["top1"] = [NAMES[place - shift] for place in places]

    report = certified(tmp_path, "float", ("output", "top1"), edit=edit)
    finding = next(one for one in report.findings if one.step == "labels")
    assert (finding.cause, finding.mend.partition(",")[0]) == ("offset", mend)


def test_an_answer_that_is_no_label_is_told(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", ("scores", "top1"), edit=lambda saved: saved.update(top1=["zebu"] * 3))
    assert ("labels", "texts") in told(report)


def test_answers_alone_are_compared(tmp_path: Path) -> None:
    def right(saved: dict[str, Any]) -> None:
        saved["top1"] = [NAMES[i] for i in saved["scores"].argmax(1)]

    def by_index(saved: dict[str, Any]) -> None:
        saved["top1"] = saved["scores"].argmax(1)

    def wrong(saved: dict[str, Any]) -> None:
        saved["top1"] = (saved["scores"].argmin(1)).tolist()

    for edit in (right, by_index):
        report = certified(tmp_path, "float", ("top1",), edit=edit)
        assert (report.certified, verdicts(report)["answer"]) == (True, "equal")
    report = certified(tmp_path, "float", ("top1",), edit=wrong)
    assert (told(report), report.stages[-1].note) == ([("answer", "unknown")], "the same first class for 0 of 3")


def test_an_answer_is_near_only_where_its_own_score_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def picked(place: int) -> Any:
        def edit(saved: dict[str, Any]) -> None:
            ranked = np.sort(saved["scores"], axis=1)
            near = float((ranked[:, -1] - ranked[:, -2]).max()) + 0.01
            assert near < float((ranked[:, -1] - ranked[:, 0]).min()) - 0.01
            for name in ("NEAR", "NEAR_LOGITS"):
                monkeypatch.setattr(postprocess, name, near)
            saved["top1"] = saved["scores"].argsort(1)[:, place]

        return edit

    one = PICTURES[1:2]
    second = certified(tmp_path, "float", ("top1",), edit=picked(-2), pictures=one)
    assert (second.certified, second.stages[-1].note) == (True, "the same first class for 0 of 1, 1 nearly equal")
    last = certified(tmp_path, "float", ("top1",), edit=picked(0), pictures=one)
    assert told(last) == [("answer", "unknown")]
    none = certified(tmp_path, "float", ("top1",), edit=lambda saved: saved.update(top1=[99]), pictures=one)
    assert told(none) == [("answer", "unknown")]


def test_a_setting_that_lets_nothing_be_answered_is_no_agreement(tmp_path: Path) -> None:
    def right(saved: dict[str, Any]) -> None:
        saved["top1"] = saved["scores"].argmax(1)

    report = certified(tmp_path, "float", ("scores", "top1"), edit=right, labels_deny=",".join(NAMES))
    assert (report.certified, verdicts(report)["answer"]) == (False, "diverges")


@pytest.mark.parametrize("key", ["scores", "top1"])
def test_an_image_of_which_a_background_is_first_is_not_compared(tmp_path: Path, key: str) -> None:
    """Its class has no label, and is never answered: the next one is, which the notebook does not say."""
    firsts: list[int] = []

    def edit(saved: dict[str, Any]) -> None:
        saved["top1"] = saved["scores"].argmax(1)
        firsts[:] = saved["top1"].tolist()

    camera = small("camera.png")
    report = certified(tmp_path, "more", (key,), edit=edit, pictures=[camera, PICTURES[0]])
    note = report.stages[-1].note
    assert [first == 0 for first in firsts] == [True, False]
    assert (report.certified, note.partition(";")[0]) == (True, "the same first class for 1 of 1")
    assert "1 not compared: a class without a label is first" in note
    alone = certified(tmp_path, "more", (key,), edit=edit, pictures=[camera])
    assert verdicts(alone)["answer"] == "absent"


def test_a_class_more_at_the_front_is_told(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["output"] = saved["output"][:, 1:]

    report = certified(tmp_path, "float", edit=edit)
    assert told(report)[0] == ("labels", "offset")
    assert report.findings[0].mend == "offset = 1, and 6 labels"

    def fewer(saved: dict[str, Any]) -> None:
        saved["output"] = saved["output"][:, :4]

    assert told(certified(tmp_path, "float", edit=fewer))[0] == ("model", "classes")


def test_pictures_are_what_the_predictor_is_asked(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", SCORES, pictures=PICTURES[:1])
    assert report.stages[-1].name == "answer"
    assert report.stages[-1].difference.largest < 0.01


def test_labels_are_spread_over_the_classes() -> None:
    assert spread(("a", "b"), 1, 3) == ("", "a", "b")
    assert spread(("x", "a", "b"), -1, 2) == ("a", "b")
    assert spread(("a",), 0, 2) == ("a", "")
