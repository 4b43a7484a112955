"""A deployment to Lambda's API with the real `aws` command line; moto plays the API, and runs no function."""

import base64
import hashlib
import json
import logging
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helpers.figures import Figure, skip
from helpers.s3 import moto_server
from packages.built import package
from packages.templates import environment, run, tool

NAME = "deployed to moto with the aws command line: create, publish, alias, update, publish, alias"
BAR = "the function's code hash is the built zip's, each time"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def code_hash(archive: Path) -> str:
    """Return what Lambda calls an archive's CodeSha256."""
    return base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()


class _Aws:
    """The command line, at moto."""

    def __init__(self, command: str, endpoint: str, home: Path) -> None:
        self.command, self.home = command, home
        self.told = environment(home, AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_OUTPUT="json")

    def __call__(self, service: str, operation: str, **given: object) -> dict[str, Any]:
        """Return what an operation answers; raise RuntimeError with what it says where it fails."""
        words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        good, said = run([self.command, service, operation, *words], self.home, self.told)
        if not good:
            raise RuntimeError(f"aws {service} {operation}: {said[-300:]}")
        answer: dict[str, Any] = json.loads(said) if said else {}
        return answer


def figures() -> list[Figure]:
    """Return the figure of the deployment."""
    command = tool("aws")
    if command is None:
        return [skip(NAME, BAR, "the aws command line is not installed")]
    first = package("aws").archive
    assert first is not None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line a request
    with moto_server() as (host, port), TemporaryDirectory(prefix="deployed-") as made:
        # Another package: the same with one more file in it.
        second = Path(made, "function.zip")
        shutil.copy(first, second)
        with zipfile.ZipFile(second, "a") as changed:
            changed.writestr("CHANGED", b"")
        try:
            wrong = _deployed(_Aws(command, f"http://{host}:{port}", Path(made)), first, second)
        except RuntimeError as error:
            wrong = [str(error)]
    return [Figure(NAME, BAR, "; ".join(wrong) or "equal at 2 of 2 versions, and at the alias", not wrong)]


def _deployed(aws: _Aws, first: Path, second: Path) -> list[str]:
    """Deploy both, one after the other; return what is not as it should be."""
    role = aws("iam", "create-role", role_name="classifier", assume_role_policy_document=json.dumps(TRUST))
    named = {"function_name": "classifier"}
    aws(
        "lambda",
        "create-function",
        **named,
        runtime="python3.13",
        handler="app.handler",
        architectures="x86_64",
        role=role["Role"]["Arn"],
        zip_file=f"fileb://{first}",
        memory_size=1769,
        timeout=30,
    )
    _wait(aws, "function-active-v2")
    versions, wrong = [], []
    for number, archive in enumerate((first, second)):
        if number:
            aws("lambda", "update-function-code", **named, zip_file=f"fileb://{archive}")
            _wait(aws, "function-updated-v2")
        published = aws("lambda", "publish-version", **named)
        versions.append(published["Version"])
        operation = "update-alias" if number else "create-alias"
        aws("lambda", operation, **named, name="live", function_version=published["Version"])
        alias = aws("lambda", "get-alias", **named, name="live")
        told = aws("lambda", "get-function-configuration", **named, qualifier=alias["FunctionVersion"])
        for what, answer in (("published", published), ("at the alias", told)):
            if answer["CodeSha256"] != code_hash(archive):
                wrong.append(f"version {answer['Version']} {what} has {answer['CodeSha256']}")
    return wrong if len(set(versions)) == 2 else [*wrong, f"the versions are {versions}"]


def _wait(aws: _Aws, what: str) -> None:
    command = [aws.command, "lambda", "wait", what, "--function-name", "classifier"]
    good, said = run(command, aws.home, aws.told)
    if not good:
        raise RuntimeError(f"aws lambda wait {what}: {said[-300:]}")
