"""What a deployment to AWS exposes by default, read from its templates: nothing to the public, no spare rights."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlserverless.bundle.preflight.sam import load

ADAPTERS = Path(__file__).parents[2] / "adapters"
TEMPLATES = ("template.yaml", "s3.yaml", "sqs.yaml")
SECRET_NAME = re.compile(
    r"secret|password|passwd|token|api_?key|access_?key|credential|sas|connection_?string", re.I
)


def template(name: str) -> dict[str, Any]:
    read: dict[str, Any] = load((ADAPTERS / "aws" / name).read_text(encoding="utf-8"))
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
        "AWS::CloudWatch::Alarm",
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
    assert queues[polled]["VisibilityTimeout"] == {"FindInMap": ["Times", {"Ref": "Timeout"}, "Visibility"]}


def test_aws_failed_events_are_tried_again_from_a_queue() -> None:
    (mapping,) = resources("s3.yaml", "AWS::Lambda::EventSourceMapping").values()
    assert mapping["EventSourceArn"] == {"GetAtt": "Retries.Arn"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1


def test_aws_the_queue_is_polled_so_that_nothing_is_lost() -> None:
    (mapping,) = resources("sqs.yaml", "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == {"Ref": "BatchSize"}
    assert template("sqs.yaml")["Parameters"]["BatchSize"]["Default"] == 1
    assert template("sqs.yaml")["Parameters"]["BatchSize"]["MaxValue"] <= 10, "more takes a batching window"
    for source, name in (("s3.yaml", "Retries"), ("sqs.yaml", "Jobs")):
        (polled,) = resources(source, "AWS::Lambda::EventSourceMapping").values()
        assert polled["EventSourceArn"] == {"GetAtt": f"{name}.Arn"}


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
    assert function["Timeout"] == {"Ref": "Timeout"}
    assert template(name)["Parameters"]["Timeout"]["Default"] <= 60


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_alarms_tell_a_topic_of_the_account_and_nobody_by_default(name: str) -> None:
    parameter = template(name)["Parameters"]["AlarmTopic"]
    assert parameter["Default"] == ""
    for given, taken in {
        "": True,
        "arn:aws:sns:eu-central-1:123456789012:on-call": True,
        "https://x.test": False,
    }.items():
        assert bool(re.fullmatch(parameter["AllowedPattern"], given)) == taken
    assert template(name)["Conditions"]["Watched"] == {"Not": [{"Equals": [{"Ref": "AlarmTopic"}, ""]}]}
    alarms = resources(name, "AWS::CloudWatch::Alarm")
    metrics = {"Errors", "Throttles", "Duration"} | (
        {"ApproximateNumberOfMessagesVisible"} if name != "template.yaml" else set()
    )
    assert {alarm["MetricName"] for alarm in alarms.values()} == metrics
    for key, alarm in alarms.items():
        assert template(name)["Resources"][key]["Condition"] == "Watched"
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", TEMPLATES)
def test_aws_logs_end_and_are_the_stacks_own(name: str) -> None:
    (function,) = resources(name, "AWS::Serverless::Function").values()
    (log,) = resources(name, "AWS::Logs::LogGroup").values()
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "ClassifierLog"}}
    assert log["RetentionInDays"] == {"Ref": "LogDays"}
    assert template(name)["Parameters"]["LogDays"]["Default"] == 30
    assert "${AWS::StackName}" in log["LogGroupName"]["Sub"]


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
