"""What a build made, shown: what is in the package, what was left out and why, how it was proven."""

from collections import Counter
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mlserverless.bundle import record
from mlserverless.bundle.package import Package

WIDTH = 30  # of the longest bar, in characters


def megabytes(size: float) -> str:
    """Return a size in bytes as megabytes (10⁶ bytes), to one decimal."""
    return f"{size / 1e6:.1f} MB"


def bar(share: float) -> str:
    """Return a bar as long as ``share`` (0 to 1) of the longest."""
    whole, eighths = divmod(round(share * WIDTH * 8), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()


def render(package: Package) -> Any:
    """Return what :class:`rich.console.Console` prints of the package."""
    inside = Table("in it", "unpacked", "", title=f"{package.target}", title_justify="left")
    contents = record.contents(package.root)
    for name, size in contents.items():
        inside.add_row(name, megabytes(size), bar(size / max(contents.values())))
    parts: list[Any] = [inside]
    if package.dropped:
        parts.append(left_out(package))
    sizes = f"{megabytes(package.unpacked)} unpacked"
    if package.archive:
        sizes = f"{package.archive}: {megabytes(package.zipped)} zipped, {sizes}"
    peak = f"; at most {megabytes(package.peak)} of memory" if package.peak else ""
    return Group(*parts, Text(sizes), Text(f"proof: {package.proof}{peak}"))


def left_out(package: Package) -> Table:
    """Return the table of what was left out, by rule, each with its largest file."""
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for one in package.dropped:
        sizes[one.rule] += one.size
        counts[one.rule] += 1
    table = Table("left out", "unpacked", "files", "the largest", title="", title_justify="left")
    for rule, size in sizes.most_common():
        largest = max((one for one in package.dropped if one.rule == rule), key=lambda one: one.size)
        table.add_row(rule, megabytes(size), str(counts[rule]), largest.path)
    return table
