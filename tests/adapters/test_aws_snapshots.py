"""SnapStart's hooks: registered for a function with SnapStart, and not even imported for any other."""

import stat
from pathlib import Path

import pytest

from helpers import child

KIND = "AWS_LAMBDA_INITIALIZATION_TYPE"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"

# What is imported, who is called, and what becomes of the token.
ABOUT = """
import json, os, sys
def told():
    hooks = sys.modules.get("snapshot_restore_py")
    before = [hook for hook, *_ in hooks.get_before_snapshot()] if hooks else []
    after = [hook for hook, *_ in hooks.get_after_restore()] if hooks else []
    print(json.dumps({
        "imported": hooks is not None,
        "names": [hook.__name__ for hook in before + after],
        "mine": [hook.__self__ is mine for hook in before + after],
        "token_file": os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        "tempfile": "tempfile" in sys.modules,
    }))
"""
DEPLOYED = (
    f"{ABOUT}\nfrom mlserverless.adapters import aws\nmine = aws.service\naws.warm_up()\naws.warm_up()\ntold()"
)
OWN = f"""{ABOUT}
from mlserverless.adapters.aws import make_handler
from mlserverless.serving import Service
mine = Service()
make_handler(mine)
told()
"""
UNUSED = f"{ABOUT}\nmine = None\nimport mlserverless.adapters.aws\ntold()"


@pytest.mark.parametrize("kind", ["on-demand", "provisioned-concurrency", ""])
@pytest.mark.parametrize("code", [DEPLOYED, OWN])
def test_a_plain_cold_start_pays_nothing(tmp_path: Path, kind: str, code: str) -> None:
    told = child.run(code, tmp_path, **({KIND: kind} if kind else {}), **{TOKEN: "secret"})
    assert told == {
        "imported": False, "names": [], "mine": [], "token_file": None, "tempfile": False,
    }  # fmt: skip


@pytest.mark.parametrize("code", [DEPLOYED, OWN])
def test_the_service_that_answers_is_registered_once(tmp_path: Path, code: str) -> None:
    pytest.importorskip("snapshot_restore_py")
    told = child.run(code, tmp_path, **{KIND: "snap-start"})
    assert (told["names"], told["mine"]) == (["suspend", "resume"], [True, True])
    assert told["token_file"] is None


def test_a_service_that_answers_nothing_is_in_no_snapshot(tmp_path: Path) -> None:
    assert child.run(UNUSED, tmp_path, **{KIND: "snap-start"})["imported"] is False


def test_the_token_is_where_obstore_looks_for_it_and_nobody_else(tmp_path: Path) -> None:
    pytest.importorskip("snapshot_restore_py")
    told = child.run(DEPLOYED, tmp_path, **{KIND: "snap-start", TOKEN: "secret", "TMPDIR": str(tmp_path)})
    file = Path(told["token_file"])
    assert file.parent == tmp_path
    assert file.read_text() == "secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_file_of_the_platforms_own_stays(tmp_path: Path) -> None:
    pytest.importorskip("snapshot_restore_py")
    told = child.run(DEPLOYED, tmp_path, **{KIND: "snap-start", TOKEN: "secret", f"{TOKEN}_FILE": "/theirs"})
    assert told["token_file"] == "/theirs"
