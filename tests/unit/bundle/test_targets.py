"""What a package can be made for: the names of targets, the system under each, its wheels and its engine."""

import pytest

from mlserverless.bundle import targets
from mlserverless.bundle.targets import ARCHES, PROVIDERS, PYTHONS, Target, parse, target


def every() -> list[Target]:
    """Return all the targets that there are."""
    found = []
    for provider in PROVIDERS:
        for python in PYTHONS:
            for arch in ARCHES:
                try:
                    found.append(target(provider, python, arch))
                except ValueError:
                    continue
    return found


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("aws", Target("aws", "3.13", "x86_64")),
        ("aws:python3.12", Target("aws", "3.12", "x86_64")),
        ("aws:3.12:arm64", Target("aws", "3.12", "arm64")),
        ("container::arm64", Target("container", "3.13", "arm64")),
    ],
)
def test_a_target_is_read_from_its_name_with_what_is_usual_left_out(text: str, made: Target) -> None:
    assert parse(text) == made


def test_each_target_reads_back_what_it_is_called() -> None:
    assert [parse(str(one)) for one in every()] == every()
    assert str(Target("aws", "3.13", "arm64")) == "aws:python3.13:arm64"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("heroku", "The provider is 'heroku'; give one of aws, azure, gcp, container."),
        ("aws:python2.7", "The Python is '2.7'; give one of 3.11, 3.12, 3.13, 3.14."),
        ("aws:python3.13:riscv", "The architecture is 'riscv'; give one of x86_64, arm64."),
        (
            "azure:python3.13:arm64",
            "The architecture is 'arm64', which azure's functions do not run on; give x86_64.",
        ),
        ("gcp:python3.12:arm64", "The architecture is 'arm64', which gcp's functions do not run on; give x86_64."),
        (
            "aws:python3.11:arm64",
            "aws:python3.11:arm64 has glibc 2.26, for which obstore has no arm64 wheels; "
            "give Python 3.12 or later.",
        ),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse(text)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "system", "platform", "engine"),
    [
        ("aws:python3.11", "Amazon Linux 2", "x86_64-manylinux2014", "litert-python"),
        ("aws:python3.13", "Amazon Linux 2023", "x86_64-manylinux_2_34", "litert"),
        ("aws:python3.13:arm64", "Amazon Linux 2023", "aarch64-manylinux_2_34", "litert-python"),
        ("azure:python3.11", "Debian 11", "x86_64-manylinux_2_31", "litert"),
        ("azure:python3.12", "Debian 12", "x86_64-manylinux_2_36", "litert"),
        ("gcp:python3.14", "Ubuntu 22.04", "x86_64-manylinux_2_35", "litert"),
        ("container", "any with glibc 2.28", "x86_64-manylinux_2_28", "litert"),
        ("container:3.13:arm64", "Debian 12", "aarch64-manylinux_2_36", "litert"),
    ],
)
def test_the_system_under_a_target_tells_its_wheels_and_its_engine(
    text: str, system: str, platform: str, engine: str
) -> None:
    made = parse(text)
    assert (made.base.system, made.platform, made.engine) == (system, platform, engine)


def test_wheels_are_never_newer_than_the_system() -> None:
    for one in every():
        level = one.platform.partition("manylinux")[2]
        asked = (2, 17) if level == "2014" else tuple(map(int, level.split("_")[1:]))
        assert asked <= one.base.glibc, one
        assert one.platform.startswith(targets._MACHINES[one.arch]), one
