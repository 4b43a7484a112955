"""Time, memory, /tmp, queues, snapshots and requests at a time, in deploy folders of a few lines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.preflight import case, only, statuses, template
from mlserverless.bundle.preflight import Case, Finding, amounts, lambdas

HOST = '{"version": "2.0", "functionTimeout": "%s"}'
SERVICE = """\
kind: Service
spec:
  template:
    spec:
      timeoutSeconds: %d
      containerConcurrency: %d
      containers: [{resources: {limits: {memory: %s}}}]
"""
QUEUE = """\
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: %d}
  Polled:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Jobs.Arn, FunctionName: %s}
"""
SNAPSHOT = ("SnapStart: {ApplyOn: PublishedVersions}", "AutoPublishAlias: live")


@pytest.mark.parametrize(
    ("check", "good", "bad", "told"),
    [
        (amounts.timeout, "Timeout: 900", "Timeout: 901", "asks for 901 s, and 1 to 900 s are accepted"),
        (amounts.timeout, "Timeout: 1", "Timeout: 0", "asks for 0 s"),
        (amounts.memory, "MemorySize: 10240", "MemorySize: 10241", "asks for 10,241 MB, and 128 to 10,240 MB"),
        (amounts.memory, "MemorySize: 128", "MemorySize: 127", "asks for 127 MB"),
        (lambdas.tmp, "EphemeralStorage: {Size: 512}", "EphemeralStorage: {Size: 511}", "asks for 511 MB of /tmp"),
        (lambdas.tmp, "EphemeralStorage: {Size: 10240}", "EphemeralStorage: {Size: 10241}", "10,241 MB of /tmp"),
    ],
)
def test_lambda_grants_what_is_within_its_limits(
    tmp_path: Path, check: Callable[[Case], list[Finding]], good: str, bad: str, told: str
) -> None:
    assert only(check, case(tmp_path, template_yaml=template(good))).status == "ok"
    finding = only(check, case(tmp_path, template_yaml=template(bad)))
    assert finding.status == "fail"
    assert told in finding.told
    assert finding.told.startswith("template.yaml: Classifier")
    assert finding.mend
    assert finding.source == "AWS Lambda developer guide, Lambda quotas (read 2026-11)"


def test_a_parameters_default_is_what_counts_and_an_unknown_value_is_not_guessed(tmp_path: Path) -> None:
    parameters = "Parameters: {Seconds: {Type: Number, Default: 1000}, Megabytes: {Type: Number}}\n"
    text = parameters + template("Timeout: !Ref Seconds", "MemorySize: !Ref Megabytes")
    examined = case(tmp_path, template_yaml=text)
    assert only(amounts.timeout, examined).status == "fail"
    assert amounts.memory(examined) == []


def test_globals_count_and_the_functions_own_value_wins(tmp_path: Path) -> None:
    shared = "Globals: {Function: {Timeout: 1000, MemorySize: 64}}\n"
    examined = case(tmp_path, template_yaml=shared + template("MemorySize: 512"))
    assert only(amounts.timeout, examined).status == "fail"
    assert only(amounts.memory, examined).status == "ok"


@pytest.mark.parametrize(("kind", "limit"), [("Api", 29), ("HttpApi", 30)])
def test_a_function_behind_an_api_gateway_has_to_answer_before_that_gives_up(
    tmp_path: Path, kind: str, limit: int
) -> None:
    def examined(seconds: int) -> list[Finding]:
        events = f"Events: {{Http: {{Type: {kind}, Properties: {{Path: /, Method: get}}}}}}"
        return amounts.front_door(case(tmp_path, template_yaml=template(f"Timeout: {seconds}", events)))

    assert examined(limit) == []
    (finding,) = examined(limit + 1)
    assert (finding.check, finding.status) == ("front-door", "warn")
    assert f"may run {limit + 1} s, and API Gateway gives up after {limit} s" in finding.told


def test_a_function_url_waits_as_long_as_the_function_runs(tmp_path: Path) -> None:
    text = template("Timeout: 900", "FunctionUrlConfig: {AuthType: AWS_IAM}")
    assert amounts.front_door(case(tmp_path, template_yaml=text)) == []


@pytest.mark.parametrize(
    ("visible", "status"), [(19, "fail"), (20, "warn"), (119, "warn"), (120, "ok"), (360, "ok")]
)
@pytest.mark.parametrize("name", ["!Ref Classifier", "!GetAtt Classifier.Arn", "!Sub '${Classifier}:live'"])
def test_a_queue_hides_a_message_six_times_as_long_as_the_function_runs(
    tmp_path: Path, visible: int, status: str, name: str
) -> None:
    text = template("Timeout: 20", then=QUEUE % (visible, name))
    finding = only(lambdas.queue, case(tmp_path, template_yaml=text))
    assert (finding.check, finding.status) == ("queue", status)
    assert ("VisibilityTimeout to 120" in finding.mend) == (status != "ok")


def test_a_queue_of_sams_own_event_is_looked_at_with_its_default(tmp_path: Path) -> None:
    events = "Events: {Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}"
    text = template("Timeout: 31", events, then="  Jobs: {Type: AWS::SQS::Queue}\n")
    finding = only(lambdas.queue, case(tmp_path, template_yaml=text))
    assert (finding.status, "after 30 s, and Classifier may run 31 s" in finding.told) == ("fail", True)


def test_a_queue_of_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    text = template(
        "Timeout: 60", then=QUEUE.replace("!GetAtt Jobs.Arn", "arn:aws:sqs:::x") % (1, "!Ref Classifier")
    )
    assert lambdas.queue(case(tmp_path, template_yaml=text)) == []


@pytest.mark.parametrize(
    ("target", "lines", "status", "told"),
    [
        ("aws", SNAPSHOT, "ok", "start from a snapshot"),
        ("aws:python3.12:arm64", SNAPSHOT, "ok", "start from a snapshot"),
        ("aws:python3.11", SNAPSHOT, "fail", "which Python 3.11 does not have"),
        ("aws", (*SNAPSHOT, "EphemeralStorage: {Size: 513}"), "fail", "513 MB of /tmp"),
        ("aws", (*SNAPSHOT, "EphemeralStorage: {Size: 512}"), "ok", "start from a snapshot"),
        ("aws", SNAPSHOT[:1], "warn", "called as $LATEST"),
        ("aws", (*SNAPSHOT, "PackageType: Image"), "fail", "which images do not have"),
        ("aws", (*SNAPSHOT, "ProvisionedConcurrencyConfig: {}"), "fail", "provisioned concurrency"),
    ],
)
def test_snapstart_is_asked_for_where_it_works(
    tmp_path: Path, target: str, lines: tuple[str, ...], status: str, told: str
) -> None:
    finding = only(lambdas.snapstart, case(tmp_path, target, template_yaml=template(*lines)))
    assert (finding.check, finding.status) == ("snapstart", status)
    assert told in finding.told


def test_without_snapstart_nothing_is_said_of_it(tmp_path: Path) -> None:
    for line in ("Timeout: 3", "SnapStart: {ApplyOn: None}"):
        assert lambdas.snapstart(case(tmp_path, template_yaml=template(line))) == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("00:05:00", "ok"),
        ("10:00:00", "ok"),
        ("-1", "warn"),
        ("five minutes", "fail"),
        ("00:00:00", "fail"),
    ],
)
def test_azures_function_timeout_is_a_time(tmp_path: Path, said: str, status: str) -> None:
    finding = only(amounts.timeout, case(tmp_path, "azure", host_json=HOST % said, main_bicep="// nothing"))
    assert (finding.check, finding.status) == ("timeout", status)


def test_azures_consumption_plan_grants_ten_minutes(tmp_path: Path) -> None:
    plan = "resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {\n  sku: {\n    name: 'Y1'\n  }\n}\n"
    for said, status in {"00:10:00": "ok", "00:10:01": "fail"}.items():
        examined = case(tmp_path, "azure", host_json=HOST % said, main_bicep=plan)
        assert only(amounts.timeout, examined).status == status


@pytest.mark.parametrize(
    ("size", "status"), [(512, "ok"), (1024, "fail"), (2048, "ok"), (4096, "ok"), (8192, "fail")]
)
def test_azures_instances_have_three_sizes(tmp_path: Path, size: int, status: str) -> None:
    text = f"param memory int = {size}\nresource x 'y' = {{\n  instanceMemoryMB: memory\n}}\n"
    assert only(amounts.memory, case(tmp_path, "azure", main_bicep=text)).status == status


def test_azures_front_door_gives_up_after_230_seconds(tmp_path: Path) -> None:
    text = "x: [\n{ name: 'MLSERVERLESS_TIMEOUT', value: '%d' }\n]\n"
    assert amounts.front_door(case(tmp_path, "azure", main_bicep=text % 230)) == []
    finding = only(amounts.front_door, case(tmp_path, "azure", main_bicep=text % 240))
    assert (finding.status, "sets MLSERVERLESS_TIMEOUT to 240" in finding.told) == ("warn", True)


@pytest.mark.parametrize(
    ("flags", "check", "status"),
    [
        ("--trigger-http:\n--timeout: 60m", "timeout", "ok"),
        ("--trigger-http:\n--timeout: 3601", "timeout", "fail"),
        ("--trigger-topic: images\n--timeout: 540s", "timeout", "ok"),
        ("--trigger-topic: images\n--timeout: 541s", "timeout", "fail"),
        ("--memory: 32Gi", "memory", "ok"),
        ("--memory: 33GiB", "memory", "fail"),
        ("--memory: 127M", "memory", "fail"),
        ("--concurrency: 1000", "concurrency", ""),
        ("--concurrency: 1001", "concurrency", "fail"),
        ("--concurrency: 2\n--cpu: 0.5", "concurrency", "fail"),
        ("--concurrency: 1\n--cpu: 0.5", "concurrency", ""),
    ],
)
def test_googles_flags_ask_for_what_there_is(tmp_path: Path, flags: str, check: str, status: str) -> None:
    examined = case(tmp_path, "gcp", flags_yaml=flags)
    found = statuses(getattr(amounts, check)(examined))
    assert found == ({(check, status)} if status else set())


def test_googles_service_asks_for_what_there_is(tmp_path: Path) -> None:
    good = case(tmp_path, "gcp", service_yaml=SERVICE % (3600, 80, "1Gi"))
    assert statuses(amounts.timeout(good) + amounts.memory(good)) == {("timeout", "ok"), ("memory", "ok")}
    assert amounts.concurrency(good) == []
    bad = case(tmp_path, "gcp", service_yaml=SERVICE % (3601, 1001, "64Gi"))
    found = amounts.timeout(bad) + amounts.memory(bad) + amounts.concurrency(bad)
    assert statuses(found) == {("timeout", "fail"), ("memory", "fail"), ("concurrency", "fail")}
