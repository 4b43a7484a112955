"""Make a stand-in for a base image without a registry: Debian's smallest system with a Python of this machine.

Usage: base_image.py NAME [--python VERSION] [--store FOLDER]
NAME is what a Dockerfile's BASE_IMAGE says. The image is kept in a store of images of its own, until something
that it is made of changes. Needs root and the Debian packages that tools/ci_packages.sh installs. Prints the
image's id; CONTAINERS_STORAGE_CONF=FOLDER/storage.conf shows it to buildah and podman.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mlserverless.bundle import resolve

STORE = Path(__file__).resolve().parents[1] / ".cache" / "images"
CONF = '[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n'
LABEL = "made-of"
# What an image has no use for. Official images of Python hold no bytecode either.
LEFT_OUT = re.compile(
    r"/(__pycache__|test|idlelib|tkinter|turtledemo|ensurepip|site-packages|pkgconfig|config-[^/]*)$"
)
UNUSED = (
    "_tkinter",
    "_curses",
    "readline",
    "_dbm",
    "_gdbm",
    "_test",
    "xx",
)  # of the standard library's extensions
UNREAD = ("doc", "man", "locale")
PROBE = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('stdlib'), sys.version, sep='\\n')"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


def store(folder: Path) -> dict[str, str]:
    """Make a store of images in ``folder``; return the environment in which buildah and podman use it."""
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "storage.conf"
    driver = "overlay" if _overlays(folder) else "vfs"
    conf.write_text(CONF.format(driver=driver, folder=folder), encoding="utf-8")
    return {**os.environ, "CONTAINERS_STORAGE_CONF": str(conf), "BUILDAH_ISOLATION": "chroot"}


def _overlays(folder: Path) -> bool:
    """Return whether an overlay can be mounted on this disk."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        parts = {name: Path(made, name) for name in ("lower", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir()
        options = "lowerdir={lower},upperdir={upper},workdir={work}".format(**parts)
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
        if subprocess.run(command, capture_output=True).returncode:
            return False
        subprocess.run(["umount", str(parts["merged"])], check=True)
        return True


def make(name: str, version: str, environment: dict[str, str], folder: Path) -> str:
    """Return the id of the image ``name`` with a Python of ``version``, which is made unless it is there."""
    python = resolve.interpreter(version)
    if python is None:
        raise SystemExit(f"This machine has no Python {version}.")
    probed = _output([python, "-c", PROBE]).splitlines()
    prefix, stdlib = Path(probed[0]), Path(probed[1])
    packages = libraries(prefix, stdlib)
    made_of = "\n".join([*probed, *packages, Path("/etc/os-release").read_text(), Path(__file__).read_text()])
    key = hashlib.sha256(made_of.encode()).hexdigest()
    if found := known(name, key, environment):
        return found
    with tempfile.TemporaryDirectory(dir=folder) as made:
        archive(prefix, Path(made, "python.tar"))
        system(packages, Path(made, "python.tar"), Path(made, "system.tar"))
        changes = (f"LABEL {LABEL}={key}", f"ENV PATH={PATH}", "ENV LANG=C.UTF-8", 'CMD ["python3"]')
        command = ["podman", "import", "--quiet", *(f"--change={change}" for change in changes)]
        subprocess.run([*command, f"{made}/system.tar", name], env=environment, check=True, stdout=sys.stderr)
    return known(name, key, environment) or ""


def known(name: str, key: str, environment: dict[str, str]) -> str | None:
    """Return the id of the image ``name`` if it was made of what ``key`` says."""
    shape = f'{{{{.Id}}}} {{{{index .Labels "{LABEL}"}}}}'
    command = ["podman", "image", "inspect", "--format", shape, name]
    told = subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split()
    return told[0] if told[1:] == [key] else None


def libraries(prefix: Path, stdlib: Path) -> list[str]:
    """Return the Debian packages with the shared libraries that the Python below ``prefix`` needs."""
    files = [path for path in (stdlib / "lib-dynload").glob("*.so") if not path.name.startswith(UNUSED)]
    told = _output(["ldd", str(prefix / "bin/python3"), *map(str, files)])
    names = {"ca-certificates"}
    for path in set(re.findall(r"=> (/\S+)", told)):
        for spelled in (path, f"/usr{path}"):  # /lib is a link to /usr/lib, and either may be recorded
            owner = subprocess.run(["dpkg", "-S", spelled], capture_output=True, text=True)
            names |= {line.partition(":")[0] for line in owner.stdout.splitlines() if line.endswith(spelled)}
    return sorted(names)


def archive(prefix: Path, into: Path) -> None:
    """Write the Python below ``prefix`` into the archive ``into``, without what an image has no use for."""

    def keep(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        unused = "/lib-dynload/" in entry.name and Path(entry.name).name.startswith(UNUSED)
        return None if unused or LEFT_OUT.search(entry.name) or entry.name.endswith(".a") else entry

    with tarfile.open(into, "w") as tar:
        for path in (prefix / "lib", *sorted((prefix / "bin").glob("python*"))):
            if not path.name.endswith(("-config", ".py")):
                tar.add(path, f"./{path.relative_to(prefix)}", filter=keep)


def system(packages: list[str], python: Path, into: Path) -> None:
    """Write an archive of the minimal system with ``packages``, and the archive ``python`` below /usr/local."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob(f"{release['ID']}.sources")]
    sources = [str(path) for path in places if path.is_file() and path.read_text().strip()]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNREAD]
    command += [f"--customize-hook=tar-in {python} /usr/local", '--customize-hook=chroot "$1" ldconfig']
    suite = release["VERSION_CODENAME"].strip('"')
    subprocess.run([*command, suite, str(into), *sources], check=True, stdout=sys.stderr)


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(prog="base_image.py", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--python", default="3.13", metavar="VERSION")
    parser.add_argument("--store", type=Path, default=STORE, metavar="FOLDER")
    given = parser.parse_args()
    folder = given.store.resolve()
    print(make(given.name, given.python, store(folder), folder))


if __name__ == "__main__":
    main()
