"""Say as JSON which modules the entry has imported, and which more after a first request. Usage: URL"""

import json
import sys

from mlserverless.adapters.aws import handler

entry = set(sys.modules)


class Context:
    aws_request_id = "bench"

    @staticmethod
    def get_remaining_time_in_millis():
        return 300_000


event = {
    "version": "2.0",
    "rawPath": "/predict",
    "requestContext": {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"},
    "headers": {"content-type": "application/json"},
    "body": json.dumps({"url": sys.argv[1]}),
}
answer = handler(event, Context())
assert answer["statusCode"] == 200, answer
order = [name for name in sys.modules if sys.modules[name] is not None and name != "__main__"]
print(
    json.dumps({"entry": [n for n in order if n in entry], "added": [n for n in order if n not in entry]}),
    flush=True,
)
