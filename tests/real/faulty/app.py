import faults
from mlserverless.adapters.aws import handler

__all__ = ["handler"]
faults.install()
