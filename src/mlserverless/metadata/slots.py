"""The slots of tables in TensorFlow Lite's ``schema.fbs``: the order of their fields, which never changes."""

# Of a Model
VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS, METADATA_BUFFER, METADATA, SIGNATURES = range(8)
MODEL_SLOTS = 8
# Of an OperatorCode; the first is a byte that older files have in the place of BUILTIN_CODE
OLD_BUILTIN_CODE, CUSTOM_CODE, CODE_VERSION, BUILTIN_CODE = range(4)
# Of a SubGraph; an Operator has its inputs and outputs in the same slots
TENSORS, INPUTS, OUTPUTS, OPERATORS, GRAPH_NAME = range(5)
OPCODE_INDEX, LARGE_CUSTOM_OPTIONS_OFFSET = 0, 9  # of an Operator
# Of a Tensor
SHAPE, TYPE, TENSOR_BUFFER, TENSOR_NAME, QUANTIZATION, IS_VARIABLE, _, SHAPE_SIGNATURE = range(8)
SCALE, ZERO_POINT, QUANTIZED_DIMENSION = 2, 3, 6  # of QuantizationParameters
DATA, OFFSET, SIZE = range(3)  # of a Buffer: inside the flatbuffer, or behind it
METADATA_NAME, METADATA_INDEX = range(2)  # of a Metadata: which buffer it is in
SIGNATURE_INPUTS, SIGNATURE_OUTPUTS, SIGNATURE_KEY = range(3)  # of a SignatureDef
SIGNATURE_SUBGRAPH = 4
MAPPED_NAME, MAPPED_TENSOR = range(2)  # of a TensorMap
