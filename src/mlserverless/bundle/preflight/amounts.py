"""Time, memory and requests at a time that the templates ask for, against what the platform gives."""

from collections.abc import Iterator
from math import inf

from mlserverless.bundle import limits
from mlserverless.bundle.limits import Limit
from mlserverless.bundle.preflight import arm, gcloud
from mlserverless.bundle.preflight.case import Asked, Case, Source, mapping, number
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.bundle.preflight.sam import every


def timeout(case: Case) -> list[Finding]:
    """Every function's timeout is one that the platform grants."""
    problems = []
    for asked in case.asked:
        limit = _longest(case, asked)
        if asked.timeout is not None and limit is not None and not 1 <= asked.timeout <= limit.value:
            told = f"{asked.where} asks for {asked.timeout:,.0f} s, and 1 to {limit} are accepted"
            problems.append(fail("timeout", told, f"Set a timeout of at most {limit}.", limit))
    problems += [problem for source in case.sources for problem in _host(case, source)]
    return problems or ([ok("timeout", "within what the platform grants")] if case.asked else [])


def _longest(case: Case, asked: Asked) -> Limit | None:
    if case.target.provider == "aws":
        return limits.TIMEOUT
    if case.target.provider == "gcp":
        return limits.GCP_HTTP_TIMEOUT if asked.http else limits.GCP_EVENT_TIMEOUT
    return None


def _host(case: Case, source: Source) -> Iterator[Finding]:
    """Azure's functionTimeout, which host.json has, against the plan, which the template has."""
    if source.name != "host.json" or "functionTimeout" not in mapping(source.says):
        return
    said = mapping(source.says)["functionTimeout"]
    span = arm.seconds(said)
    plans = {str(value) for other in case.sources if other is not source for value in arm.values(other, "name")}
    if span is None or span <= 0:
        mend = 'Write it as "hh:mm:ss", or "-1" for no limit.'
        yield fail("timeout", f"host.json has functionTimeout {said!r}, which is no time", mend)
    elif "Y1" in plans and span > limits.AZURE_CONSUMPTION_TIMEOUT.value:
        limit = limits.AZURE_CONSUMPTION_TIMEOUT
        told = f"host.json has functionTimeout {said}, and the Consumption plan (Y1) grants {limit}"
        yield fail("timeout", told, "Set at most 00:10:00, or take the Flex Consumption plan (FC1).", limit)
    elif span == inf:
        mend = "Give it a time: what hangs is else paid for until the instance is replaced."
        yield warn("timeout", 'host.json has functionTimeout "-1", no limit', mend)


def memory(case: Case) -> list[Finding]:
    """Every function's memory is one that the platform has."""
    least, most = {
        "aws": (limits.MEMORY_LEAST, limits.MEMORY_MOST),
        "gcp": (limits.GCP_MEMORY_LEAST, limits.GCP_MEMORY_MOST),
    }.get(case.target.provider, (limits.AZURE_MEMORY[0], limits.AZURE_MEMORY[-1]))
    sizes = tuple(limit.value for limit in limits.AZURE_MEMORY) if case.target.provider == "azure" else ()
    problems = []
    for asked in case.asked:
        if asked.memory is None:
            continue
        if sizes and asked.memory not in sizes:
            told = f"{asked.where} asks for {asked.memory} MB, and an instance has {', '.join(map(str, sizes))} MB"
            problems.append(fail("memory", told, "Set instanceMemoryMB to one of them.", least))
        elif not least.value <= asked.memory <= most.value:
            told = f"{asked.where} asks for {asked.memory:,} MB, and {least.value:,} to {most} are accepted"
            problems.append(fail("memory", told, "Set a size between them.", most))
    return problems or _known(case, "memory")


def _known(case: Case, check: str) -> list[Finding]:
    told = [f"{asked.where} {asked.memory:,} MB" for asked in case.asked if asked.memory is not None]
    return [ok(check, ", ".join(told))] if told else []


def front_door(case: Case) -> list[Finding]:
    """No function may run longer than what stands before it waits for its answer."""
    problems: list[Finding] = []
    for function in every(case):
        span = number(function.properties.get("Timeout", 3))
        for kind, limit in (("Api", limits.REST_API_WAITS), ("HttpApi", limits.HTTP_API_WAITS)):
            if kind in function.kinds and span is not None and span > limit.value:
                told = f"{function.where} may run {span:.0f} s, and API Gateway gives up after {limit}"
                mend = f"Set Timeout to at most {limit.value - 1}, or use a Function URL, which waits."
                problems.append(warn("front-door", told, mend, limit))
    if case.target.provider == "azure":
        for asked in case.asked:
            span, limit = number(asked.variables.get("MLSERVERLESS_TIMEOUT")), limits.AZURE_HTTP_WAITS
            if span is not None and span > limit.value:
                told = f"{asked.where} sets MLSERVERLESS_TIMEOUT to {span:.0f}, and Azure gives up after {limit}"
                problems.append(warn("front-door", told, "Set at most 225, which answers in time.", limit))
    return problems


def concurrency(case: Case) -> list[Finding]:
    """Google's requests at a time are as many as it takes, and more than one has a whole CPU."""
    problems = []
    for source in case.sources if case.target.provider == "gcp" else ():
        said = gcloud.flags(source)
        revision = mapping(mapping(mapping(source.says).get("spec")).get("template"))
        many = number(said.get("concurrency", mapping(revision.get("spec")).get("containerConcurrency")))
        limit = limits.GCP_CONCURRENCY
        if many is not None and not 1 <= many <= limit.value:
            told = f"{source.name} asks for {many:,.0f} requests at a time, and 1 to {limit.value:,} are accepted"
            problems.append(fail("concurrency", told, "Set a number between them.", limit))
        share = number(said.get("cpu"))
        if many is not None and many > 1 and share is not None and share < 1:
            told = f"{source.name} asks for {many:.0f} requests at a time with {share:g} CPU, which is refused"
            problems.append(fail("concurrency", told, "Set --cpu to 1, or --concurrency to 1.", limit))
    return problems
