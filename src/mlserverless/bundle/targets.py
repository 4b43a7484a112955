"""What a package is made for: a provider, a Python, an architecture, and the system that runs it there."""

from typing import NamedTuple

PROVIDERS = ("aws", "azure", "gcp", "container")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHES = ("x86_64", "arm64")
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
# Manylinux levels that uv resolves for, above manylinux2014 (PEP 599: glibc 2.17).
_LEVELS = tuple((2, minor) for minor in (28, *range(31, 41)))

Version = tuple[int, ...]


class Base(NamedTuple):
    """The system under a target's Python: the newest symbols that a shared library may ask of it."""

    system: str
    glibc: Version
    glibcxx: Version
    source: str
    date: str


_AL2 = Base("Amazon Linux 2", (2, 26), (3, 4, 24), "AWS Lambda developer guide, Lambda runtimes", "2026-11")
_AL2023 = Base("Amazon Linux 2023", (2, 34), (3, 4, 29), "AWS Lambda developer guide, Lambda runtimes", "2026-11")
_AZURE = "Azure Functions' container images, python"
_BULLSEYE = Base("Debian 11", (2, 31), (3, 4, 28), _AZURE, "2026-11")
_BOOKWORM = Base("Debian 12", (2, 36), (3, 4, 30), _AZURE, "2026-11")
_JAMMY = Base("Ubuntu 22.04", (2, 35), (3, 4, 30), "Cloud Run functions, runtime support", "2026-11")
_IMAGE = Base("Debian 12", (2, 36), (3, 4, 30), "python's official images", "2026-11")
_ANY = Base("any with glibc 2.28", (2, 28), (3, 4, 25), "PEP 600, manylinux_2_28", "2026-11")


class Target(NamedTuple):
    """One of them, as ``aws:python3.13:arm64``."""

    provider: str
    python: str = "3.13"
    arch: str = "x86_64"

    def __str__(self) -> str:
        return f"{self.provider}:python{self.python}:{self.arch}"

    @property
    def base(self) -> Base:
        """The system that runs it."""
        old = self.python == "3.11"
        if self.provider == "aws":
            return _AL2 if old else _AL2023
        if self.provider == "azure":
            return _BULLSEYE if old else _BOOKWORM
        if self.provider == "gcp":
            return _JAMMY
        return _ANY if self.arch == "x86_64" else _IMAGE

    @property
    def machine(self) -> str:
        """The architecture as the kernel, ELF tools and wheels name it: x86_64 or aarch64."""
        return _MACHINES[self.arch]

    @property
    def platform(self) -> str:
        """The platform that uv resolves wheels for: the newest manylinux level that the base has."""
        level = max((level for level in _LEVELS if level <= self.base.glibc), default=None)
        return f"{self.machine}-" + (f"manylinux_{level[0]}_{level[1]}" if level else "manylinux2014")

    @property
    def engine(self) -> str:
        """The engine that runs there: LiteRT's C interface where its library loads, else an older one's in Python.

        libLiteRt.so needs glibc 2.27 on x86_64, and GLIBCXX 3.4.30 on arm64, whatever its wheels' tags say.
        """
        loads = self.base.glibc >= (2, 27) and (self.arch == "x86_64" or self.base.glibcxx >= (3, 4, 30))
        return "litert" if loads else "litert-python"


def parse(text: str) -> Target:
    """Return the target that ``text`` names: ``aws``, ``aws:python3.13`` or ``aws:python3.13:arm64``.

    Raises ValueError, saying what is accepted.
    """
    provider, _, rest = text.partition(":")
    python, _, arch = rest.partition(":")
    return target(provider, python.removeprefix("python") or "3.13", arch or "x86_64")


def target(provider: str, python: str, arch: str) -> Target:
    """Return the target; raise ValueError where there is no such one, saying which there are."""
    accepted = (("provider", provider, PROVIDERS), ("Python", python, PYTHONS), ("architecture", arch, ARCHES))
    for what, given, known in accepted:
        if given not in known:
            raise ValueError(f"The {what} is {given!r}; give one of {', '.join(known)}.")
    if arch == "arm64" and provider in ("azure", "gcp"):
        raise ValueError(f"The architecture is 'arm64', which {provider}'s functions do not run on; give x86_64.")
    made = Target(provider, python, arch)
    if made.base.glibc < (2, 27) and arch != "x86_64":
        raise ValueError(
            f"{made} has glibc 2.26, for which obstore has no arm64 wheels; give Python 3.12 or later."
        )
    return made
