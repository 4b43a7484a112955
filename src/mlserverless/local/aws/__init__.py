"""``serve --on aws``: a Lambda function in Lambda's own Python runtime, on this machine."""

from mlserverless.local.aws.function import INVOKE_PATH
from mlserverless.local.aws.server import LambdaServer, available, start

__all__ = ["INVOKE_PATH", "LambdaServer", "available", "start"]
