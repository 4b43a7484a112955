"""What has threads of a library's own, and must not be destroyed in a fork, which has none of its parent's.

A destructor waits for its threads. In a fork it does so for ever, or crashes, since their stacks are gone.
"""

import os
from ctypes import py_object, pythonapi
from typing import Any
from weakref import WeakKeyDictionary

_held: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()


def hold(owner: Any, native: Any) -> None:
    """Have ``native``, which ends with its ``owner`` here, never end in a fork."""
    _held[owner] = native


def _keep() -> None:
    # At once: when Python ends, or collects what is left, nobody asks in which order they would like to go.
    for native in list(_held.values()):
        pythonapi.Py_IncRef(py_object(native))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep)
