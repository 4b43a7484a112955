import faults
from mlserverless.adapters.wsgi import application

__all__ = ["application"]
faults.install()
