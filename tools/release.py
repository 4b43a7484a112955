#!/usr/bin/env python3
"""What tools/release.sh asks: is the tag the version, and what is the wheel made of.

Usage: release.py check [TAG]
       release.py parts INSTALLED FOLDER     (an SBOM of the wheel and what it brings; the folder with the wheel)
"""

import hashlib
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NAME = "mlserverless"
LICENCES = {"Apache License, Version 2.0": "Apache-2.0", "MIT License": "MIT"}


def version() -> str:
    """Return the version that the package says it is."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / f"src/{NAME}/__init__.py").read_text(), re.M)
    assert found
    return found[1]


def check(tag: str) -> list[str]:
    """Return what stands against releasing this as ``tag``; an empty one is none, of which less is asked."""
    ours, wrong = version(), []
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", ours):
        wrong.append(f"The version is {ours!r}: give MAJOR.MINOR.PATCH, with a1, b1 or rc1 behind it, or not.")
    if tag and tag != f"v{ours}":
        wrong.append(f"The tag is {tag!r}, and the version {ours!r}: tag it v{ours}, or change __version__.")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if tag and not re.search(rf"^## \[?{re.escape(ours)}\]?\b", changelog, re.M):
        wrong.append(f"CHANGELOG.md has no section ## {ours}: name what is under ## Unreleased so.")
    return wrong


def parts(installed: dict[str, Any], wheel: Path) -> dict[str, Any]:
    """Return the SBOM of ``wheel``: what was ``installed`` with it below it, and the models that it holds."""
    mine = next(one for one in installed["components"] if one["name"] == NAME)
    others = [one for one in installed["components"] if one is not mine]
    models = list(_models(wheel))
    mine |= {"type": "library", "hashes": [_sha256(wheel.read_bytes())]}
    mine.pop("externalReferences", None)  # where on this machine it was installed from
    depends = [
        one | {"dependsOn": sorted([*one.get("dependsOn", ()), *(model["bom-ref"] for model in models)])}
        if one["ref"] == mine["bom-ref"]
        else one
        for one in installed["dependencies"]
    ]
    return {
        **installed,
        "metadata": {**installed.get("metadata", {}), "component": mine},
        "components": others + models,
        "dependencies": depends + [{"ref": model["bom-ref"]} for model in models],
    }


def _models(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not re.fullmatch(rf"{NAME}/_models/[^/]+/model\.toml", name):
                continue
            folder = name.removesuffix("model.toml")
            told = tomllib.loads(archive.read(name).decode())
            text = archive.read(f"{folder}LICENSE").decode()
            known = [{"id": ident} for words, ident in LICENCES.items() if words in text]
            first, *more = known or [{"name": f"{told['name']}'s licence"}]
            yield {
                "type": "machine-learning-model",
                "bom-ref": f"model-{told['name']}",
                "name": told["name"],
                "hashes": [_sha256(archive.read(folder + told["file"]))],
                "licenses": [
                    {"license": {**first, "text": {"content": text}}},
                    *({"license": one} for one in more),
                ],
            }


def _sha256(data: bytes) -> dict[str, str]:
    return {"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}


def valid(document: str) -> str:
    """Return what is wrong with an SBOM, by CycloneDX's own schema; empty where nothing is."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) or "")


def main(words: list[str]) -> str:
    """Do what is asked; return what is wrong."""
    if words[:1] == ["check"] and len(words) <= 2:
        return "\n".join(check("".join(words[1:])))
    if words[:1] != ["parts"] or len(words) != 3:
        return str(__doc__)
    folder = Path(words[2])
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    named = [path.name.split("-")[1].removesuffix(".tar.gz") for path in (*wheels, *sdists)]
    if named != [version()] * 2:
        there = ", ".join(path.name for path in folder.iterdir())
        return f"{folder} holds {there}: not one wheel and one sdist of {version()}"
    document = json.dumps(parts(json.loads(Path(words[1]).read_text(encoding="utf-8")), wheels[0]), indent=2)
    if wrong := valid(document):
        return f"the list of parts is not valid: {wrong}"
    made = folder / f"{NAME}-{version()}.cdx.json"
    made.write_text(document + "\n", encoding="utf-8")
    for path in sorted(folder.iterdir()):
        sys.stdout.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
