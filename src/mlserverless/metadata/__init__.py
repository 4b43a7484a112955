"""What a .tflite file says of itself in TFLite metadata: read without a dependency, and written.

TFLite metadata (schema ``metadata_schema.fbs``, identifier M001) is a flatbuffer inside a buffer of the model's
own flatbuffer (``schema.fbs``, identifier TFL3); label files stand in a zip archive appended to the file. See
docs/reference/metadata.md.
"""
