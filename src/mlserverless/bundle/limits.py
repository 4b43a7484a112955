"""What the platforms allow, each with its unit, the page that says so, and when that was read.

A megabyte of the providers' pages is 2²⁰ bytes: AWS says so on its page of Lambda's quotas.
"""

from datetime import date
from typing import NamedTuple

READ = "2026-11"
MB = 1 << 20


class Limit(NamedTuple):
    """One limit: its ``value`` in ``unit``, the title of the page that it is from, and when that was ``read``."""

    value: int
    unit: str
    source: str
    read: str = READ

    @property
    def cited(self) -> str:
        """Where it is from, in words."""
        return f"{self.source} (read {self.read})"

    def __str__(self) -> str:
        return f"{self.value / MB:,.0f} MB" if self.unit == "bytes" else f"{self.value:,} {self.unit}".rstrip()


_LAMBDA = "AWS Lambda developer guide, Lambda quotas"
ZIP_DIRECT = Limit(50 * MB, "bytes", _LAMBDA)  # a direct upload; through S3, as sam does it, it may be more
UNPACKED = Limit(250 * MB, "bytes", _LAMBDA)  # function and layers together
IMAGE = Limit(10 * 1024 * MB, "bytes", _LAMBDA)
PAYLOAD = Limit(6 * MB, "bytes", _LAMBDA)
ASYNC_PAYLOAD = Limit(1 * MB, "bytes", _LAMBDA)
LAYERS = Limit(5, "layers", _LAMBDA)
VARIABLES = Limit(4096, "characters", _LAMBDA)  # 4 KB, names and values of all variables
TIMEOUT = Limit(900, "s", _LAMBDA)
MEMORY_LEAST, MEMORY_MOST = Limit(128, "MB", _LAMBDA), Limit(10_240, "MB", _LAMBDA)
TMP_LEAST, TMP_MOST = Limit(512, "MB", _LAMBDA), Limit(10_240, "MB", _LAMBDA)
_SNAPSTART = "AWS Lambda developer guide, Improving startup performance with Lambda SnapStart"
SNAPSTART_MINOR = Limit(12, "", _SNAPSTART)  # of Python 3
SNAPSTART_TMP = Limit(512, "MB", _SNAPSTART)
_GATEWAY = "Amazon API Gateway developer guide, Quotas"
REST_API_WAITS = Limit(29, "s", _GATEWAY)
HTTP_API_WAITS = Limit(30, "s", _GATEWAY)
_SQS = "AWS Lambda developer guide, Using Lambda with Amazon SQS"
QUEUE_TIMES = Limit(6, "times the function's timeout", _SQS)

_HOSTING = "Microsoft Learn, Azure Functions hosting options"
_FLEX = "Microsoft Learn, Azure Functions Flex Consumption plan hosting"
AZURE_MEMORY = tuple(Limit(size, "MB", _FLEX) for size in (512, 2048, 4096))
AZURE_HTTP_WAITS = Limit(230, "s", _HOSTING)
AZURE_CONSUMPTION_TIMEOUT = Limit(600, "s", _HOSTING)  # 5 minutes by default; Flex has 30, and no most
AZURE_PACKAGE = Limit(1024 * MB, "bytes", "Microsoft Learn, Zip push deployment for Azure Functions")
AZURE_REQUEST = Limit(100 * MB, "bytes", _HOSTING)
AZURE_CONSUMPTION_ENDS = date(2028, 9, 30)

_RUN = "Google Cloud, Cloud Run functions quotas"
GCP_MEMORY_LEAST, GCP_MEMORY_MOST = Limit(128, "MB", _RUN), Limit(32_768, "MB", _RUN)
GCP_HTTP_TIMEOUT, GCP_EVENT_TIMEOUT = Limit(3600, "s", _RUN), Limit(540, "s", _RUN)
GCP_REQUEST = Limit(32 * MB, "bytes", _RUN)
# The page has these two for the 1st generation, and "not applicable" for the 2nd.
GCP_SOURCE = Limit(100 * MB, "bytes", _RUN)
GCP_SOURCE_UNPACKED = Limit(500 * MB, "bytes", _RUN)
GCP_CONCURRENCY = Limit(1000, "requests", "Google Cloud, Maximum concurrent requests per instance")

# A request's body reaches Lambda in base64, which makes four bytes of three.
BODIES = {"aws": PAYLOAD._replace(value=PAYLOAD.value * 3 // 4), "azure": AZURE_REQUEST, "gcp": GCP_REQUEST}


class End(NamedTuple):
    """When a provider ends its support of a Python; ``gone`` is when nothing can be deployed on it any more."""

    on: date
    source: str
    read: str = READ
    gone: date | None = None


_RUNTIMES = "AWS Lambda developer guide, Lambda runtimes"
_LANGUAGES = "Microsoft Learn, Supported languages in Azure Functions"
_SUPPORT = "Google Cloud, Cloud Run functions runtime support"
_PYTHON = "Python developer's guide, Status of Python versions"
ENDS: dict[str, dict[str, End]] = {
    "aws": {
        "3.11": End(date(2027, 6, 30), _RUNTIMES),
        "3.12": End(date(2028, 10, 31), _RUNTIMES),
        "3.13": End(date(2029, 6, 30), _RUNTIMES),
        "3.14": End(date(2029, 6, 30), _RUNTIMES),
    },
    "azure": {
        "3.11": End(date(2027, 10, 31), _LANGUAGES),
        "3.12": End(date(2028, 10, 31), _LANGUAGES),
        "3.13": End(date(2029, 10, 31), _LANGUAGES),
    },
    "gcp": {
        "3.11": End(date(2027, 10, 24), _SUPPORT, gone=date(2028, 4, 24)),
        "3.12": End(date(2028, 10, 2), _SUPPORT, gone=date(2029, 4, 2)),
        "3.13": End(date(2029, 10, 10), _SUPPORT, gone=date(2030, 4, 10)),
        "3.14": End(date(2030, 10, 10), _SUPPORT, gone=date(2031, 4, 10)),
    },
    "container": {
        "3.11": End(date(2027, 10, 31), _PYTHON),
        "3.12": End(date(2028, 10, 31), _PYTHON),
        "3.13": End(date(2029, 10, 31), _PYTHON),
        "3.14": End(date(2030, 10, 31), _PYTHON),
    },
}
