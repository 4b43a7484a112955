"""``mlserverless.toml`` as a new project has it: every setting with its default, and what it does."""

import json
from typing import Any

from mlserverless.config import DOCS, Settings

HEAD = f"""\
# The settings: those in a comment have the value that they have anyway. Read from the working directory; a package
# has a copy of this file. A variable of the deployment wins over it: MLSERVERLESS_TOP_K over top_k. See
# {DOCS}.
"""
SAYS = {
    "model": "a model folder, a .tflite or .onnx file, the URL of one, or a bundled model's name",
    "model_sha256": "what the model file must have; empty: what model.toml pins",
    "models": "further models, which a request chooses by name",
    "model_timeout": "seconds for the download of a model",
    "cache_dir": "where downloaded models are kept; empty: a folder in the temporary one",
    "engine": "auto, litert, litert-python, tflite-runtime, tensorflow or onnxruntime",
    "threads": "of one prediction; 0: the vCPU share that the platform grants",
    "concurrency": "predictions at a time; 0: the vCPU share",
    "queue": "requests that may wait for an interpreter",
    "timeout": "seconds for a whole request, where the platform grants more",
    "top_k": "classes in an answer",
    "score_threshold": "classes below this score are left out; empty: as the model says",
    "labels_allow": "only these labels are answered",
    "labels_deny": "these labels are never answered",
    "max_bytes": "the largest image, in bytes",
    "max_pixels": "the largest image, in pixels",
    "download_timeout": "seconds for the whole download of an image",
    "max_redirects": "that are followed",
    "allowed_hosts": 'only these are read: ["images.example.com", "*.example.com", "s3://bucket"]; empty: any',
    "allow_private_addresses": "true lets URLs lead into private networks",
    "formats": "of images that are accepted; gif, bmp, tiff and avif can be added",
    "background": "what transparency is laid on: white, black, #rrggbb; drop ignores it",
    "decode": "fast decodes a JPEG at a fraction of its size, exact does not",
    "max_batch": "URLs in one request",
    "page": "false switches the page at / off",
    "cors_origins": 'whose scripts may read the answers: ["https://app.example.com"], or ["*"]; empty: none',
    "sink": "where events' results go: log:, file:///folder, s3://, gs:// or az:// with a prefix, bigquery://, sqs://",
    "schedule_source": "the list that a timer classifies, at a URL; empty: it warms up",
    "log_level": "debug, info, warning or error",
    "request_log": "a line a request: auto (as the platform reads it), off, aws, gcp, azure or json",
    "telemetry": "emf, prometheus and otel: metrics and traces beside the log",
}


def text(**given: Any) -> str:
    """Return the file's text, with the settings ``given`` in force and every other one in a comment."""
    defaults = Settings()._asdict()
    lines = []
    for name, says in SAYS.items():
        value = given.get(name, defaults[name])
        value = "" if value is None else list(value) if isinstance(value, tuple) else value
        mark = "" if name in given else "# "
        lines.append(f"\n# {says}\n{mark}{name} = {json.dumps(value)}\n")  # TOML writes these values as JSON does
    return HEAD + "".join(lines)
