"""What the function itself may do: no wildcard, unless it is marked ``mlserverless: permissions-on-purpose``."""

import re
from collections.abc import Iterator
from typing import Any

from mlserverless.bundle.preflight import sam
from mlserverless.bundle.preflight.case import Case, Source, items, mapping
from mlserverless.bundle.preflight.dockerfile import last_stage
from mlserverless.bundle.preflight.finding import Finding, fail, ok

CHECK = "permissions"
SAY = "Or say that it is meant, in a comment above it: mlserverless: permissions-on-purpose."
BROAD = re.compile(r"(FullAccess|AdministratorAccess|PowerUserAccess|IAMFullAccess)$")
ROLES = re.compile(r"8e3af657-a8ff-443c-a75c-2fe8c4bcb635|b24988ac-6180-42a0-ab88-20f7382dd24c")
MANAGED = "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"


def wildcards(case: Case) -> list[Finding]:
    """No policy has a wildcard as its action or its resource, and no role is the owner's."""
    if case.target.provider not in ("aws", "azure"):
        return []
    find = _aws if case.target.provider == "aws" else _azure
    problems = [
        fail(CHECK, f"{source.name}: {told}", f"{mend} {SAY}")
        for source in case.sources
        for told, mend, key, value in find(source)
        if not source.acknowledges(CHECK, key, value)
    ]
    return problems or ([ok(CHECK, "no wildcard in what the function may do")] if case.sources else [])


def _aws(source: Source) -> Iterator[tuple[str, str, str, str]]:
    for function in sam.functions(source):
        for policy in items(function.properties.get("Policies")):
            if isinstance(policy, str) and BROAD.search(policy):
                yield (
                    f"{function.name} has the policy {policy}",
                    "List what it does, and on what.",
                    "Policies",
                    policy,
                )
            yield from _statements(function.name, policy)
    for name, properties, _ in sam.resources(source, *MANAGED):
        for arn in items(properties.get("ManagedPolicyArns")):
            if isinstance(arn, str) and BROAD.search(arn):
                yield f"{name} has the policy {arn}", "List what it does, and on what.", "ManagedPolicyArns", arn
        for policy in [{"Statement": []}, *items(properties.get("Policies")), properties]:
            yield from _statements(name, mapping(policy).get("PolicyDocument"))


def _statements(name: str, policy: Any) -> Iterator[tuple[str, str, str, str]]:
    for statement in map(mapping, items(mapping(policy).get("Statement"))):
        if statement.get("Effect") != "Allow":
            continue
        for action in items(statement.get("Action")):
            if isinstance(action, str) and (action == "*" or action.endswith(":*")):
                yield f"{name} may do {action}", "List the actions that it takes.", "Action", action
        if "*" in items(statement.get("Resource")):
            yield f"{name} may do it to every resource", "Name the bucket, the queue, the topic.", "Resource", "*"
        for key in ("NotAction", "NotResource"):
            if key in statement:
                yield f"{name} may do all but what {key} names", "List what it does, and on what.", key, ""


def _azure(source: Source) -> Iterator[tuple[str, str, str, str]]:
    for found in ROLES.finditer(source.text):
        role = "Owner" if found[0].startswith("8e3") else "Contributor"
        mend = "Give the app's identity a data role, as Storage Blob Data Owner, on the account that it uses."
        yield f"the app's identity gets the role {role}", mend, found[0], ""


def user(case: Case) -> list[Finding]:
    """An image runs as a user that is not root."""
    findings = []
    for source in case.sources:
        if source.name != "Dockerfile" or source.problem:
            continue
        users = [words for name, words in last_stage(source) if name == "USER"]
        who = users[-1].partition(":")[0] if users else "root"
        if who in ("root", "0") and not source.acknowledges("user", "USER"):
            told = "the image runs as root" if users else "the image's last stage has no USER, so it runs as root"
            findings.append(fail("user", f"Dockerfile: {told}", "Add USER 65534:65534 to its last stage."))
        else:
            findings.append(ok("user", f"the image runs as user {who}"))
    return findings
