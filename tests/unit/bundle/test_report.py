"""What a build made, as it is shown."""

from pathlib import Path

import pytest
from rich.console import Console

from mlserverless.bundle import report
from mlserverless.bundle.package import Dropped, Package
from mlserverless.bundle.targets import Target


def shown(package: Package) -> list[str]:
    """Return the lines on a wide console, without the tables' frames, their runs of spaces made one."""
    console = Console(width=160, color_system=None)
    with console.capture() as captured:
        console.print(report.render(package))
    lines = captured.get().replace("│", " ").replace("┃", " ").splitlines()
    return [" ".join(line.split()) for line in lines]


@pytest.fixture
def made(tmp_path: Path) -> Package:
    for name, size in {"app.py": 100_000, "PIL/a.so": 4_000_000}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
    dropped = (
        Dropped("a/small.py", 100_000, "a module that nothing imported or names"),
        Dropped("a/large.py", 200_000, "a module that nothing imported or names"),
        Dropped("lib.so", 9_000_000, "a library that nothing opened or needs"),
    )
    target, archive = Target("aws", "3.12"), Path("build/aws/function.zip")
    return Package(
        target, tmp_path, tmp_path, archive, 4_100_000, 1_990_000, 68_300_000, "99 golden answers", dropped
    )


def test_it_shows_what_is_in_it_what_was_left_out_and_the_proof(made: Package) -> None:
    lines = shown(made)
    assert lines[0] == "aws:python3.12:x86_64"
    assert f"PIL 4.0 MB {'█' * report.WIDTH}" in lines
    assert "entry file 0.1 MB ▊" in lines
    libraries = lines.index("a library that nothing opened or needs 9.0 MB 1 lib.so")
    assert lines.index("a module that nothing imported or names 0.3 MB 2 a/large.py") == libraries + 1
    assert lines[-2:] == [
        "build/aws/function.zip: 2.0 MB zipped, 4.1 MB unpacked",
        "proof: 99 golden answers; at most 68.3 MB of memory",
    ]


def test_a_whole_one_that_was_not_run_has_less_to_show(made: Package) -> None:
    lines = shown(made._replace(archive=None, peak=None, dropped=(), proof="not run"))
    assert not any("left out" in line for line in lines)
    assert lines[-2:] == ["4.1 MB unpacked", "proof: not run"]


@pytest.mark.parametrize(
    ("share", "length", "end"), [(1, 30, "█"), (0.5, 15, "█"), (0.05, 2, "▌"), (1 / 240, 1, "▏"), (0, 0, "")]
)
def test_a_bar_is_as_long_as_its_share(share: float, length: int, end: str) -> None:
    found = report.bar(share)
    assert (len(found), found[-1:]) == (length, end)


def test_sizes_are_in_decimal_megabytes() -> None:
    assert [report.megabytes(size) for size in (0, 49_999, 1_000_000, 250e6)] == [
        "0.0 MB",
        "0.0 MB",
        "1.0 MB",
        "250.0 MB",
    ]
