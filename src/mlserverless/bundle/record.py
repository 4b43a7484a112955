"""``build.json``: what was built of what, what was left out and why, and how it was proven."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from mlserverless import __version__
from mlserverless.bundle import archive
from mlserverless.bundle.package import MADE, Package


def write(package: Package, versions: dict[str, str], layer: Path | None) -> None:
    """Write the package's build.json. It holds no time and no path of this machine."""
    rules: Counter[str] = Counter()
    for one in package.dropped:
        rules[one.rule] += one.size
    told: dict[str, Any] = {
        "target": str(package.target),
        "mlserverless": __version__,
        "root": package.root.name,
        "unpacked": package.unpacked,
        "zipped": package.zipped,
        "models": package.models,
        "proof": package.proof,
        "peak_megabytes": round(package.peak / 1e6) if package.peak else None,
        "archives": {
            path.name: {"sha256": archive.sha256(path), "bytes": path.stat().st_size}
            for path in (package.archive, layer)
            if path is not None
        },
        "files": digests(package.out),
        "packages": versions,
        "contents": contents(package.root),
        "dropped_bytes": dict(rules.most_common()),
        "dropped": {rule: [one.path for one in package.dropped if one.rule == rule] for rule in rules},
    }
    (package.out / MADE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def digests(out: Path) -> str:
    """Return one sha256 of the names and bytes of all files below ``out`` but build.json."""
    named = [path for path in archive.files(out) if path != Path(MADE)]
    lines = (f"{archive.sha256(out / path)} {path.as_posix()}\n" for path in named)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def contents(root: Path) -> dict[str, int]:
    """Return the unpacked bytes of each top-level part of the package, the largest first."""
    sizes: Counter[str] = Counter()
    for path in archive.files(root):
        sizes[part(path)] += (root / path).stat().st_size
    return dict(sizes.most_common())


def part(path: Path) -> str:
    """Return the part of a package that the file belongs to: a top-level package, our own or the model."""
    parts = path.parts[3:] if path.parts[0] == ".python_packages" else path.parts
    if parts[:2] == ("mlserverless", "_models"):
        return f"model {parts[2]}"
    if len(parts) == 1:
        return "entry file"
    return parts[0].removesuffix(".libs")
