"""What a script that runs in another environment prints of its cases."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mlserverless.conversion.problem import ConversionError


def tell(cases: Mapping[str, Callable[[], Any]]) -> None:
    """Try every case, and print what each returned (of bytes how many) or its error, as one line of JSON."""
    found: dict[str, Any] = {}
    for name, case in cases.items():
        try:
            found[name] = case()
        except ConversionError as error:
            found[name] = f"{type(error).__name__}: {error}"
        if isinstance(found[name], bytes):
            found[name] = len(found[name])
    sys.stdout.write("\n" + json.dumps(found) + "\n")
