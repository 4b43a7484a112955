"""How long a function may run, as the host was told."""

import json
import os
import re

from mlserverless.deadline import FOREVER

HTTP_LIMIT_S = 225.0  # Azure's load balancer gives up on an HTTP answer after 230 s
# The shortest of the plans' defaults (Consumption's; the others' is 30 minutes): Microsoft Learn, "Azure Functions
# hosting options", function app timeout duration.
DEFAULT_LIMIT_S = 300.0
TIMEOUT, APP_FOLDER = "AzureFunctionsJobHost__functionTimeout", "AzureWebJobsScriptRoot"  # set by the host
TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?")


def function_timeout() -> float:
    """Return the seconds after which the host ends a function: the app setting's, else host.json's, else 300.

    Infinite where they say -1, for no limit. What cannot be read counts as not said.
    """
    said = os.environ.get(TIMEOUT)
    if said is None:
        try:
            with open(os.path.join(os.environ.get(APP_FOLDER, ""), "host.json"), "rb") as file:
                said = json.loads(file.read()).get("functionTimeout")
        except (OSError, ValueError, AttributeError):
            said = None
    if str(said).strip() == "-1":
        return FOREVER
    found = TIME_SPAN.fullmatch(str(said).strip())
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or DEFAULT_LIMIT_S


LIMIT_S = function_timeout()
