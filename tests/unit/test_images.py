"""What an image holds and runs as, read from the Dockerfiles: no root, no secret, nothing fetched."""

import json
import re
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[2] / "adapters"
IMAGES = ("aws", "azure", "container")
SECRET = re.compile(r"secret|password|passwd|token|api_?key|access_?key|credential|sas|connection_?string", re.I)


def instructions(provider: str) -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions: name and words."""
    text = (ADAPTERS / provider / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pairs = [line.split(None, 1) for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
    return [(name.upper(), words) for name, words in pairs]


def last_stage(provider: str) -> list[tuple[str, str]]:
    found = instructions(provider)
    names = [name for name, _ in found]
    return found[len(names) - names[::-1].index("FROM") :]


@pytest.mark.parametrize("provider", IMAGES)
def test_it_runs_as_a_number_that_is_not_root(provider: str) -> None:
    (user,) = [words for name, words in last_stage(provider) if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = [name for name, _ in last_stage(provider)]
    assert "RUN" not in after[after.index("USER") :]
    assert "COPY" not in after[after.index("USER") :]


@pytest.mark.parametrize("provider", IMAGES)
def test_nothing_is_fetched_while_it_is_built(provider: str) -> None:
    assert "ADD" not in [name for name, _ in instructions(provider)]
    run = [words for name, words in instructions(provider) if name == "RUN"]
    assert run, "the first stage compiles and tries the package"
    assert not [words for words in run if re.search(r"curl|wget|\bpip\b|apt|\|\s*(ba)?sh|sudo", words)]


@pytest.mark.parametrize("provider", IMAGES)
def test_only_the_package_is_copied_and_the_last_stage_copies_from_the_first(provider: str) -> None:
    copied = [words for name, words in instructions(provider) if name == "COPY"]
    assert {words.split()[0] for words in copied if "--from=" not in words} == {"packages", "app"}
    assert all("--from=packages" in words for name, words in last_stage(provider) if name == "COPY")


@pytest.mark.parametrize("provider", IMAGES)
def test_it_has_no_secrets_and_one_argument(provider: str) -> None:
    told = [words for name, words in instructions(provider) if name in ("ENV", "ARG")]
    assert not [words for words in told if SECRET.search(words)]
    assert [words.partition("=")[0] for name, words in instructions(provider) if name == "ARG"] == ["BASE_IMAGE"]
    assert "ALLOW_PRIVATE_ADDRESSES" not in str(told)


@pytest.mark.parametrize("provider", IMAGES)
def test_the_base_is_named_without_a_registry(provider: str) -> None:
    (base,) = [words.partition("=")[2] for name, words in instructions(provider) if name == "ARG"]
    assert "." not in base.partition("/")[0].partition(":")[0]
    assert {words.split()[0] for name, words in instructions(provider) if name == "FROM"} == {"${BASE_IMAGE}"}


def test_the_containers_health_is_asked_on_loopback() -> None:
    (check,) = [words for name, words in instructions("container") if name == "HEALTHCHECK"]
    assert "urlopen" not in check
    assert "'127.0.0.1'" in check
    code = json.loads(check.partition("CMD ")[2])[2]
    compile(code, "HEALTHCHECK", "exec")


@pytest.mark.parametrize("provider", IMAGES)
def test_the_context_is_the_package_alone(provider: str) -> None:
    lines = (ADAPTERS / provider / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in lines
    assert {"!app", "!packages"} <= set(lines)
