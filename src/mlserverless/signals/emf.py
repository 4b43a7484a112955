"""CloudWatch's embedded metric format: what makes of a line in the log metrics, too.

CloudWatch reads ``_aws`` in the line and takes the metrics' values and the dimensions from beside it (Amazon
CloudWatch user guide, "Specification: Embedded metric format").
"""

import time
from collections.abc import Mapping
from typing import Any

from mlserverless.signals.lines import Fields, Results
from mlserverless.types import Prediction

NAMESPACE = "mlserverless"
MOST_VALUES = 100  # of one metric in a line
UNITS = {
    "Duration": "Milliseconds",
    "Download": "Milliseconds",
    "Invoke": "Milliseconds",
    "Init": "Milliseconds",
    "Items": "Count",
    "Errors": "Count",
    "ColdStart": "Count",
}


def add(line: Fields, results: Results, environ: Mapping[str, str]) -> None:
    """Add to ``line`` the metrics of its request, by function, and by function and model where that is known.

    ``Errors`` is 1 where the request was answered with 500 or more, else the number of its items that failed so.
    """
    values: dict[str, Any] = {"Duration": line["duration_ms"]}
    for metric, stage in (("Download", "download"), ("Invoke", "invoke")):
        if taken := _each(results, stage):
            values[metric] = taken if len(taken) > 1 else taken[0]
    if "init_ms" in line:
        values["Init"] = line["init_ms"]
    values["Items"] = line.get("items", 0)
    errors = sum(not isinstance(result, Prediction) and result.status >= 500 for result in results)
    values["Errors"] = errors or int(line.get("status", 0) >= 500)
    values["ColdStart"] = int(line["cold"])
    line["FunctionName"] = environ.get("AWS_LAMBDA_FUNCTION_NAME") or environ.get("K_SERVICE") or NAMESPACE
    dimensions = [["FunctionName"]]
    if "model" in line:
        dimensions.append(["FunctionName", "model"])
    line |= values
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in values]
    told = {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}
    line["_aws"] = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [told]}


def _each(results: Results, stage: str) -> list[float]:
    spent = [dict(result.timings).get(stage) for result in results[:MOST_VALUES] if isinstance(result, Prediction)]
    return [milliseconds for milliseconds in spent if milliseconds is not None]
