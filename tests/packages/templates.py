"""SAM's, CloudFormation's and Microsoft's own word on the templates."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers import bicep
from helpers.figures import Figure, skip
from packages.built import package

ROOT = Path(__file__).parents[2]
SAM_TEMPLATES = ("template.yaml", "s3.yaml", "sqs.yaml")
MODELS = ROOT / "tests" / "helpers" / "arm_models.py"
# Each must be found, else what finds nothing shows nothing.
SPOILED = {
    "a property that there is not": ("      Timeout: !Ref Timeout", "      Timout: !Ref Timeout"),
    "a reference that leads nowhere": ("Value: !Ref Classifier", "Value: !Ref Clasifier"),
    "a value that is not accepted": ("Statistic: Sum", "Statistic: Total"),
}
ARM_SPOILED = {
    "a property that there is not": ('"httpsOnly"', '"onlyHttps"'),
    "a value that is not accepted": ('"TLS1_2"', '"TLS1_9"'),
    "a wrong type": ('"httpsOnly": true', '"httpsOnly": "yes"'),
}


def tool(name: str) -> str | None:
    """Return the path of a tool of .venv-tools, or of this machine; None where there is none."""
    own = shutil.which(name, path=str(ROOT / ".venv-tools" / "bin"))
    return own or shutil.which(name)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return what the AWS tools need and nothing of this machine's accounts."""
    told = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ}
    told |= {"HOME": str(home), "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLLING_MODE": "1", "AWS_PAGER": ""}
    told |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    told |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "eu-central-1"}
    told |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    return {**told, **more}


def run(command: Sequence[str | Path], folder: Path, told: dict[str, str]) -> tuple[bool, str]:
    """Return whether the command ended well, and what it said."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=told, capture_output=True, text=True, timeout=600
    )
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def figures() -> list[Figure]:
    """Return what the templates' own tools say of them."""
    return [*_sam(), _lint(), _arm()]


def _sam() -> list[Figure]:
    bar = "clean, and the build keeps function.zip as it is"
    command = tool("sam")
    if command is None:
        return [skip("sam validate --lint, sam build", bar, "the SAM command line is not installed")]
    found = []
    with TemporaryDirectory(prefix="sam-") as made:
        folder = Path(made)
        told = environment(folder)
        out = package("aws").out
        for path in [*out.glob("*.yaml"), out / "function.zip"]:
            shutil.copy(path, folder)
        for name in SAM_TEMPLATES:
            valid, said = run([command, "validate", "--lint", "--template", name], folder, told)
            built, told_by_build = run([command, "build", "--template", name, "--build-dir", "out"], folder, told)
            whole = built and _points_at(folder / "out" / "template.yaml", folder / "function.zip")
            problems = [text for good, text in ((valid, said), (built, told_by_build)) if not good]
            problems += ["the build does not point at function.zip"] if built and not whole else []
            shown = "; ".join(problems)[-300:] or "clean"
            found.append(Figure(f"sam validate --lint, sam build: {name}", bar, shown, not problems))
    return found


def _points_at(template: Path, archive: Path) -> bool:
    """Return whether the built template's CodeUri is the very archive."""
    for line in template.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("CodeUri:"):
            return (template.parent / line.partition(":")[2].strip()).resolve() == archive.resolve()
    return False


def _lint() -> Figure:
    name = "cfn-lint on the three templates"
    bar = f"clean, and each of {len(SPOILED)} faults that are put in is found"
    command = tool("cfn-lint")
    if command is None:
        return skip(name, bar, "cfn-lint is not installed")
    with TemporaryDirectory(prefix="lint-") as made:
        folder, source = Path(made), ROOT / "adapters" / "aws"
        clean, said = run([command, *(source / one for one in SAM_TEMPLATES)], folder, environment(folder))
        missed = []
        for what, (old, new) in SPOILED.items():
            text = (source / "template.yaml").read_text(encoding="utf-8")
            (folder / "spoiled.yaml").write_text(text.replace(old, new), encoding="utf-8")
            if old not in text or run([command, "spoiled.yaml"], folder, environment(folder))[0]:
                missed.append(what)
    shown = said[-300:] or f"clean, {len(SPOILED) - len(missed)} of {len(SPOILED)} found"
    return Figure(name, bar, shown, clean and not said and not missed, {"missed": missed})


def _arm() -> Figure:
    name = "main.bicep and main.json against Microsoft's typed models"
    bar = f"the same template, no problem, and each of {len(ARM_SPOILED)} faults that are put in is found"
    python = ROOT / ".venv-tools" / "bin" / "python"
    if not python.is_file():
        return skip(name, bar, "Microsoft's models are not installed: .venv-tools")
    source = ROOT / "adapters" / "azure"
    text = (source / "main.json").read_text(encoding="utf-8")
    same = bicep.Template((source / "main.bicep").read_text(encoding="utf-8")).arm() == json.loads(text)
    told = _models(python, source / "main.json")
    missed = []
    with TemporaryDirectory(prefix="arm-") as made:
        for what, (old, new) in ARM_SPOILED.items():
            spoiled = Path(made, "spoiled.json")
            spoiled.write_text(text.replace(old, new), encoding="utf-8")
            if old not in text or not _models(python, spoiled)["problems"]:
                missed.append(what)
    if told["problems"]:
        print(*told["problems"], sep="\n", file=sys.stderr)
    shown = "the same" if same else "NOT the same"
    shown += f", {len(told['problems'])} problems in {told['checked']} values of {told['resources']} resources"
    shown += f" ({told['expressions']} are expressions, taken as they are)"
    shown += f", {len(ARM_SPOILED) - len(missed)} of {len(ARM_SPOILED)} found"
    return Figure(name, bar, shown, same and not told["problems"] and not missed, {**told, "missed": missed})


def _models(python: Path, template: Path) -> dict[str, list[str]]:
    done = subprocess.run([python, MODELS, template], capture_output=True, text=True, check=True)
    told: dict[str, list[str]] = json.loads(done.stdout)
    return told
