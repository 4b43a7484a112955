"""Parity: what a notebook computed against what is served, stage by stage; ``mlserverless certify``.

In the notebook, five lines write what it is compared with::

    from mlserverless.certification import save_reference

    save_reference("notebook.npz", images=["a.jpg", "b.jpg"], input=x, output=model.predict(x), labels=class_names)

numpy is imported when something is read or written, never by a function that serves.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlserverless.certification.reference import save_reference

__all__ = ["save_reference"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mlserverless.certification import reference

        return getattr(reference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
