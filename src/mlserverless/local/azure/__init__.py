"""``serve --on azure``: a function app in Microsoft's own Python runtime, on this machine."""

from mlserverless.local.azure.server import AzureServer, available, start

__all__ = ["AzureServer", "available", "start"]
