"""Packages against their target: libraries, sizes, contents."""

import shutil
import struct
import sys
from pathlib import Path

import PIL
import pytest

from helpers.preflight import case, only, statuses, template
from mlserverless.bundle import limits
from mlserverless.bundle.package import Package
from mlserverless.bundle.preflight import Case, binaries, contents, sizes
from mlserverless.bundle.stage import AZURE_SITE
from mlserverless.bundle.targets import Base, Target, parse

SITE = Path(PIL.__file__).parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's own libraries, Linux's")


def elf_header(machine: int) -> bytes:
    return struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 3, machine, 1, 0, 0, 0, 0, 64, 0, 0, 64, 0, 0
    )


def packed(tmp_path: Path, target: str = "aws", archive: bool = True, **sparse: int) -> Case:
    """Return the case of a package with ``sparse`` files of these sizes, an empty zip, and nothing else."""
    out = tmp_path / "built"
    (out / "package").mkdir(parents=True, exist_ok=True)
    for name, size in sparse.items():
        with (out / "package" / name).open("wb") as file:
            file.truncate(size)
    if archive:
        (out / "function.zip").touch()
    package = Package(parse(target), out, out / "package", out / "function.zip" if archive else None, 0, 0)
    return case(tmp_path / "deploy", target, package)


def put(examined: Case, name: str, data: bytes) -> None:
    assert examined.package is not None
    path = examined.package.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_without_a_package_its_checks_say_nothing(tmp_path: Path) -> None:
    examined = case(tmp_path)
    checks = (
        binaries.architecture,
        binaries.symbols,
        binaries.libraries,
        binaries.python,
        sizes.examine,
        contents.named,
    )
    assert [check(examined) for check in checks] == [[]] * len(checks)


def test_libraries_are_for_the_targets_machine(tmp_path: Path) -> None:
    examined = packed(tmp_path)
    put(examined, "a/x.so", elf_header(62))
    assert only(binaries.architecture, examined).told == "libraries for x86_64: 1"
    for number in range(5):
        put(examined, f"a/y{number}.so", elf_header(183))
    finding = only(binaries.architecture, examined)
    assert finding.status == "fail"
    assert finding.told == (
        "a/y0.so, a/y1.so, a/y2.so and 2 more: for aarch64, but aws:python3.13:x86_64 runs on x86_64"
    )


def test_a_broken_library_is_told_by_its_name(tmp_path: Path) -> None:
    examined = packed(tmp_path)
    put(examined, "a/x.so", elf_header(62)[:40])
    finding = only(binaries.architecture, examined)
    assert (finding.status, finding.told.startswith("a/x.so is a corrupt ELF file")) == ("fail", True)


@linux
def test_symbols_are_no_newer_than_the_base_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examined = packed(tmp_path)
    assert examined.package is not None
    shutil.copytree(SITE / "PIL", examined.package.root / "PIL")
    assert {status for _, status in statuses(binaries.symbols(examined))} == {"ok"}
    old = Base("an old system", (2, 2), (3, 4, 0), "a page", "2026-11")
    monkeypatch.setattr(Target, "base", property(lambda _: old))
    glibc = next(finding for finding in binaries.symbols(examined) if finding.check == "glibc")
    assert (glibc.status, glibc.source) == ("fail", "a page (read 2026-11)")
    assert "an old system has 2.2 at most" in glibc.told


@linux
def test_libraries_are_in_the_package_or_in_every_base(tmp_path: Path) -> None:
    examined = packed(tmp_path)
    assert examined.package is not None
    shutil.copytree(SITE / "PIL", examined.package.root / "PIL")
    missing = only(binaries.libraries, examined)
    assert (missing.check, missing.status) == ("libraries", "fail")
    assert "for PIL/_" in missing.told
    shutil.copytree(SITE / "pillow.libs", examined.package.root / "pillow.libs")
    assert only(binaries.libraries, examined).status == "ok"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("x.cpython-313-x86_64-linux-gnu.so", "ok"),
        ("x.cpython-312-x86_64-linux-gnu.so", "fail"),
        ("x.cpython-313t-x86_64-linux-gnu.so", "ok"),
        ("x.abi3.so", "ok"),
        ("libx.so", "ok"),
    ],
)
def test_extension_modules_are_for_the_targets_python(tmp_path: Path, name: str, status: str) -> None:
    examined = packed(tmp_path)
    put(examined, name, b"")
    assert only(binaries.python, examined).status == status


@pytest.mark.parametrize(
    ("target", "zipped", "whole", "found"),
    [
        ("aws", limits.ZIP_DIRECT.value, limits.UNPACKED.value, {("zip-size", "ok"), ("unpacked-size", "ok")}),
        ("aws", limits.ZIP_DIRECT.value + 1, 1, {("zip-size", "warn"), ("unpacked-size", "ok")}),
        ("aws", 1, limits.UNPACKED.value + 1, {("zip-size", "ok"), ("unpacked-size", "fail")}),
        ("azure", limits.AZURE_PACKAGE.value, 1, {("zip-size", "ok")}),
        ("azure", limits.AZURE_PACKAGE.value + 1, 1, {("zip-size", "fail")}),
        ("gcp", limits.GCP_SOURCE.value + 1, 1, {("zip-size", "warn"), ("unpacked-size", "ok")}),
        ("gcp", 1, limits.GCP_SOURCE_UNPACKED.value + 1, {("zip-size", "ok"), ("unpacked-size", "warn")}),
    ],
)
def test_archives_are_as_large_as_the_platform_takes(
    tmp_path: Path, target: str, zipped: int, whole: int, found: set[tuple[str, str]]
) -> None:
    examined = packed(tmp_path, target, large=whole)
    with (tmp_path / "built" / "function.zip").open("wb") as file:
        file.truncate(zipped)
    assert statuses(sizes.examine(examined)) == found


