"""What a package can do without, by rule: told from what real predictions imported and opened.

A rule looks at one file and at what was used; it names no package, so a new release needs no new rule. Python's
modules are kept where one that was imported names them, since it may import them later; a library is kept where it
was opened, or where one that is kept needs it (ELF's DT_NEEDED).
"""

import csv
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlserverless.bundle import elf
from mlserverless.bundle.archive import files
from mlserverless.bundle.package import Dropped
from mlserverless.bundle.targets import Target

ADAPTERS = {"aws": ("aws",), "azure": ("azure",), "gcp": ("gcp.py",), "container": ("wsgi.py",)}
TOOLS = ("batch", "bundle", "certification", "cli", "conversion", "inspection", "local", "measure", "testing")
# Modules that only those, or the command line, import.
ALONE = ("__main__.py", "metadata/archive.py", "metadata/schema.py", "metadata/write.py")
# Whose docstrings are read: numpy hands them from one function to another when it is imported, and takes no None;
# those of ours stand in the OpenAPI document.
DOCUMENTED = ("numpy/", "mlserverless/errors.py", "mlserverless/types.py")
LIBRARY = re.compile(r"\.(so(\.[\d.]+)?|dylib)$")
ABI = re.compile(r"\.(cpython-\d+[^.]*|abi3)(?=\.so$|\.dylib$)|\.cpython-\d+-darwin(?=\.so$)")
SOURCES = (".pyi", ".pyx", ".pxd", ".h", ".hpp", ".c", ".cc", ".a", ".typed", ".md", ".rst", ".ipynb")
TESTS = {"tests", "test", "testing", "_tests"}
LEGAL = re.compile(r"(licen[cs]e|copying|notice|authors)", re.I)
# From the least to the most daring; the last is undone first.
RULES = (
    "the installer's own records",
    "of no use when it runs",
    "of another cloud, or of the command line",
    "a package that nothing imported",
    "a library that nothing opened or needs",
    "data that nothing opened",
    "a subpackage of which nothing was imported",
    "a module that nothing imported or names",
)
RECORDS, UNUSED, ELSEWHERE, PACKAGE, SHARED, DATA, FOLDER, MODULE = RULES


class Facts(NamedTuple):
    """What is known of a package: its ``root``, what was ``used`` of it, what each file belongs to."""

    root: Path
    target: Target
    used: frozenset[str]  # relative names without a build's ABI, so that they hold for another architecture
    needed: frozenset[str]  # libraries that are opened, or needed by one that is
    named: frozenset[str]  # modules that were imported, or are named by one that is kept
    owners: dict[str, str]  # a file's distribution
    living: frozenset[str]  # distributions of which anything was used
    entered: frozenset[str]  # folders of which a module was imported
    whole: frozenset[str] = frozenset()  # distributions that are left as they are


def neutral(name: str) -> str:
    """Return a relative file name as it is on every platform: ``PIL/_imaging.so``."""
    return re.sub(r"\.dylib$", ".so", ABI.sub("", name))


def gather(root: Path, target: Target, used: Iterable[str], whole: Iterable[str] = ()) -> Facts:
    """Return the facts of the package in ``root``, given what was ``used``: :func:`neutral` names.

    Distributions that are named in ``whole``, and all that these ask for, are left as they are.
    """
    names, marked = [path.as_posix() for path in files(root)], frozenset(used)
    opened = [root / name for name in names if LIBRARY.search(name) and neutral(name) in marked]
    needed = {path.relative_to(root).as_posix() for path in (*opened, *elf.closure(opened, root))}
    owners = _owners(root)
    living = {owner for name, owner in owners.items() if neutral(name) in marked}
    named = _named(root, [n for n in names if n.endswith(".py") and n in marked], set(names))
    entered = {str(parent) for name in marked for parent in PurePosixPath(name).parents}
    return Facts(
        root,
        target,
        marked,
        frozenset(needed),
        frozenset(named),
        owners,
        frozenset(living),
        frozenset(entered),
        _asked_for(root, whole),
    )


def rule(facts: Facts, name: str) -> str:
    """Return the rule by which the file ``name`` is left out, or "" where it stays."""
    path = PurePosixPath(name)
    top, suffix = path.parts[0], path.suffix
    if facts.owners.get(name, "") in facts.whole or suffix == ".dylib":  # a Mac's, whose needs ELF does not tell
        return ""
    if top == "mlserverless":
        return _ours(facts.target, path)
    if top.endswith(".dist-info"):
        owner = facts.owners.get(name, "")
        if owner and owner not in facts.living:
            return PACKAGE
        return "" if LEGAL.search(name.partition("/")[2]) or path.name == "METADATA" else RECORDS
    if neutral(name) in facts.used or name in facts.needed:
        return ""
    if LEGAL.search(path.name) and not suffix.startswith(".py"):
        return "" if facts.owners.get(name, "") in facts.living else PACKAGE
    if suffix in SOURCES or TESTS & set(path.parts[:-1]):
        return UNUSED
    if name in facts.owners and facts.owners[name] not in facts.living:
        return PACKAGE
    if LIBRARY.search(name):
        return SHARED
    if suffix == ".py" and str(path.parent) not in facts.entered:
        return FOLDER
    if suffix == ".py":
        return "" if name in facts.named or len(path.parts) == 1 else MODULE
    return DATA


