"""The slots of tables in TensorFlow Lite's ``schema.fbs`` and ``metadata_schema.fbs``: the order of their fields.

It never changes. They are plain names, some with a word for the table before the field's own: a class for each
table would cost a cold function 0.2 ms.
"""

# schema.fbs
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
# metadata_schema.fbs. A union has two slots: which of its tables it is, and the table.
# Of a ModelMetadata
ABOUT_NAME, ABOUT_DESCRIPTION, ABOUT_VERSION, SUBGRAPH_METADATA, AUTHOR, LICENSE = range(6)
ABOUT_FILES, MIN_PARSER_VERSION = 6, 7
# Of a SubGraphMetadata; the tensors are in the order of the SubGraph's inputs and outputs
INPUT_TENSOR_METADATA, OUTPUT_TENSOR_METADATA, GRAPH_FILES, INPUT_PROCESS_UNITS, OUTPUT_PROCESS_UNITS = range(2, 7)
# Of a TensorMetadata
INFO_NAME, INFO_DESCRIPTION, DIMENSION_NAMES, CONTENT, PROCESS_UNITS, STATS, INFO_FILES = range(7)
CONTENT_PROPERTIES_TYPE, CONTENT_PROPERTIES = range(2)  # of a Content
COLOR_SPACE, DEFAULT_SIZE = range(2)  # of ImageProperties
WIDTH, HEIGHT = range(2)  # of an ImageSize
MAX, MIN = range(2)  # of Stats
OPTIONS_TYPE, OPTIONS = range(2)  # of a ProcessUnit
MEAN, STD = range(2)  # of NormalizationOptions
SCORE_TRANSFORMATION, DEFAULT_SCORE = range(2)  # of ScoreCalibrationOptions
GLOBAL_SCORE_THRESHOLD = 0  # of ScoreThresholdingOptions
FILE_NAME, FILE_TYPE, FILE_LOCALE = 0, 2, 3  # of an AssociatedFile
