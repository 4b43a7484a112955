"""Which engine has which operator: the file of it is what the engines that are here answer now."""

from importlib.metadata import PackageNotFoundError, version

import pytest
from tools import op_versions

from mlserverless.inspection.ops import Use, known, lacks

SAMPLE = (
    "ADD",
    "CONV_2D",
    "FULLY_CONNECTED",
    "DEPTHWISE_CONV_2D",
    "STABLEHLO_ADD",
    "BROADCAST_TO",
    "DILATE",
    "GELU",
)


def measured_here(engine: str) -> bool:
    """Return whether the version of ``engine`` that was measured is installed."""
    for package in op_versions.PACKAGES[engine]:
        try:
            return version(package) == known().engines[engine]
        except PackageNotFoundError:
            continue
    return False


def here() -> list[str]:
    return [engine for engine in op_versions.PACKAGES if measured_here(engine)]


def test_an_engine_of_the_measured_version_is_here() -> None:
    """A new version of an engine in the lock file needs the file made anew: tools/op_versions.py."""
    assert "litert" in here()
    assert "litert-python" in here()


@pytest.mark.parametrize("engine", here())
@pytest.mark.parametrize("name", SAMPLE)
def test_file_is_what_the_engine_answers(engine: str, name: str) -> None:
    refusal = op_versions.loader(engine)
    code = next(number for number, known_name in known().names.items() if known_name == name)
    span = known().had[name].get(engine)
    assert op_versions.versions(refusal, code) == list(span or ())


@pytest.mark.parametrize("engine", here())
@pytest.mark.parametrize(
    "name", ["TransformLandmarks", "TFLite_Detection_PostProcess", "Convolution2DTransposeBias"]
)
def test_custom_operators_are_those_that_the_engine_has(engine: str, name: str) -> None:
    assert op_versions.has_custom(engine, name) is (engine in known().custom[name])


@pytest.mark.parametrize("engine", here())
def test_refusal_names_the_operator_as_the_schema_does(engine: str) -> None:
    if engine == "litert":
        return  # it answers with a number
    for code in (9, 3, 163):
        said = op_versions.loader(engine)(op_versions.model(code, 99))
        if "out of range" not in said:
            assert f"'{known().names[code]}' version '99'" in said


def test_trap_of_newer_converters_is_known() -> None:
    use = Use("FULLY_CONNECTED", 12, 1)
    assert lacks(use, "tflite-runtime") == "FULLY_CONNECTED version 12 (it has up to 10)"
    assert lacks(use, "litert") == lacks(use, "tensorflow") == ""


def test_what_an_engine_lacks_altogether_is_named() -> None:
    assert lacks(Use("DILATE", 1, 1), "tflite-runtime") == "DILATE"
    assert lacks(Use("DILATE", 1, 1), "litert") == ""
    assert lacks(Use("operator 999", 1, 1), "litert") == "operator 999"


def test_custom_and_flex_operators_are_told_apart() -> None:
    assert lacks(Use("TransformLandmarks", 1, 1, True), "litert") == "the custom operator TransformLandmarks"
    assert lacks(Use("TFLite_Detection_PostProcess", 1, 1, True), "litert") == ""
    assert lacks(Use("FlexErf", 1, 1, True), "litert") == "FlexErf, which needs TensorFlow's Flex delegate"


def test_engine_that_was_not_measured_lacks_nothing_that_is_known() -> None:
    assert lacks(Use("FULLY_CONNECTED", 99, 1), "onnxruntime") == ""
