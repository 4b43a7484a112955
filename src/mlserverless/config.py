"""Settings: defaults, then a TOML file, then ``MLSERVERLESS_*`` variables, then code.

The file is ``mlserverless.toml``, or ``[tool.mlserverless]`` in ``pyproject.toml``, in the working directory.
Each setting is declared once, in :class:`Settings`; how its text is read and what it accepts stands
below, in ``_READERS``. An unknown name or a bad value is a ConfigError that names it and what is accepted.
"""

import os
from collections.abc import Mapping
from typing import Any

from mlserverless import readers, toml
from mlserverless.errors import ConfigError
from mlserverless.named_tuple import NamedTuple

PREFIX = "MLSERVERLESS_"
DOCS = "docs/reference/settings.md"
CGROUP = "/sys/fs/cgroup"


class Settings(NamedTuple):
    """Every setting with its default. Durations are in seconds, sizes in bytes."""

    model: str = "efficientnet-lite0"
    model_sha256: str = ""
    models: tuple[str, ...] = ()
    model_timeout: float = 120.0
    cache_dir: str = ""
    engine: str = "auto"
    threads: int = 0
    concurrency: int = 0
    queue: int = 16
    timeout: float = 300.0
    top_k: int = 5
    score_threshold: float | None = None
    labels_allow: tuple[str, ...] = ()
    labels_deny: tuple[str, ...] = ()
    max_bytes: int = 10_000_000
    max_pixels: int = 50_000_000
    download_timeout: float = 10.0
    max_redirects: int = 3
    allowed_hosts: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    formats: tuple[str, ...] = ("jpeg", "png", "webp")
    background: str = "white"
    decode: str = "fast"
    max_batch: int = 16
    page: bool = True
    cors_origins: tuple[str, ...] = ()
    sink: str = "log:"
    schedule_source: str = ""
    log_level: str = "info"
    request_log: str = "auto"
    telemetry: tuple[str, ...] = ()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, folder: str = "", **code: Any) -> "Settings":
        """Return the settings in force: ``code`` over ``environ`` over the TOML file over the defaults.

        Raises ConfigError for an unknown name or a value that is not accepted.
        """
        given: dict[str, tuple[str, Any]] = {}
        for name, value in _from_file(folder).items():
            given[name] = (f"{name} (in the settings file)", value)
        for variable, text in (os.environ if environ is None else environ).items():
            if variable.startswith(PREFIX) and variable not in FOREIGN:
                given[variable.removeprefix(PREFIX).lower()] = (variable, text)
        for name, value in code.items():
            given[name] = (name, value)
        return cls(**{name: _read(name, where, value) for name, (where, value) in given.items()})


_READERS: dict[str, readers.Reader] = {
    "model": ("a model folder, a .tflite or .onnx file, the URL of one, or a bundled model's name", readers.text),
    "model_sha256": ("64 hexadecimal digits, as sha256sum prints them", readers.digest),
    "models": ("models as for model, name=… where another name is wanted, with commas between", readers.split),
    "model_timeout": readers.number(0.001, 3600, " seconds"),
    "cache_dir": ("a folder that may be written to", readers.path),
    "engine": readers.one_of("auto", "litert", "litert-python", "tflite-runtime", "tensorflow", "onnxruntime"),
    "threads": readers.whole(0, 64),
    "concurrency": readers.whole(0, 256),
    "queue": readers.whole(0, 10_000),
    "timeout": readers.number(0.001, 3600, " seconds"),
    "top_k": readers.whole(1, 1000),
    "score_threshold": readers.optional(readers.number(-1e9, 1e9)),
    "labels_allow": ("labels, with commas between", readers.split),
    "labels_deny": ("labels, with commas between", readers.split),
    "max_bytes": readers.whole(1, 1_000_000_000),
    "max_pixels": readers.whole(1, 1_000_000_000),
    "download_timeout": readers.number(0.001, 900, " seconds"),
    "max_redirects": readers.whole(0, 20),
    "allowed_hosts": (
        "host names such as images.example.com or *.example.com, with commas between",
        readers.split,
    ),
    "allow_private_addresses": ("true or false", readers.flag),
    "formats": readers.some_of("jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"),
    "background": ("white, black, #rrggbb, or drop to ignore transparency", readers.colour),
    "decode": readers.one_of("fast", "exact"),
    "max_batch": readers.whole(1, 1000),
    "page": ("true or false", readers.flag),
    "cors_origins": ("origins such as https://app.example.com, with commas between, or *", readers.origins),
    "sink": readers.url("log:", "file:", "s3://", "gs://", "az://", "bigquery://", "sqs://", "queue:"),
    "schedule_source": readers.url("", "https://", "s3://", "gs://", "az://"),
    "log_level": readers.one_of("debug", "info", "warning", "error"),
    "request_log": readers.one_of("auto", "off", "aws", "gcp", "azure", "json"),
    "telemetry": readers.any_of("emf", "prometheus", "otel"),
}

# Variables with our prefix that are read elsewhere: by the local runtimes, the adapters and the test run.
FOREIGN = frozenset(
    PREFIX + name
    for name in (
        *(
            "AZURE_PYTHON",
            "GATES",
            "BLOB_PATH",
            "BLOB_SOURCE",
            "BLOB_CONNECTION",
            "QUEUE_NAME",
            "QUEUE_CONNECTION",
        ),
        *("SERVICE_BUS_QUEUE", "SERVICE_BUS_CONNECTION", "EVENT_HUB_NAME", "EVENT_HUB_CONNECTION", "SCHEDULE"),
        *("RESULTS_QUEUE", "RESULTS_CONNECTION"),
    )
)


def vcpus() -> float:
    """Return the vCPU share granted to this process: the least of cores, container's quota and Lambda's share.

    Lambda gives one vCPU at 1,769 MB and grows in proportion (AWS Lambda developer guide, "Configure Lambda
    function memory"). A container's quota is its control group's (Linux, admin-guide/cgroup-v2, ``cpu.max``;
    scheduler/sched-bwc for version 1).
    """
    memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if memory.isdigit():
        return min(float(cores), int(memory) / 1769)
    return min(float(cores), _quota())


def _quota(folder: str = CGROUP) -> float:
    # As seen from inside a container, whose own control group is the root of what it sees.
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = []
            for name in names:
                with open(f"{folder}/{name}", "rb") as file:
                    words += file.read().split()
            return int(words[0]) / int(words[1]) if int(words[0]) > 0 else float("inf")
        except (OSError, ValueError, IndexError, ZeroDivisionError):  # "max" is no limit
            continue
    return float("inf")


def _from_file(folder: str) -> dict[str, Any]:
    for name, table in (("mlserverless.toml", ()), ("pyproject.toml", ("tool", "mlserverless"))):
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, "rb") as file:
                values: Any = toml.loads(file.read().decode())
        except ValueError as error:
            raise ConfigError(f"{name} is not valid TOML: {error}.") from error
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
        for key in table:
            values = values.get(key, {}) if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            raise ConfigError(f"{name}: {'.'.join(table)} is {values!r}, not a table of settings. See {DOCS}.")
        if values:
            return values
    return {}


def _read(name: str, where: str, value: Any) -> Any:
    if name not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise ConfigError(f"{where} is not a setting. Settings are: {known}. See {DOCS}.")
    accepted, reader = _READERS[name]
    try:
        return reader(value)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ConfigError(
            f"{where} is {readers.shown(value)}, which is not accepted: give {accepted}. See {DOCS}."
        ) from error
