"""SnapStart: what Lambda calls before it takes a snapshot of the function, and in each copy that it restores.

Lambda runs the init phase once, when a version is published, and begins every sandbox of that version from a
snapshot of it (AWS Lambda developer guide, "Improving startup performance with Lambda SnapStart"). The hooks are
those of ``snapshot_restore_py``, which is part of its Python runtimes from 3.12 on.
"""

import os
from importlib import import_module

from mlserverless.serving import Service

KIND, TOKEN, TOKEN_FILE = (
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
_registered: list[Service] = []


def register(service: Service) -> None:
    """Have ``service`` suspended before a snapshot and resumed after it; without SnapStart this does nothing.

    Where the model cannot be used, the version is not published: Lambda says that the hook failed, the function's
    log says why. A second call for the same service does nothing.
    """
    if os.environ.get(KIND) != "snap-start" or any(known is service for known in _registered):
        return
    hooks = import_module("snapshot_restore_py")  # it has no types
    _registered.append(service)
    _keep_token()
    hooks.register_before_snapshot(service.suspend)
    hooks.register_after_restore(service.resume)


def _keep_token() -> None:
    # With SnapStart, Lambda gives no keys in variables but an address to ask for them and a token to ask with.
    # obstore asks there, too, but reads the token from a file only (object_store 0.14). It is of worth in this
    # sandbox alone.
    if (token := os.environ.get(TOKEN)) and TOKEN_FILE not in os.environ:
        from tempfile import mkstemp

        file, os.environ[TOKEN_FILE] = mkstemp(prefix="mlserverless-token-")  # mode 0600
        with open(file, "w") as out:
            out.write(token)
