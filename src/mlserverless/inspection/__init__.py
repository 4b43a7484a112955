"""What a model file holds, for a person who wants to serve it: tensors, operators, memory, engines, a model.toml.

Nothing here is on a function's path. A .tflite file is walked with the reader of :mod:`mlserverless.metadata`;
engines are tried in processes of their own, since some end the process on a file that they do not understand.
"""
