"""What a package can do without: each rule with a small tree, told what was used of it."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import PIL
import pytest

from mlserverless.bundle import elf, slim
from mlserverless.bundle.archive import files
from mlserverless.bundle.package import Dropped
from mlserverless.bundle.slim import DATA, ELSEWHERE, FOLDER, MODULE, PACKAGE, RECORDS, SHARED, UNUSED
from mlserverless.bundle.targets import Target

AWS = Target("aws", "3.13")
INFO = "alpha-1.0.dist-info"


def tree(root: Path, held: dict[str, str], distributions: dict[str, tuple[str, ...]] | None = None) -> Path:
    """Write the files, and a RECORD for each distribution with the names below its top-level ones."""
    for name, text in held.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for info, tops in (distributions or {}).items():
        (root / info).mkdir(exist_ok=True)
        owned = [n for n in map(str, files(root)) if n.split("/")[0] in (*tops, info)]
        record = "".join(f"{name},sha256=x,1\n" for name in [*owned, f"{info}/RECORD"])
        (root / info / "RECORD").write_text(record + "\n")
    return root


def left_out(root: Path, used: Iterable[str], target: Target = AWS) -> dict[str, str]:
    """Return the rule for each file that the plan leaves out."""
    return {one.path: one.rule for one in slim.plan(slim.gather(root, target, used))}


@pytest.mark.parametrize(
    ("name", "everywhere"),
    [
        ("PIL/_imaging.cpython-313-x86_64-linux-gnu.so", "PIL/_imaging.so"),
        ("PIL/_imaging.cpython-312-aarch64-linux-gnu.so", "PIL/_imaging.so"),
        ("PIL/_imaging.cpython-313-darwin.so", "PIL/_imaging.so"),
        ("obstore/_obstore.abi3.so", "obstore/_obstore.so"),
        ("ai_edge_litert/libLiteRt.so", "ai_edge_litert/libLiteRt.so"),
        ("ai_edge_litert/libLiteRt.dylib", "ai_edge_litert/libLiteRt.so"),
        ("pkg/cpython-311.py", "pkg/cpython-311.py"),
        ("pillow.libs/libjpeg-1a2b.so.62.4.0", "pillow.libs/libjpeg-1a2b.so.62.4.0"),
    ],
)
def test_a_file_has_one_name_on_every_platform(name: str, everywhere: str) -> None:
    assert slim.neutral(name) == everywhere


def test_of_an_installers_records_the_licences_and_what_it_is_stay(tmp_path: Path) -> None:
    held = dict.fromkeys(
        (
            "alpha/__init__.py",
            f"{INFO}/METADATA",
            f"{INFO}/WHEEL",
            f"{INFO}/INSTALLER",
            f"{INFO}/sboms/alpha.json",
            f"{INFO}/licenses/LICENSE",
            f"{INFO}/licenses/third/COPYING.txt",
            f"{INFO}/AUTHORS.md",
            f"{INFO}/NOTICE",
        ),
        "",
    )
    root = tree(tmp_path, held, {INFO: ("alpha",)})
    assert left_out(root, ["alpha/__init__.py"]) == dict.fromkeys(
        [f"{INFO}/{name}" for name in ("INSTALLER", "RECORD", "WHEEL", "sboms/alpha.json")], RECORDS
    )


def test_a_distribution_that_nothing_used_goes_as_a_whole(tmp_path: Path) -> None:
    held = dict.fromkeys(
        (
            "alpha/__init__.py",
            "idle/__init__.py",
            "idle/LICENSE",
            "idle/x.dat",
            "idle.py",
            "idle-2.dist-info/METADATA",
        ),
        "",
    )
    root = tree(tmp_path, held, {INFO: ("alpha",), "idle-2.dist-info": ("idle", "idle.py")})
    dropped = left_out(root, ["alpha/__init__.py"])
    del dropped[f"{INFO}/RECORD"]
    mine = [name for name in map(str, files(root)) if name.startswith("idle")]
    assert dropped == dict.fromkeys(mine, PACKAGE)


def test_licences_within_a_package_that_is_used_stay(tmp_path: Path) -> None:
    names = ("alpha/__init__.py", "alpha/LICENSE.txt", "alpha/third/NOTICE", "alpha/licenses.py")
    root = tree(tmp_path, dict.fromkeys(names, ""), {INFO: ("alpha",)})
    dropped = left_out(root, ["alpha/__init__.py"])
    assert "alpha/LICENSE.txt" not in dropped
    assert "alpha/third/NOTICE" not in dropped
    assert dropped["alpha/licenses.py"] == MODULE, "a module is none"


def test_sources_of_other_languages_types_and_tests_go(tmp_path: Path) -> None:
    names = ["alpha/py.typed", "alpha/a.pyi", "alpha/fast.c", "alpha/fast.pyx", "alpha/README.md", "alpha/lib.a"]
    names += ["alpha/tests/test_a.py", "alpha/tests/data/x.png", "alpha/sub/_tests/b.py"]
    root = tree(tmp_path, dict.fromkeys(["alpha/__init__.py", *names], ""), {INFO: ("alpha",)})
    assert left_out(root, ["alpha/__init__.py"]) == {**dict.fromkeys(names, UNUSED), f"{INFO}/RECORD": RECORDS}


def test_what_was_used_stays_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["alpha/__init__.py", "alpha/testing/__init__.py", "alpha/testing/a.py", "alpha/x.h", "alpha/t.dat"]
    root = tree(tmp_path, dict.fromkeys(names, ""), {INFO: ("alpha",)})
    assert left_out(root, names) == {f"{INFO}/RECORD": RECORDS}


def test_data_that_nothing_opened_goes_and_what_no_record_names_too(tmp_path: Path) -> None:
    names = ["alpha/__init__.py", "alpha/used.dat", "alpha/idle.dat", "stray/idle.dat", "stray/LICENSE"]
    root = tree(tmp_path, dict.fromkeys(names, ""), {INFO: ("alpha",)})
    dropped = left_out(root, ["alpha/__init__.py", "alpha/used.dat"])
    assert dropped["alpha/idle.dat"] == dropped["stray/idle.dat"] == DATA
    assert "alpha/used.dat" not in dropped
    assert dropped["stray/LICENSE"] == PACKAGE, "it is the licence of nothing that is here"


def test_a_subpackage_goes_where_no_module_of_it_was_imported(tmp_path: Path) -> None:
    names = [
        "alpha/__init__.py",
        "alpha/in/__init__.py",
        "alpha/in/a.py",
        "alpha/out/__init__.py",
        "alpha/out/b.py",
    ]
    root = tree(tmp_path, dict.fromkeys(names, ""), {INFO: ("alpha",)})
    dropped = left_out(root, ["alpha/__init__.py", "alpha/in/a.py"])
    assert (dropped["alpha/out/__init__.py"], dropped["alpha/out/b.py"]) == (FOLDER, FOLDER)
    # A package without its __init__.py would be another kind of package; that one was imported, in truth.
    assert dropped["alpha/in/__init__.py"] == MODULE


def test_a_module_stays_where_one_that_was_imported_may_import_it_later(tmp_path: Path) -> None:
    held = {
        "alpha/__init__.py": "def late():\n    from alpha import lazy\n    from . import relative\n",
        "alpha/lazy.py": "import alpha.chained\nimport beta.idle\nimport os.path\n",
        "alpha/relative.py": "from .sub.deep import name\nfrom .. import above\n",
        "alpha/chained.py": "",
        "alpha/idle.py": "",
        "alpha/sub/__init__.py": "from ..parent import x\nfrom .own import y\n",
        "alpha/sub/deep.py": "",
        "alpha/sub/own.py": "",
        "alpha/sub/idle.py": "",
        "alpha/parent.py": "",
        "beta/__init__.py": "",
        "beta/idle.py": "",
        "single.py": "",
    }
    root = tree(tmp_path, held, {INFO: ("alpha", "beta", "single.py")})
    used = ["alpha/__init__.py", "beta/__init__.py", "alpha/sub/deep.py"]
    assert left_out(root, used) == {
        "alpha/idle.py": MODULE,
        "alpha/sub/idle.py": MODULE,
        "beta/idle.py": MODULE,  # another package's modules it says itself
        f"{INFO}/RECORD": RECORDS,
    }


@pytest.mark.parametrize(
    "source",
    [
        "from . import \\\n    late\n",
        "try: from . import late\nexcept ImportError: late = None\n",
        "if True: import alpha.late\n",
        "x = 1; from .late import (y as z, w)\n",
        "from . import (  # some (old) ones\n    other,\n    late,  # and why\n)\n",
        "def f():\n    from ..alpha import other, late as l  # why\n",
        "import os, alpha.late as late\n",
        "import os.path; import alpha.late\n",
        "from .late import *\n",
        "from.late import x\n",
        "from . late import x\n",
        "import alpha.late.deeper\n",
        "type X = int\nimport alpha.late\n",  # syntax of a Python that this one may not be
    ],
)
def test_an_import_is_read_however_it_is_written(tmp_path: Path, source: str) -> None:
    held = {"alpha/__init__.py": source, "alpha/late.py": "", "alpha/idle.py": ""}
    root = tree(tmp_path, held, {INFO: ("alpha",)})
    assert left_out(root, ["alpha/__init__.py"]) == {"alpha/idle.py": MODULE, f"{INFO}/RECORD": RECORDS}


@pytest.mark.parametrize(
    "source", ["# import alpha.idle\n", "idle = 1\n", "important = from_idle = 2\n", "import ,\n"]
)
def test_what_is_no_import_names_no_module(tmp_path: Path, source: str) -> None:
    root = tree(tmp_path, {"alpha/__init__.py": source, "alpha/idle.py": ""}, {INFO: ("alpha",)})
    assert left_out(root, ["alpha/__init__.py"])["alpha/idle.py"] == MODULE


def test_of_this_package_other_clouds_and_the_command_line_go(tmp_path: Path) -> None:
    names = ["__init__.py", "__main__.py", "py.typed", "predictor.py", "cli/build.py", "bundle/slim.py"]
    names += ["metadata/__init__.py", "metadata/read.py", "metadata/write.py", "metadata/schema.py"]
    names += [
        "metadata/archive.py",
        "local/front.py",
        "batch/run.py",
        "testing/http.py",
        "sinks/log.py",
        "_models/mine/model.tflite",
    ]
    names += [
        "_models/mine/labels.txt",
        "_models/mine/LICENSE.md",
        "adapters/__init__.py",
        "adapters/wsgi.py",
        "adapters/gcp.py",
    ]
    names += ["adapters/aws/__init__.py", "adapters/aws/events.py", "adapters/azure/__init__.py"]
    root = tree(tmp_path, {f"mlserverless/{name}": "" for name in names})
    own = {
        "aws": {"adapters/aws/__init__.py", "adapters/aws/events.py"},
        "azure": {"adapters/azure/__init__.py"},
        "gcp": {"adapters/gcp.py"},
        "container": {"adapters/wsgi.py"},
    }
    tools = {"__main__.py", "batch/run.py", "cli/build.py", "bundle/slim.py", "local/front.py", "testing/http.py"}
    tools |= {"metadata/write.py", "metadata/schema.py", "metadata/archive.py"}
    for provider, mine in own.items():
        others = set().union(*own.values()) - mine
        expected = {**dict.fromkeys(tools | others, ELSEWHERE), "py.typed": UNUSED}
        found = left_out(root, [], Target(provider))
        assert found == {f"mlserverless/{name}": why for name, why in expected.items()}, provider


def test_docstrings_stay_in_what_is_not_slimmed(tmp_path: Path) -> None:
    files = {
        "alpha/__init__.py": "",
        "beta.py": "",
        "mlserverless/model.py": "",
        "mlserverless/errors.py": "",  # read by the OpenAPI document
        "mlserverless/types.py": "",
        "numpy/core.py": "",
        "alpha/data.txt": "",
    }
    root = tree(tmp_path, files | {f"{INFO}/METADATA": ""}, {INFO: ("alpha",)})
    assert slim.undocumented(root, ()) == {"alpha/__init__.py", "beta.py", "mlserverless/model.py"}
    assert slim.undocumented(root, ["alpha"]) == {"beta.py", "mlserverless/model.py"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's own libraries, Linux's")
def test_libraries_stay_where_they_were_opened_or_are_needed_by_one_that_was(tmp_path: Path) -> None:
    site = Path(PIL.__file__).parents[1]
    names = [path.relative_to(site) for path in (*site.glob("PIL/_webp.*.so"), *site.glob("pillow.libs/*"))]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(site / name, tmp_path / name)
    tree(
        tmp_path,
        {"PIL/__init__.py": "", "PIL/idle.so": "", "PIL/idle.dylib": ""},
        {"pillow-1.dist-info": ("PIL",)},
    )
    used = ["PIL/__init__.py", "PIL/_webp.so"]  # as a machine of another kind tells it
    dropped = left_out(tmp_path, used)
    needed = {path.name for path in elf.closure(tmp_path.glob("PIL/_webp.*.so"), tmp_path)}
    assert len(needed) > 2
    assert {name.partition("/")[2] for name in dropped if name.startswith("pillow.libs")} == {
        path.name for path in tmp_path.glob("pillow.libs/*")
    } - needed
    assert dropped["PIL/idle.so"] == SHARED
    assert "PIL/idle.dylib" not in dropped, "a Mac's, whose needs ELF does not tell"
    assert not any(name.startswith("PIL/_webp") for name in dropped)


def test_each_file_is_told_with_its_size_and_by_one_rule(tmp_path: Path) -> None:
    root = tree(tmp_path, {"alpha/__init__.py": "", "alpha/idle.py": "x = 1\n"}, {INFO: ("alpha",)})
    (root / INFO / "RECORD").write_text("alpha/__init__.py,,\nalpha/idle.py,,\n")
    found = slim.plan(slim.gather(root, AWS, ["alpha/__init__.py"]))
    assert Dropped("alpha/idle.py", 6, MODULE) in found
    assert len({one.path for one in found}) == len(found)


def test_what_is_moved_away_can_be_moved_back(tmp_path: Path) -> None:
    names = ["alpha/__init__.py", "alpha/sub/deep/a.py", "alpha/sub/b.py"]
    root, away = tree(tmp_path / "root", {name: name for name in names}), tmp_path / "away"
    dropped = [Dropped(name, 1, MODULE) for name in names[1:]]
    slim.move(dropped, root, away)
    assert [str(path) for path in root.rglob("*")] == [str(root / "alpha"), str(root / names[0])]
    assert (away / names[1]).read_text() == names[1]
    slim.move(dropped, away, root)
    assert {str(path) for path in files(root)} == set(names)
    assert list(away.iterdir()) == []
    slim.move([Dropped(name, 1, MODULE) for name in names], root, away)
    assert root.is_dir(), "the folder itself stays"


def test_a_users_packages_stay_whole_with_what_they_ask_for(tmp_path: Path) -> None:
    held = {"asks/__init__.py": "", "asks/lazy.py": "", "asks/data.pem": "", "asked/late.py": "", "idle/a.py": ""}
    root = tree(tmp_path, held, {"Asks-1.0.dist-info": ("asks",)})
    for name, files_ in {"asked-2.dist-info": "asked/late.py", "idle-3.dist-info": "idle/a.py"}.items():
        (root / name).mkdir()
        (root / name / "RECORD").write_text(f"{files_},,\n{name}/METADATA,,\n")
        (root / name / "METADATA").write_text("Name: x\n")
    (root / "Asks-1.0.dist-info" / "METADATA").write_text("Name: asks\nRequires-Dist: asked>=1\n")
    facts = slim.gather(root, AWS, (), ["asks"])
    gone = {one.path for one in slim.plan(facts)}
    assert "idle/a.py" in gone
    assert not gone & {"asks/__init__.py", "asks/lazy.py", "asks/data.pem", "asked/late.py"}


def test_what_only_the_users_modules_import_is_told(tmp_path: Path) -> None:
    site, entry, ours = tmp_path / "site", tmp_path / "entry", tmp_path / "ours"
    for folder in (site / "yaml-6.dist-info", site / "PIL-1.dist-info", entry, ours):
        folder.mkdir(parents=True)
    (site / "yaml-6.dist-info" / "RECORD").write_text("yaml/__init__.py,,\n")
    (site / "PIL-1.dist-info" / "RECORD").write_text("PIL/__init__.py,,\n")
    (ours / "app.py").write_text("import PIL\n")
    (entry / "app.py").write_text("import PIL\ndef f():\n    import yaml\n")
    assert slim.own(entry, ours, site, ["mine"]) == {"yaml", "mine"}
