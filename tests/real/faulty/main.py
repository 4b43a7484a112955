import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults
from mlserverless.adapters.gcp import predict

__all__ = ["predict"]
faults.install()
