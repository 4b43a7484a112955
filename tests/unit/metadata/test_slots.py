"""Each slot is the one that LiteRT's own reader of the schema, generated from it, has for the field."""

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
