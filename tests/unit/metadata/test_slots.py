"""Each slot is its field's: by LiteRT's own reader, generated from schema.fbs, or by the schema's text."""

from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as theirs

from mlserverless.metadata import slots

FIELDS = {
    "Model": {
        "Version": slots.VERSION,
        "OperatorCodes": slots.OPERATOR_CODES,
        "Subgraphs": slots.SUBGRAPHS,
        "Description": slots.DESCRIPTION,
        "Buffers": slots.BUFFERS,
        "MetadataBuffer": slots.METADATA_BUFFER,
        "Metadata": slots.METADATA,
        "SignatureDefs": slots.SIGNATURES,
    },
    "OperatorCode": {
        "DeprecatedBuiltinCode": slots.OLD_BUILTIN_CODE,
        "CustomCode": slots.CUSTOM_CODE,
        "Version": slots.CODE_VERSION,
        "BuiltinCode": slots.BUILTIN_CODE,
    },
    "SubGraph": {
        "Tensors": slots.TENSORS,
        "Inputs": slots.INPUTS,
        "Outputs": slots.OUTPUTS,
        "Operators": slots.OPERATORS,
        "Name": slots.GRAPH_NAME,
    },
    "Operator": {
        "OpcodeIndex": slots.OPCODE_INDEX,
        "Inputs": slots.INPUTS,
        "Outputs": slots.OUTPUTS,
        "LargeCustomOptionsOffset": slots.LARGE_CUSTOM_OPTIONS_OFFSET,
    },
    "Tensor": {
        "Shape": slots.SHAPE,
        "Type": slots.TYPE,
        "Buffer": slots.TENSOR_BUFFER,
        "Name": slots.TENSOR_NAME,
        "Quantization": slots.QUANTIZATION,
        "IsVariable": slots.IS_VARIABLE,
        "ShapeSignature": slots.SHAPE_SIGNATURE,
    },
    "QuantizationParameters": {
        "Scale": slots.SCALE,
        "ZeroPoint": slots.ZERO_POINT,
        "QuantizedDimension": slots.QUANTIZED_DIMENSION,
    },
    "Buffer": {"Data": slots.DATA, "Offset": slots.OFFSET, "Size": slots.SIZE},
    "Metadata": {"Name": slots.METADATA_NAME, "Buffer": slots.METADATA_INDEX},
    "SignatureDef": {
        "Inputs": slots.SIGNATURE_INPUTS,
        "Outputs": slots.SIGNATURE_OUTPUTS,
        "SignatureKey": slots.SIGNATURE_KEY,
        "SubgraphIndex": slots.SIGNATURE_SUBGRAPH,
    },
    "TensorMap": {"Name": slots.MAPPED_NAME, "TensorIndex": slots.MAPPED_TENSOR},
}


class Builder:
    """Keeps the slot that a field is added at."""

    def __getattr__(self, name: str) -> Any:
        assert name.startswith("Prepend")
        return lambda slot, *_: setattr(self, "slot", slot)


@pytest.mark.parametrize(
    ("table", "field", "slot"), [(table, *field) for table, fields in FIELDS.items() for field in fields.items()]
)
def test_it_is_where_the_schema_has_the_field(table: str, field: str, slot: int) -> None:
    builder = Builder()
    getattr(theirs, f"{table}Add{field}")(builder, 0)
    assert builder.slot == slot


def test_what_a_model_has_beyond_these_is_data_outside_of_it() -> None:
    """Which is why no metadata is written into a model that has it."""
    beyond = []
    for name in dir(theirs):
        if name.startswith("ModelAdd"):
            builder = Builder()
            getattr(theirs, name)(builder, 0)
            beyond += [name] if builder.slot >= slots.MODEL_SLOTS else []
    assert all("External" in name for name in beyond), beyond


# metadata_schema.fbs, whose generated reader is in no package that is here: the fields in the order of its text. A
# union has the slot of its type before its own.
SCHEMA = {
    "ModelMetadata": (
        "name description version subgraph_metadata author license associated_files min_parser_version",
        {
            "name": slots.ABOUT_NAME,
            "description": slots.ABOUT_DESCRIPTION,
            "version": slots.ABOUT_VERSION,
            "subgraph_metadata": slots.SUBGRAPH_METADATA,
            "author": slots.AUTHOR,
            "license": slots.LICENSE,
            "associated_files": slots.ABOUT_FILES,
            "min_parser_version": slots.MIN_PARSER_VERSION,
        },
    ),
    "SubGraphMetadata": (
        "name description input_tensor_metadata output_tensor_metadata associated_files input_process_units "
        "output_process_units input_tensor_groups output_tensor_groups custom_metadata",
        {
            "input_tensor_metadata": slots.INPUT_TENSOR_METADATA,
            "output_tensor_metadata": slots.OUTPUT_TENSOR_METADATA,
            "associated_files": slots.GRAPH_FILES,
            "input_process_units": slots.INPUT_PROCESS_UNITS,
            "output_process_units": slots.OUTPUT_PROCESS_UNITS,
        },
    ),
    "TensorMetadata": (
        "name description dimension_names content process_units stats associated_files",
        {
            "name": slots.INFO_NAME,
            "description": slots.INFO_DESCRIPTION,
            "dimension_names": slots.DIMENSION_NAMES,
            "content": slots.CONTENT,
            "process_units": slots.PROCESS_UNITS,
            "stats": slots.STATS,
            "associated_files": slots.INFO_FILES,
        },
    ),
    "Content": (
        "content_properties_type content_properties range",
        {
            "content_properties_type": slots.CONTENT_PROPERTIES_TYPE,
            "content_properties": slots.CONTENT_PROPERTIES,
        },
    ),
    "ImageProperties": (
        "color_space default_size",
        {"color_space": slots.COLOR_SPACE, "default_size": slots.DEFAULT_SIZE},
    ),
    "ImageSize": ("width height", {"width": slots.WIDTH, "height": slots.HEIGHT}),
    "Stats": ("max min", {"max": slots.MAX, "min": slots.MIN}),
    "ProcessUnit": ("options_type options", {"options_type": slots.OPTIONS_TYPE, "options": slots.OPTIONS}),
    "NormalizationOptions": ("mean std", {"mean": slots.MEAN, "std": slots.STD}),
    "ScoreCalibrationOptions": (
        "score_transformation default_score",
        {"score_transformation": slots.SCORE_TRANSFORMATION, "default_score": slots.DEFAULT_SCORE},
    ),
    "ScoreThresholdingOptions": (
        "global_score_threshold",
        {"global_score_threshold": slots.GLOBAL_SCORE_THRESHOLD},
    ),
    "AssociatedFile": (
        "name description type locale version",
        {"name": slots.FILE_NAME, "type": slots.FILE_TYPE, "locale": slots.FILE_LOCALE},
    ),
}


@pytest.mark.parametrize("table", SCHEMA)
def test_it_is_where_the_metadata_schema_has_the_field(table: str) -> None:
    order, fields = SCHEMA[table]
    assert fields == {field: order.split().index(field) for field in fields}
