"""What a deployment exposes by default, read from the deploy folders: nothing to the public, no spare rights."""

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from mlserverless.adapters import azure

ADAPTERS = Path(__file__).parents[2] / "adapters"
TEMPLATES = ("template.yaml", "s3.yaml")
SECRET_NAME = re.compile(
    r"secret|password|passwd|token|api_?key|access_?key|credential|sas|connection_?string", re.I
)


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's tags as ``{"Ref": …}``, ``{"Sub": …}``."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tag)


def template(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.load((ADAPTERS / "aws" / name).read_text(encoding="utf-8"), Loader)
    return read


def resources(name: str, kind: str) -> dict[str, Any]:
    """Return the properties of the template's resources of a ``kind``, by their names."""
    found = template(name)["Resources"].items()
    return {key: value["Properties"] for key, value in found if value["Type"] == kind}


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of a template with its path."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(inner, f"{path}/{key}")
    else:
        yield path, value


def text(name: str) -> str:
    return (ADAPTERS / name).read_text(encoding="utf-8")


def test_aws_only_signed_requests_reach_the_function_url() -> None:
    (function,) = resources("template.yaml", "AWS::Serverless::Function").values()
    assert function["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}, "no CORS either"
    assert "FunctionUrlConfig" not in str(template("s3.yaml"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_nothing_is_open_to_all(name: str) -> None:
    assert "NONE" not in [value for _, value in walk(template(name))]
    kinds = {resource["Type"] for resource in template(name)["Resources"].values()}
    assert kinds <= {
        "AWS::Serverless::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SQS::Queue",
    }, "a new kind of resource is looked at before it is listed here"
    for policy in resources(name, "AWS::S3::BucketPolicy").values():
        assert {statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]} == {"Deny"}


def test_aws_the_function_may_read_the_buckets_objects_and_nothing_else() -> None:
    assert [p.get("Policies") for p in resources("template.yaml", "AWS::Serverless::Function").values()] == [None]
    (function,) = resources("s3.yaml", "AWS::Serverless::Function").values()
    ((statement,),) = [policy["Statement"] for policy in function["Policies"]]
    assert statement == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": {"Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}-images-*/*"},
        "Condition": {"StringEquals": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}},
    }


def test_aws_the_bucket_is_private_and_encrypted_on_disk_and_on_the_way() -> None:
    (bucket,) = resources("s3.yaml", "AWS::S3::Bucket").values()
    blocked = bucket["PublicAccessBlockConfiguration"]
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert blocked == dict.fromkeys(names, True)
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    (policy,) = resources("s3.yaml", "AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Bucket"] == {"Ref": "Images"}
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [{"GetAtt": "Images.Arn"}, {"Sub": "${Images.Arn}/*"}]


def test_aws_what_fails_is_kept_encrypted() -> None:
    (queue,) = resources("s3.yaml", "AWS::SQS::Queue").values()
    assert queue["SqsManagedSseEnabled"] is True
    (function,) = resources("s3.yaml", "AWS::Serverless::Function").values()
    assert function["DeadLetterQueue"]["TargetArn"] == {"GetAtt": "FailedEvents.Arn"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_the_bill_is_bounded(name: str) -> None:
    (function,) = resources(name, "AWS::Serverless::Function").values()
    chosen = function["ReservedConcurrentExecutions"]["If"]
    assert chosen == ["Reserved", {"Ref": "Concurrency"}, {"Ref": "AWS::NoValue"}]
    assert 1 <= template(name)["Parameters"]["Concurrency"]["Default"] <= 100
    assert function["Timeout"] <= 60


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_the_environment_holds_settings_and_no_secrets(name: str) -> None:
    (function,) = resources(name, "AWS::Serverless::Function").values()
    variables = function["Environment"]["Variables"]
    assert all(variable.startswith("MLSERVERLESS_") for variable in variables)
    assert not [found for found in variables if SECRET_NAME.search(found)]
    assert "ALLOW_PRIVATE_ADDRESSES" not in str(template(name))


def test_azure_every_path_wants_a_key() -> None:
    # Run as the host runs it, but for the warm-up; the registration is the deploy folder's own.
    with mock.patch.object(azure, "warm_up"), mock.patch.object(sys, "path", [str(ADAPTERS / "azure"), *sys.path]):
        app = runpy.run_path(str(ADAPTERS / "azure" / "function_app.py"))["app"]
    triggers = [json.loads(function.get_function_json())["bindings"][0] for function in app.get_functions()]
    levels = [str(trigger["authLevel"]).lower() for trigger in triggers if trigger["type"] == "httpTrigger"]
    assert levels == ["function"]
    assert "http_auth_level=func.AuthLevel.FUNCTION" in text("azure/function_app.py")


def test_azure_host_json_opens_nothing() -> None:
    host = json.loads(text("azure/host.json"))
    assert "anonymous" not in text("azure/host.json").lower()
    assert "customHandler" not in host, "which could forward requests without a key"
    assert set(host["extensions"]) == {"http"}
    assert set(host["extensions"]["http"]) == {"routePrefix"}
    assert "Storage Blob Data Reader" in text("azure/README.md"), "a role, not an account key"


def commands(name: str) -> list[str]:
    """Return the commands in a README, continued lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", text(name), re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_google_the_function_is_not_public_and_has_an_account_of_its_own() -> None:
    deployed = [command for command in commands("gcp/README.md") if "functions deploy" in command]
    assert len(deployed) == 2
    for command in deployed:
        assert "--service-account SERVICE_ACCOUNT" in command
        assert "--max-instances" in command
        assert ("--no-allow-unauthenticated" in command) == ("--trigger-http" in command)
        assert "--allow-unauthenticated" not in command
    (grant,) = [command for command in commands("gcp/README.md") if "add-iam-policy-binding" in command]
    assert "gs://BUCKET" in grant
    assert "--role roles/storage.objectViewer" in grant
    assert not re.search(r"roles/(owner|editor|storage\.admin|storage\.objectAdmin)", text("gcp/README.md"))


def dockerfile() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions: name and words."""
    lines = text("container/Dockerfile").replace("\\\n", " ").splitlines()
    pairs = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return [(name.upper(), words) for name, words in pairs]


def test_the_container_runs_as_a_number_that_is_not_root() -> None:
    names = [name for name, _ in dockerfile()]
    last_stage = dockerfile()[len(names) - names[::-1].index("FROM") :]
    (user,) = [words for name, words in last_stage if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [name for name, _ in last_stage].index("USER") < [name for name, _ in last_stage].index("CMD")


def test_the_container_is_built_from_pinned_packages_and_nothing_piped_to_a_shell() -> None:
    instructions = dockerfile()
    assert "ADD" not in [name for name, _ in instructions]
    built = [words for name, words in instructions if name == "RUN"]
    assert not [
        words for words in built if re.search(r"curl|wget|\|\s*(ba)?sh|--trusted-host|--no-verify|sudo", words)
    ]
    installs = [words for words in built if "pip install" in words]
    assert installs
    assert all("--require-hashes" in words for words in installs)


def test_the_container_has_no_secrets_in_it() -> None:
    told = [words for name, words in dockerfile() if name in ("ENV", "ARG")]
    assert not [words for words in told if SECRET_NAME.search(words)]
    assert "ALLOW_PRIVATE_ADDRESSES" not in text("container/Dockerfile")
    copied = [words for name, words in dockerfile() if name == "COPY" and "--from=" not in words]
    assert all(words.split()[0] in ("requirements.txt", "mlserverless") for words in copied), (
        "never the whole folder"
    )


def test_the_containers_health_is_asked_on_loopback() -> None:
    (check,) = [words for name, words in dockerfile() if name == "HEALTHCHECK"]
    assert "urlopen" not in check
    assert "'127.0.0.1'" in check
    code = json.loads(check.removeprefix("CMD "))[2]
    compile(code, "HEALTHCHECK", "exec")


def test_the_containers_readme_runs_it_with_the_least() -> None:
    (run,) = [command for command in commands("container/README.md") if command.startswith("docker run")]
    for option in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "127.0.0.1:8080:8080"):
        assert option in run
    assert not re.search(r"--privileged|--network host|docker\.sock", run)
