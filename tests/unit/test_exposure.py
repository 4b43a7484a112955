"""What a deployment exposes by default, read from the deploy folders: nothing to the public, no spare rights."""

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import azure.functions as func
import pytest
import yaml

from mlserverless.adapters import azure

ADAPTERS = Path(__file__).parents[2] / "adapters"
TEMPLATES = ("template.yaml", "s3.yaml", "sqs.yaml")
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
    assert all("FunctionUrlConfig" not in str(template(name)) for name in TEMPLATES if name != "template.yaml")


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
        "AWS::SQS::QueuePolicy",
        "AWS::Lambda::EventSourceMapping",
    }, "a new kind of resource is looked at before it is listed here"
    for policy in resources(name, "AWS::S3::BucketPolicy").values():
        assert {statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]} == {"Deny"}


def statements(name: str) -> list[dict[str, Any]]:
    """Return what the template's function may do."""
    (function,) = resources(name, "AWS::Serverless::Function").values()
    return [statement for policy in function.get("Policies", ()) for statement in policy["Statement"]]


POLL = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
READ = ["s3:GetObject", "s3:GetObjectVersion"]
OWN_ACCOUNT = {"StringEquals": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}}


def test_aws_the_function_may_read_the_buckets_objects_and_nothing_else() -> None:
    assert statements("template.yaml") == []
    read, kept, retried = statements("s3.yaml")
    assert read == {
        "Effect": "Allow",
        "Action": READ,
        "Resource": {"Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}-images-*/*"},
        "Condition": OWN_ACCOUNT,
    }
    write = {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": {"Sub": "arn:${AWS::Partition}:s3:::${ResultsBucket}/results/*"},
        "Condition": OWN_ACCOUNT,
    }
    assert kept == {"If": ["Kept", write, {"Ref": "AWS::NoValue"}]}
    assert retried == {"Effect": "Allow", "Action": POLL, "Resource": {"GetAtt": "Retries.Arn"}}


def test_aws_the_queues_function_may_read_images_write_results_and_poll_its_queue() -> None:
    assert statements("sqs.yaml") == [
        {"Effect": "Allow", "Action": READ, "Resource": {"Sub": "${Images.Arn}/*"}},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Sub": "${Results.Arn}/results/*"}},
        {
            "Effect": "Allow",
            "Action": POLL,
            "Resource": {"GetAtt": "Jobs.Arn"},
        },
    ]
    (function,) = resources("sqs.yaml", "AWS::Serverless::Function").values()
    assert "Events" not in function, "SAM's own SQS event lets the function read every queue"


def test_aws_results_go_where_the_function_may_write() -> None:
    for name, sink in {
        "s3.yaml": {"If": ["Kept", {"Sub": "s3://${ResultsBucket}/results"}, "log:"]},
        "sqs.yaml": {"Sub": "s3://${Results}/results"},
    }.items():
        (function,) = resources(name, "AWS::Serverless::Function").values()
        assert function["Environment"]["Variables"]["MLSERVERLESS_SINK"] == sink
    assert template("s3.yaml")["Parameters"]["ResultsBucket"]["Default"] == ""


def test_aws_a_message_reaches_the_stacks_bucket_alone() -> None:
    (function,) = resources("sqs.yaml", "AWS::Serverless::Function").values()
    assert function["Environment"]["Variables"]["MLSERVERLESS_ALLOWED_HOSTS"] == {
        "If": ["Elsewhere", {"Sub": "s3://${Images},${AllowedHosts}"}, {"Sub": "s3://${Images}"}]
    }
    assert template("sqs.yaml")["Parameters"]["AllowedHosts"]["Default"] == ""


def test_aws_only_the_stacks_bucket_may_send_to_the_queue() -> None:
    (policy,) = resources("sqs.yaml", "AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Queues"] == [{"Ref": "Jobs"}]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Resource"] == {"GetAtt": "Jobs.Arn"}
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": {"Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}-images-*"}},
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }
    assert template("sqs.yaml")["Resources"]["Images"]["DependsOn"] == "FromTheBucket"


@pytest.mark.parametrize("name", ["s3.yaml", "sqs.yaml"])
def test_aws_the_buckets_are_private_and_encrypted_on_disk_and_on_the_way(name: str) -> None:
    buckets = resources(name, "AWS::S3::Bucket")
    for bucket in buckets.values():
        blocked = bucket["PublicAccessBlockConfiguration"]
        names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        assert blocked == dict.fromkeys(names, True)
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    guarded = []
    for policy in resources(name, "AWS::S3::BucketPolicy").values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        bucket = policy["Bucket"]["Ref"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == [{"GetAtt": f"{bucket}.Arn"}, {"Sub": f"${{{bucket}.Arn}}/*"}]
        guarded.append(bucket)
    assert sorted(guarded) == sorted(buckets)


@pytest.mark.parametrize(("name", "failed"), [("s3.yaml", "FailedEvents"), ("sqs.yaml", "FailedJobs")])
def test_aws_what_fails_is_kept_encrypted(name: str, failed: str) -> None:
    queues = resources(name, "AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    assert queues[failed]["MessageRetentionPeriod"] == 14 * 86_400, "the longest"
    assert template(name)["Resources"][failed]["DeletionPolicy"] == "Retain"
    (function,) = resources(name, "AWS::Serverless::Function").values()
    polled = "Retries" if name == "s3.yaml" else "Jobs"
    if name == "s3.yaml":
        assert function["DeadLetterQueue"]["TargetArn"] == {"GetAtt": "Retries.Arn"}
    redrive = queues[polled]["RedrivePolicy"]
    most = 10 if name == "s3.yaml" else 20
    assert redrive == {"deadLetterTargetArn": {"GetAtt": f"{failed}.Arn"}, "maxReceiveCount": most}
    assert queues[polled]["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_aws_failed_events_are_tried_again_from_a_queue() -> None:
    (mapping,) = resources("s3.yaml", "AWS::Lambda::EventSourceMapping").values()
    assert mapping["EventSourceArn"] == {"GetAtt": "Retries.Arn"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1


def test_aws_the_queue_is_polled_so_that_nothing_is_lost() -> None:
    (mapping,) = resources("sqs.yaml", "AWS::Lambda::EventSourceMapping").values()
    (function,) = resources("sqs.yaml", "AWS::Serverless::Function").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == {"Ref": "BatchSize"}
    assert template("sqs.yaml")["Parameters"]["BatchSize"]["Default"] == 1
    assert template("sqs.yaml")["Parameters"]["BatchSize"]["MaxValue"] <= 10, "more takes a batching window"
    queue = resources("sqs.yaml", "AWS::SQS::Queue")["Jobs"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_the_bill_is_bounded(name: str) -> None:
    (function,) = resources(name, "AWS::Serverless::Function").values()
    if name == "sqs.yaml":  # its only caller is the queue, and throttled messages would be dead letters
        (mapping,) = resources(name, "AWS::Lambda::EventSourceMapping").values()
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "Concurrency"}}
    else:
        chosen = function["ReservedConcurrentExecutions"]["If"]
        assert chosen == ["Reserved", {"Ref": "Concurrency"}, {"Ref": "AWS::NoValue"}]
    assert 1 <= template(name)["Parameters"]["Concurrency"]["Default"] <= 100
    assert function["Timeout"] <= 60


def test_aws_nothing_calls_the_function_by_itself() -> None:
    (function,) = resources("template.yaml", "AWS::Serverless::Function").values()
    assert list(function["Events"]) == ["WarmUp"]
    assert function["Events"]["WarmUp"]["Type"] == "Schedule"
    assert function["Events"]["WarmUp"]["Properties"]["State"] == {"If": ["Warm", "ENABLED", "DISABLED"]}
    assert template("template.yaml")["Parameters"]["WarmUp"]["Default"] == "false"


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
    kinds = sorted(trigger["type"] for trigger in triggers)
    assert kinds == ["blobTrigger", "httpTrigger"], "the others are bound by whoever wants them"
    assert "http_auth_level=func.AuthLevel.FUNCTION" in text("azure/function_app.py")


def test_azure_host_json_opens_nothing() -> None:
    host = json.loads(text("azure/host.json"))
    assert "anonymous" not in text("azure/host.json").lower()
    assert "customHandler" not in host, "which could forward requests without a key"
    assert set(host["extensions"]) == {"http", "queues"}
    assert set(host["extensions"]["http"]) == {"routePrefix"}
    assert set(host["extensions"]["queues"]) == {
        *("batchSize", "newBatchThreshold", "maxDequeueCount", "visibilityTimeout")
    }
    assert host["extensions"]["queues"]["maxDequeueCount"] == 5, "as the documents say"
    assert "Storage Blob Data Reader" in text("azure/README.md"), "a role, not an account key"


@pytest.mark.parametrize("name", ["http", "blob", "queue", "event_grid", "service_bus", "event_hub", "timer"])
def test_azure_every_trigger_can_be_registered_as_the_readme_says(name: str) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(getattr(azure, name))
    assert len(app.get_functions()) == 1
    assert name == "http" or f"| `{name}` |" in text("azure/README.md")


def commands(name: str) -> list[str]:
    """Return the commands in a README, continued lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", text(name), re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_google_no_function_is_public_and_each_has_an_account_of_its_own() -> None:
    deployed = [command for command in commands("gcp/README.md") if "functions deploy" in command]
    triggers = [re.findall(r"--trigger-(http|bucket|topic)\b", command) for command in deployed]
    assert sorted(triggers) == [["bucket"], ["http"], ["http"], ["http"], ["topic"]]
    for command in deployed:
        assert "--service-account SERVICE_ACCOUNT" in command
        assert "--max-instances" in command
        assert ("--no-allow-unauthenticated" in command) == ("--trigger-http" in command)
        assert ("--retry" in command) == ("--trigger-http" not in command), "else what failed is delivered once"
        assert "--allow-unauthenticated" not in command
        assert not SECRET_NAME.search(command)


def test_google_the_roles_are_on_one_thing_each_and_the_least() -> None:
    found = set()
    for command in commands("gcp/README.md"):
        if "add-iam-policy-binding" in command:
            (place,) = re.findall(r"(\S+ \S+) add-iam-policy-binding \S+", command)
            (role,) = re.findall(r"--role (\S+)", command)
            found.add((place, role))
    assert found == {
        ("storage buckets", "roles/storage.objectViewer"),
        ("storage buckets", "roles/storage.objectCreator"),
        ("run services", "roles/run.invoker"),
        ("pubsub topics", "roles/pubsub.publisher"),  # Pub/Sub's own account, for the dead letters
        ("pubsub subscriptions", "roles/pubsub.subscriber"),
    }
    assert not re.search(r"roles/(owner|editor|storage\.admin|storage\.objectAdmin)", text("gcp/README.md"))


def test_google_what_calls_a_function_by_http_has_a_token_and_pushes_have_dead_letters() -> None:
    (push,) = [command for command in commands("gcp/README.md") if "--push-endpoint" in command]
    assert "--push-auth-service-account PUSHER" in push
    assert "--dead-letter-topic failed-images" in push
    (job,) = [command for command in commands("gcp/README.md") if "scheduler jobs create" in command]
    assert "--oidc-service-account-email SCHEDULER" in job


def test_google_the_entry_points_are_those_that_the_commands_name() -> None:
    named = set(re.findall(r"--entry-point (\w+)", "\n".join(commands("gcp/README.md"))))
    assert named == {"predict", "event", "scheduled"}
    assert all(f'"{name}"' in text("gcp/main.py") for name in named)


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
    assert "Whoever reaches it" in text("container/README.md"), "events are said to be open to whoever reaches it"
    for option in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "127.0.0.1:8080:8080"):
        assert option in run
    assert not re.search(r"--privileged|--network host|docker\.sock", run)
