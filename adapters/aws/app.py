"""What Lambda loads: set the function's handler to ``app.handler``."""

from mlserverless.adapters.aws import handler, warm_up

__all__ = ["handler"]

warm_up()  # in Lambda's init phase, which has a full vCPU whatever the memory
