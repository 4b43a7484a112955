"""The local runtimes' processes get a clean environment; here it also has what measures their coverage."""

import pytest

from mlserverless.local import runtime


@pytest.fixture(autouse=True, scope="session")
def _measured():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "KEPT", (*runtime.KEPT, "COVERAGE_PROCESS_CONFIG"))
        yield
