"""SnapStart's two phases in Lambda's real Python runtime, run by our Runtime API server."""

import json
from pathlib import Path

import pytest

from mlserverless.local.aws import available, start

needs_runtime = pytest.mark.skipif(available() is not None, reason=str(available()))
APP = """
import os, time
from snapshot_restore_py import register_after_restore, register_before_snapshot
told = [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
register_before_snapshot(lambda: {before})
register_after_restore(lambda: {after})

def handler(event, context):
    return told
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP.format(before="told.append('before')", after="told.append('after')"))
    return tmp_path


@needs_runtime
@pytest.mark.parametrize(
    ("snap_start", "told"), [(True, ["snap-start", "before", "after"]), (False, ["on-demand"])]
)
def test_hooks_are_called_with_snapstart_only(app: Path, snap_start: bool, told: list[str]) -> None:
    with start(handler="app.handler", app_dir=app, snap_start=snap_start) as server:
        for _ in range(2):
            assert json.loads(server.invoke({}).payload) == told, "once a sandbox"


@needs_runtime
def test_the_init_time_is_that_of_the_restoration(app: Path) -> None:
    (app / "app.py").write_text(APP.format(before="time.sleep(0.5)", after="time.sleep(0.1)"))
    with start(handler="app.handler", app_dir=app, snap_start=True) as server:
        cold, warm = server.invoke({}), server.invoke({})
    assert cold.init_ms is not None
    assert 100 <= cold.init_ms < 500
    assert warm.init_ms is None


@needs_runtime
@pytest.mark.parametrize(("before", "after", "error"), [("1 / 0", "0", "Zero"), ("0", "told.no", "Attribute")])
def test_a_hook_that_fails_is_an_error_of_the_function(app: Path, before: str, after: str, error: str) -> None:
    (app / "app.py").write_text(APP.format(before=before, after=after))
    with start(handler="app.handler", app_dir=app, snap_start=True) as server:
        invocation = server.invoke({})
    assert invocation.function_error
    assert json.loads(invocation.payload)["errorType"].startswith(error)


@needs_runtime
def test_the_emulator_knows_no_snapshots(app: Path) -> None:
    with pytest.raises(ValueError, match="snap_start must be False with the emulator"):
        start(handler="app.handler", app_dir=app, emulator=True, snap_start=True)