def test_an_image_may_have_ten_gigabytes(tmp_path: Path) -> None:
    for size, status in {limits.IMAGE.value: "ok", limits.IMAGE.value + 1: "fail"}.items():
        finding = only(sizes.examine, packed(tmp_path, archive=False, large=size))
        assert (finding.check, finding.status) == ("image-size", status)
    assert only(sizes.examine, packed(tmp_path, "container", archive=False, large=1)).status == "ok"


def test_a_function_has_five_layers_and_the_one_that_holds_its_packages(tmp_path: Path) -> None:
    layers = ("Layers: [a, b, c, d, e]", "Layers: [a, b, c, d, e, f]")
    assert sizes.examine(case(tmp_path, template_yaml=template(layers[0]))) == []
    assert only(sizes.examine, case(tmp_path, template_yaml=template(layers[1]))).check == "layers"
    examined = packed(tmp_path)
    (tmp_path / "built" / "layer.zip").touch()
    assert ("layers", "fail") in statuses(sizes.examine(examined))
    used = case(tmp_path, package=examined.package, template_yaml=template("Layers: [!Ref Packages]"))
    assert "layers" not in {finding.check for finding in sizes.examine(used)}


@pytest.mark.parametrize(
    ("target", "files", "status"),
    [
        ("aws", ["ai_edge_litert/libLiteRt.so", "PIL/__init__.pyc", "mlserverless/__init__.py"], "ok"),
        ("aws", ["PIL/__init__.py", "mlserverless/__init__.py"], "fail"),
        ("aws", ["ai_edge_litert/libLiteRt.so", "mlserverless/__init__.py"], "fail"),
        ("aws", ["ai_edge_litert/libLiteRt.so", "PIL/__init__.py"], "fail"),
        (
            "aws:python3.11",
            ["ai_edge_litert/interpreter.py", "PIL/__init__.py", "mlserverless/__init__.py"],
            "fail",
        ),
        (
            "aws:python3.11",
            ["ai_edge_litert/interpreter.py", "numpy/__init__.py", "PIL/__init__.py", "mlserverless/__init__.py"],
            "ok",
        ),
    ],
)
def test_a_package_has_the_engine_of_its_target_and_what_that_imports(
    tmp_path: Path, target: str, files: list[str], status: str
) -> None:
    examined = packed(tmp_path, target)
    for name in files:
        put(examined, name, b"")
    assert only(contents.engine, examined).status == status


def test_azures_packages_are_looked_for_where_they_are(tmp_path: Path) -> None:
    examined = packed(tmp_path, "azure")
    for name in ("ai_edge_litert/libLiteRt.so", "PIL/__init__.py", "mlserverless/__init__.py"):
        put(examined, f"{AZURE_SITE}/{name}", b"")
    assert only(contents.engine, examined).status == "ok"


@pytest.mark.parametrize(
    ("target", "engine", "requirements", "status"),
    [
        ("aws", "auto", "", "ok"),
        ("aws:python3.11", "auto", "", "ok"),
        ("aws:python3.11", "litert", "", "fail"),
        ("aws", "tflite-runtime", "", "fail"),
        ("aws", "tflite-runtime", "tflite-runtime==2.14.0", "fail"),
        ("azure:python3.11", "tflite-runtime", "tflite-runtime==2.14.0", "ok"),
        ("container", "tensorflow", "", "fail"),
    ],
)
def test_the_engine_that_the_settings_name_runs_on_the_target(
    tmp_path: Path, target: str, engine: str, requirements: str, status: str
) -> None:
    files = {"mlserverless_toml": f'engine = "{engine}"\n', "requirements_txt": requirements}
    finding = only(contents.engine, case(tmp_path, target, **files))
    assert (finding.check, finding.status) == ("engine", status)


def test_stores_need_their_client(tmp_path: Path) -> None:
    examined = packed(tmp_path)
    deploy = examined.deploy
    for place, status in {"mlserverless_toml": "fail", "template_yaml": "warn"}.items():
        environment = "Environment: {Variables: {MLSERVERLESS_SINK: !Sub 's3://${X}/y'}}"
        text = 'sink = "gs://bucket/x"\n' if place == "mlserverless_toml" else template(environment)
        (deploy / "mlserverless.toml").unlink(missing_ok=True)
        found = contents.engine(case(deploy, package=examined.package, **{place: text}))
        assert ("stores", status) in statuses(found)
    put(examined, "obstore/__init__.py", b"")
    assert "stores" not in {finding.check for finding in contents.engine(case(deploy, package=examined.package))}


def test_a_template_names_the_model_that_is_in_the_package(tmp_path: Path) -> None:
    examined = packed(tmp_path)
    put(examined, "mlserverless/_models/mine/model.toml", b"")
    for name, status in {"mine": "ok", "efficientnet-lite0": "warn", "https://x/y": "ok"}.items():
        text = template(f"Environment: {{Variables: {{MLSERVERLESS_MODEL: '{name}'}}}}")
        finding = only(contents.named, case(tmp_path / "d", package=examined.package, template_yaml=text))
        assert (finding.check, finding.status) == ("model-name", status)
