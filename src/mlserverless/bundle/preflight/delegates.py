"""Delegates: is each library that a model names in the package, or can it be on the platform?"""

import os

from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.bundle.preflight.models import readable
from mlserverless.engines.delegates import DOCS
from mlserverless.model import Model
from mlserverless.model_toml import Delegate


def examine(case: Case) -> list[Finding]:
    """Return a line for each library that is not in its model's folder, or one for them all."""
    every = [(model, delegate) for model in readable(case) for delegate in model.delegates]
    missing = [(model, delegate) for model, delegate in every if not _packed(model, delegate)]
    if missing:
        return [_missing(case, model, delegate) for model, delegate in missing]
    return [ok("delegates", ", ".join(os.path.basename(one.library) for _, one in every))] if every else []


def _packed(model: Model, delegate: Delegate) -> bool:
    folder = os.path.dirname(os.path.abspath(model.path))
    return os.path.isfile(delegate.library) and delegate.library.startswith(folder + os.sep)


def _missing(case: Case, model: Model, delegate: Delegate) -> Finding:
    told = f"the model {model.name} names the delegate {delegate.library}, which is not in its folder"
    # A zip runs on the platform's own image, a container on ours.
    if case.target.provider == "container" or (case.package and case.package.archive is None):
        return warn("delegates", told, f"Install it in the Dockerfile, or put it into the folder. See {DOCS}.")
    if not delegate.required:
        return warn("delegates", f"{told}: the model runs on the CPU", f"Put the library there. See {DOCS}.")
    mend = f"Put the library there, for {case.target.machine}, or set required = false, to run on the CPU."
    return fail("delegates", f"{told}, and the platform has none", f"{mend} See {DOCS}.")
