"""What only Lambda has: /tmp of a chosen size, queues that it polls, snapshots of a started function."""

import re
from collections.abc import Iterator
from typing import Any

from mlserverless.bundle import limits
from mlserverless.bundle.preflight.case import Case, Source, mapping, number
from mlserverless.bundle.preflight.finding import FAIL, Finding, fail, ok, warn
from mlserverless.bundle.preflight.sam import every, functions


def tmp(case: Case) -> list[Finding]:
    """Lambda's /tmp is within its sizes."""
    problems, seen = [], False
    for function in every(case):
        size = number(mapping(function.properties.get("EphemeralStorage")).get("Size"))
        seen = seen or size is not None
        if size is not None and not limits.TMP_LEAST.value <= size <= limits.TMP_MOST.value:
            told = (
                f"{function.where} asks for {size:,.0f} MB of /tmp, and {limits.TMP_LEAST.value} "
                f"to {limits.TMP_MOST} are accepted"
            )
            problems.append(fail("tmp", told, "Set EphemeralStorage's Size between them.", limits.TMP_MOST))
    return problems or ([ok("tmp", "within Lambda's sizes", limits.TMP_MOST)] if seen else [])


def queue(case: Case) -> list[Finding]:
    """A queue shows a message again only when the function that has it must have ended."""
    findings = []
    for source in case.sources if case.target.provider == "aws" else ():
        for name, visible, function, span in _polled(source):
            limit, told = limits.QUEUE_TIMES, f"{source.name}: {name} shows a message again after {visible:.0f} s"
            told = f"{told}, and {function} may run {span:.0f} s"
            mend = f"Set its VisibilityTimeout to {limit.value * span:.0f}: six times the function's Timeout."
            if visible < span:
                findings.append(fail("queue", told, f"{mend} AWS refuses less than once.", limit))
            elif visible < limit.value * span:
                findings.append(warn("queue", told, mend, limit))
            else:
                findings.append(ok("queue", told, limit))
    return [one for one in findings if one.status == FAIL] or findings


def _polled(source: Source) -> Iterator[tuple[str, float, str, float]]:
    """Yield queue, its visibility timeout, function, its timeout for each queue that a function polls."""
    every = {function.name: function for function in functions(source)}
    resources = mapping(mapping(source.says).get("Resources"))
    links: list[tuple[Any, Any]] = []
    for resource in map(mapping, resources.values()):
        if resource.get("Type") == "AWS::Lambda::EventSourceMapping":
            told = mapping(resource.get("Properties"))
            links.append((told.get("EventSourceArn"), _referred(told.get("FunctionName"))))
    for function in every.values():
        polled = (event for event in function.events.values() if event.get("Type") == "SQS")
        links += [(mapping(event.get("Properties")).get("Queue"), function.name) for event in polled]
    for arn, polled_by in links:
        name = _referred(arn)
        properties = mapping(mapping(resources.get(name)).get("Properties"))
        if polled_by in every and mapping(resources.get(name)).get("Type") == "AWS::SQS::Queue":
            visible = number(properties.get("VisibilityTimeout", 30))
            span = number(every[polled_by].properties.get("Timeout", 3))
            if visible is not None and span is not None:
                yield name, visible, polled_by, span


def _referred(value: Any) -> str:
    """Return the logical name that a reference, an ARN or an alias of it is of; "" where it is none."""
    told = mapping(value)
    inside = told.get("GetAtt", told.get("Fn::GetAtt", told.get("Ref", value)))
    name = inside[0] if isinstance(inside, list) and inside else inside
    found = re.match(r"\$\{(\w+)|(\w+)", name) if isinstance(name, str) else None
    return (found[1] or found[2]) if found else ""


def snapstart(case: Case) -> list[Finding]:
    """SnapStart is asked for only where it works."""
    findings = []
    for function in every(case):
        if mapping(function.properties.get("SnapStart")).get("ApplyOn") == "PublishedVersions":
            findings += list(_snapstart(case, function.where, function.properties, function.serverless))
    return findings


def _snapstart(case: Case, where: str, properties: dict[str, Any], serverless: bool) -> Iterator[Finding]:
    size = number(mapping(properties.get("EphemeralStorage")).get("Size", 512))
    limit, good = limits.SNAPSTART_MINOR, True
    if int(case.target.python.partition(".")[2]) < limit.value:
        good = False
        told = f"{where} asks for SnapStart, which Python {case.target.python} does not have"
        yield fail("snapstart", told, f"Take Python 3.{limit.value} or later, or leave SnapStart out.", limit)
    if size is not None and size > limits.SNAPSTART_TMP.value:
        good = False
        told = (
            f"{where} asks for SnapStart and {size:,.0f} MB of /tmp; with it {limits.SNAPSTART_TMP} are the most"
        )
        yield fail("snapstart", told, "Leave out one of the two.", limits.SNAPSTART_TMP)
    if properties.get("PackageType") == "Image":
        good = False
        yield fail("snapstart", f"{where} asks for SnapStart, which images do not have", "Use a zip.", limit)
    if "ProvisionedConcurrencyConfig" in properties:
        good = False
        told = f"{where} asks for SnapStart and for provisioned concurrency, which go not together"
        yield fail("snapstart", told, "Leave out one of the two.", limit)
    if serverless and "AutoPublishAlias" not in properties:
        good = False
        told = f"{where} asks for SnapStart but is called as $LATEST, which is never restored from a snapshot"
        yield warn("snapstart", told, "Set AutoPublishAlias: live, and call that alias.", limit)
    if good:
        yield ok("snapstart", f"{where}: published versions start from a snapshot", limit)
