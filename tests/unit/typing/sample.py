"""Every public name as a program uses it, with the types that a checker has to find: checked, and never run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from PIL.Image import Image

import mlserverless
from mlserverless import (
    Box,
    Deadline,
    Detection,
    MlserverlessError,
    Options,
    Outcome,
    Prediction,
    Predictor,
    Problem,
    RawTensor,
    Request,
    Score,
    Settings,
    download_image,
    load_lite_model,
    predict,
    prepare_image,
    preprocess_image,
)

assert_type(mlserverless.__version__, str)

# A prediction, from each kind of source.
predictor = Predictor("efficientnet-lite0", top_k=3)
assert_type(predictor, Predictor)
found = predictor.predict("https://example.com/cat.jpg", top_k=3, timeout=2.0)
assert_type(found, Prediction)
assert_type(predictor.predict(Path("cat.jpg")), Prediction)
assert_type(predictor.predict(b"..."), Prediction)
assert_type(predictor.predict(np.zeros((2, 2, 3), np.uint8)), Prediction)
assert_type(predict("https://example.com/cat.jpg"), Prediction)
assert_type(predictor.names, tuple[str, ...])
assert_type(predictor.named("other"), Predictor)
assert_type(predictor.settings, Settings)
assert_type(predictor.warm_up(), None)
# Many of them.
assert_type(predictor.predict_many(["https://example.com/cat.jpg"]), Iterator[Prediction | Problem])

# What it says.
assert_type(found.model, str)
assert_type(found.sha256, str)
assert_type(found.task, str)
assert_type(found.predictions, tuple[Score, ...])
assert_type(found.detections, tuple[Detection, ...])
assert_type(found.outputs, tuple[RawTensor, ...])
assert_type(found.timings, tuple[tuple[str, float], ...])
assert_type(found.to_dict(), dict[str, Any])
for score in found.predictions:
    assert_type(score, Score)
    assert_type((score.label, score.index, score.score), tuple[str, int, float])
for one in found.detections:
    assert_type((one.label, one.index, one.score), tuple[str, int, float])
    assert_type(one.box, Box)
    assert_type((one.box.top, one.box.left, one.box.bottom, one.box.right), tuple[float, float, float, float])
for output in found.outputs:
    assert_type((output.name, output.datatype), tuple[str, str])
    assert_type(output.shape, tuple[int, ...])
    assert_type(output.data, tuple[float | int | bool, ...])

# What is wrong.
try:
    predictor.load()
except MlserverlessError as error:
    assert_type((error.code, error.status, error.retryable), tuple[str, int, bool])
problem = Problem(404, "source-not-found", "Not found", "There is no such image.", retryable=False)
assert_type((problem.status, problem.code, problem.title, problem.detail), tuple[int, str, str, str])
assert_type(problem.to_dict("id"), dict[str, Any])

# What adapters are written with.
options = Options(top_k=3, labels_allow=("cat",))
assert_type(options.top_k, int | None)
assert_type(options.labels_allow, tuple[str, ...] | None)
request = Request(id="1", url="https://example.com/cat.jpg", options=options)
assert_type((request.url, request.image), tuple[str | None, bytes | None])
deadline = Deadline(2.5)
assert_type(deadline.remaining(), float)
assert_type(deadline.within(1.0), Deadline)
assert_type(predictor.answer(request, deadline), Prediction)
outcome = Outcome(None, "1", "https://example.com/cat.jpg", found, request)
assert_type(outcome.to_dict(), dict[str, Any])
settings = Settings.load({"MLSERVERLESS_TOP_K": "3"})
assert_type(settings, Settings)
assert_type((settings.model, settings.top_k), tuple[str, int])

# The classic five steps.
image = download_image("https://example.com/cat.jpg", timeout=2.0)
assert_type(image, Image)
interpreter, inputs, outputs = load_lite_model("model.tflite", num_threads=1)
assert_type(inputs, list[dict[str, Any]])
assert_type(outputs, list[dict[str, Any]])
prepared = prepare_image(image, (224, 224), resize="bilinear", fit="crop")
assert_type(prepared, Image)
assert_type(preprocess_image(prepared), np.ndarray[Any, np.dtype[np.float32]])
