"""The package's shared libraries against the system that the target runs on."""

import re
from pathlib import Path

from mlserverless.bundle import elf
from mlserverless.bundle.elf import Needs
from mlserverless.bundle.preflight.case import Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok

# What every base has: glibc's own libraries, GCC's two, and zlib. Of manylinux's list (PEP 600) that is what is
# there without a desktop; libGL, libX11 and libglib, which OpenCV wants, are in none.
SYSTEM = re.compile(
    r"(ld-linux-(x86-64|aarch64)|libc|libm|libpthread|libdl|librt|libutil|libresolv|libstdc\+\+|libgcc_s|libz)"
    r"\.so\.\d+"
)
SYMBOL = re.compile(r"(GLIBC|GLIBCXX)_(\d+(?:\.\d+)+)")
ABI = re.compile(r"\.cpython-3(\d+)[a-z]*-")
SHOWN = 3
REBUILD = "Build the package for {}: `mlserverless build` takes the target's own wheels."


def architecture(case: Case) -> list[Finding]:
    """Every library is for the target's machine."""
    if case.package is None:
        return []
    found, broken = _needs(case.package.root)
    if broken:
        return [fail("architecture", broken, "Install that package anew, and build again.")]
    wrong = [one for one in found if one.machine != case.target.machine]
    if wrong:
        told = f"{_names(wrong, case)}: for {wrong[0].machine}, but {case.target} runs on {case.target.machine}"
        return [fail("architecture", told, _rebuild(case))]
    return [ok("architecture", f"libraries for {case.target.machine}: {len(found)}")]


def symbols(case: Case) -> list[Finding]:
    """No library asks for newer symbols of glibc or libstdc++ than the target's base has."""
    if case.package is None:
        return []
    base = case.target.base
    has = {"GLIBC": base.glibc, "GLIBCXX": base.glibcxx}
    newest: dict[str, tuple[tuple[int, ...], str]] = dict.fromkeys(has, ((0,), ""))
    carried = {path.name for path in case.package.root.rglob("libstdc++.so*")}
    for one in _needs(case.package.root)[0]:
        for version in one.versions:
            if told := SYMBOL.fullmatch(version):
                if told[1] == "GLIBCXX" and carried:
                    continue
                number = tuple(map(int, told[2].split(".")))
                newest[told[1]] = max(newest[told[1]], (number, _short(one.path, case)))
    findings = []
    for kind, (number, name) in newest.items():
        check = kind.lower()
        if number > has[kind]:
            told_ = f"{name} needs {kind}_{_dotted(number)}, and {base.system} has {_dotted(has[kind])} at most"
            source = f"{base.source} (read {base.date})"
            mend = f"{_rebuild(case)} Or take a newer Python there, which may stand on a newer system."
            findings.append(fail(check, told_, mend)._replace(source=source))
        elif name:
            findings.append(ok(check, f"{_dotted(number)} at most; {base.system} has {_dotted(has[kind])}"))
    return findings


def libraries(case: Case) -> list[Finding]:
    """Every library that one needs is in the package or in every base."""
    if case.package is None:
        return []
    found = [one for one in _needs(case.package.root)[0] if one.machine == case.target.machine]
    there = {path.name for path in case.package.root.rglob("*.so*")}
    missing: dict[str, Needs] = {}
    for one in found:
        for name in one.libraries:
            if name not in there and not SYSTEM.fullmatch(name):
                missing.setdefault(name, one)
    if missing:
        pairs = [f"{name} (for {_short(one.path, case)})" for name, one in sorted(missing.items())[:SHOWN]]
        mend = "Take a wheel that brings it (OpenCV: opencv-python-headless), or an image whose base has it."
        told = f"neither in the package nor on {case.target.base.system}: {', '.join(pairs)}"
        return [fail("libraries", told, mend)]
    return [ok("libraries", "all that is needed is in the package or its base")]


def python(case: Case) -> list[Finding]:
    """Every extension module is for the target's Python, by its file's name."""
    if case.package is None:
        return []
    wanted = case.target.python.partition(".")[2]
    wrong = [
        (path, told[1])
        for path in sorted(case.package.root.rglob("*.so"))
        if (told := ABI.search(path.name)) and told[1] != wanted
    ]
    if wrong:
        path, minor = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        told_ = f"{_short(path, case)}{more}: for Python 3.{minor}, but {case.target} has {case.target.python}"
        return [fail("python-abi", told_, _rebuild(case))]
    return [ok("python-abi", f"the extension modules are for Python {case.target.python}, or for any")]


def _needs(root: Path) -> tuple[list[Needs], str]:
    """Return what can be read of the libraries, and what is wrong with the first that cannot."""
    found, broken = [], ""
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            if (one := elf.read(path)) is not None:
                found.append(one)
        except ValueError as error:
            broken = broken or str(error).replace(f"{root}/", "")
    return found, broken


def _names(wrong: list[Needs], case: Case) -> str:
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return ", ".join(_short(one.path, case) for one in wrong[:SHOWN]) + more


def _short(path: Path, case: Case) -> str:
    return str(path.relative_to(case.package.root)) if case.package else path.name


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _rebuild(case: Case) -> str:
    return REBUILD.format(case.target)