def undocumented(root: Path, whole: Iterable[str]) -> frozenset[str]:
    """Return the modules in ``root`` whose bytecode needs no docstrings: not those of what is left ``whole``."""
    owners, left = _owners(root), _asked_for(root, whole)
    names = (path.as_posix() for path in files(root) if path.suffix == ".py")
    return frozenset(
        name for name in names if owners.get(name, "") not in left and not name.startswith(DOCUMENTED)
    )


def _ours(target: Target, path: PurePosixPath) -> str:
    inner = path.parts[1:]
    if inner[0] == "_models":  # whatever its files are called
        return ""
    if inner[0] in TOOLS or "/".join(inner) in ALONE:
        return ELSEWHERE
    if inner[0] == "adapters" and inner[1] not in ("__init__.py", *ADAPTERS[target.provider]):
        return ELSEWHERE
    return UNUSED if path.suffix in SOURCES else ""


def plan(facts: Facts) -> list[Dropped]:
    """Return what is to be left out."""
    found = ((path.as_posix(), rule(facts, path.as_posix())) for path in files(facts.root))
    return [Dropped(name, (facts.root / name).stat().st_size, why) for name, why in found if why]


def move(dropped: Iterable[Dropped], root: Path, into: Path) -> None:
    """Move the files from ``root`` to the same places below ``into``; remove folders that are empty then."""
    for one in dropped:
        destination = into / one.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / one.path, destination)
    for folder, _, _ in os.walk(root, topdown=False):
        if not os.listdir(folder) and Path(folder) != root:
            os.rmdir(folder)


def own(entry: Path, ours: Path, site: Path, theirs: Iterable[str]) -> frozenset[str]:
    """Return the distributions that no golden request can tell of: the user's own, and what his code names."""
    owners, named = _owners(site), set(theirs)
    told = _words(entry) - _words(ours)  # what our own entry file imports, golden requests do tell of
    for path in (f"{module}{end}" for module in told for end in (".py", "/__init__.py")):
        named |= {owners[path].partition("-")[0]} if path in owners else set()
    return frozenset(named)


def _words(folder: Path) -> set[str]:
    return {name for file in folder.glob("*.py") for name in _imports(file, PurePosixPath(file.name))}


def _asked_for(root: Path, names: Iterable[str]) -> frozenset[str]:
    held = {_plain(path.name.partition("-")[0]): path for path in root.glob("*.dist-info")}
    found, queue = set[str](), [_plain(name) for name in names]
    while queue:
        if (path := held.get(queue.pop())) is not None and path.name not in found:
            found.add(path.name)
            text = (path / "METADATA").read_text(encoding="utf-8")
            queue += [_plain(name) for name in re.findall(r"(?m)^Requires-Dist: *([\w.-]+)", text)]
    return frozenset(found)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _owners(root: Path) -> dict[str, str]:
    owners: dict[str, str] = {}
    for record in root.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as file:
            owners |= {row[0]: record.parent.name for row in csv.reader(file) if row}
    return owners


def _named(root: Path, imported: list[str], names: set[str]) -> set[str]:
    """Return the modules of ``imported`` and those of the same distribution that any of them could import."""
    found, queue = set(imported), list(imported)
    while queue:
        name = queue.pop()
        for other in _imports(root / name, PurePosixPath(name)):
            top = other.split("/")[0]
            if top != name.split("/")[0]:
                continue
            for path in (f"{other}.py", f"{other}/__init__.py"):
                if path in names and path not in found:
                    found.add(path)
                    queue.append(path)
    return found


# Read by pattern: the target's Python may know more syntax than this one. A word too many keeps a module too many.
_FROM = re.compile(r"(?:^|[:;])[ \t]*from[ \t]*(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]+)", re.M)
_IMPORT = re.compile(r"(?:^|[:;])[ \t]*import[ \t]+([^\n;]+)", re.M)
_BETWEEN = re.compile(r"#[^\n]*|\\\n")  # comments, and the ends of lines that go on


def _imports(file: Path, name: PurePosixPath) -> set[str]:
    text = _BETWEEN.sub(" ", file.read_text(encoding="utf-8", errors="replace"))
    found = {part.split()[0].replace(".", "/") for line in _IMPORT.findall(text) for part in _parts(line)}
    for dots, module, names in _FROM.findall(text):
        base = list(name.parent.parts[: len(name.parent.parts) - len(dots) + 1]) if dots else []
        base += [part for part in module.split(".") if part]
        found |= {"/".join(base)} | {"/".join([*base, part.split()[0]]) for part in _parts(names)}
    # A package's own __init__ is imported before any module in it.
    return found | {parent for one in found for parent in map(str, PurePosixPath(one).parents) if parent != "."}


def _parts(names: str) -> list[str]:
    """Return what a list of imported names has, without brackets; each may end in ``as …``."""
    return [part for part in re.sub(r"[()]", "", names).split(",") if part.strip()]
