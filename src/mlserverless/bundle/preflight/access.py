"""Who may call the function and read what it stores: nobody without a key or a role, unless it is marked as meant.

An opening is marked by a comment on its line or the line above, ``mlserverless: public-on-purpose``; in a template
of AWS also by ``Metadata: {mlserverless: public-on-purpose}`` of its resource, in ARM JSON by the document's.
"""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from mlserverless.bundle.preflight import arm, gcloud, sam
from mlserverless.bundle.preflight.case import Case, Source, items, mapping
from mlserverless.bundle.preflight.finding import Finding, fail, ok
from mlserverless.bundle.stage import ENTRIES

CHECK = "public"
SAY = "Or say that it is meant, in a comment above it: mlserverless: public-on-purpose."
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
POLICIES = tuple(f"AWS::{name}Policy" for name in ("S3::Bucket", "SQS::Queue", "SNS::Topic"))


class Opening(NamedTuple):
    """What is open: where, how it is told and mended, and the line that opens it."""

    where: str
    told: str
    mend: str
    key: str
    value: str = ""
    resource: Any = None


def public(case: Case) -> list[Finding]:
    """Nothing is open to everybody, but for what is marked as meant."""
    find = {"aws": _aws, "azure": _azure, "gcp": _gcp}.get(case.target.provider)
    if find is None:
        return []
    problems, meant = [], 0
    for source, opening in find(case):
        if _meant(source, opening):
            meant += 1
        else:
            told = f"{source.name}: {opening.where}: {opening.told}"
            problems.append(fail(CHECK, told, f"{opening.mend} {SAY}"))
    told = f"{meant} opened on purpose" if meant else "nothing is open to everybody"
    return problems or [ok(CHECK, told)]


def _meant(source: Source, opening: Opening) -> bool:
    said = items(mapping(mapping(opening.resource).get("Metadata")).get("mlserverless"))
    if f"{CHECK}-on-purpose" in said:
        return True
    within = opening.where.partition(",")[0] if opening.resource is not None else ""
    return arm.acknowledged(source, CHECK, opening.key, opening.value, within)


def _aws(case: Case) -> Iterator[tuple[Source, Opening]]:
    for source in case.sources:
        for function in sam.functions(source):
            whole = mapping(mapping(mapping(source.says).get("Resources")).get(function.name))
            for opening in _function(function, mapping(mapping(source.says).get("Globals"))):
                yield source, opening._replace(resource=whole)
        for kind, find in {"AWS::Lambda::Url": _url, "AWS::Lambda::Permission": _permission}.items():
            for name, properties, whole in sam.resources(source, kind):
                for opening in find(name, properties):
                    yield source, opening._replace(resource=whole)
        for name, properties, whole in sam.resources(source, "AWS::S3::Bucket"):
            for opening in _bucket(name, properties):
                yield source, opening._replace(resource=whole)
        for name, properties, whole in sam.resources(source, *POLICIES):
            if any(map(_open_to_all, items(mapping(properties.get("PolicyDocument")).get("Statement")))):
                told = "the policy lets everybody in, under no condition"
                mend = "Name the Principal, or add a Condition on aws:SourceArn or aws:SourceAccount."
                yield source, Opening(name, told, mend, "Principal", "*", whole)


def _function(function: sam.Function, shared: dict[str, Any]) -> Iterator[Opening]:
    if url := mapping(function.properties.get("FunctionUrlConfig")):
        yield from _url(function.name, url)
    for name, event in function.events.items():
        kind, told = event.get("Type"), mapping(event.get("Properties"))
        both = mapping(shared.get(str(kind))).get("Auth"), told.get("Auth")
        if kind in sam.HTTP_EVENTS and not any(map(mapping, both)) and not _named_api(told):
            mend = "Set Auth on the event, as {Authorizer: AWS_IAM}, or use a Function URL with AWS_IAM."
            yield Opening(
                f"{function.name}, {name}", f"the {kind} event asks no caller who it is", mend, str(name)
            )


def _named_api(told: dict[str, Any]) -> bool:
    return "ApiId" in told or "RestApiId" in told  # an API that is described elsewhere has its own Auth


def _url(name: str, told: dict[str, Any]) -> Iterator[Opening]:
    if told.get("AuthType") == "NONE":
        mend = "Set AuthType: AWS_IAM and sign requests."
        yield Opening(name, "its URL answers anybody (AuthType: NONE)", mend, "AuthType", "NONE")
    if "*" in items(mapping(told.get("Cors")).get("AllowOrigins")):
        mend = "Name the origins that may call it."
        yield Opening(name, "pages of every origin may call it (CORS *)", mend, "AllowOrigins", "*")


def _permission(name: str, told: dict[str, Any]) -> Iterator[Opening]:
    narrowed = {"SourceArn", "SourceAccount", "PrincipalOrgID"} & set(told)
    if told.get("Principal") == "*" and not narrowed and told.get("FunctionUrlAuthType") != "AWS_IAM":
        mend = "Name the Principal, or add SourceArn or SourceAccount."
        yield Opening(name, "anybody may call the function (Principal: *)", mend, "Principal", "*")


def _bucket(name: str, told: dict[str, Any]) -> Iterator[Opening]:
    blocked = mapping(told.get("PublicAccessBlockConfiguration"))
    if missing := [block for block in BLOCKS if str(blocked.get(block)).lower() != "true"]:
        how = f"does not set {missing[0]}" if blocked else "has no PublicAccessBlockConfiguration"
        yield Opening(
            name, f"the bucket {how}", f"Set {', '.join(BLOCKS)} to true.", missing[0] if blocked else name
        )
    if str(told.get("AccessControl", "")).startswith("PublicRead"):
        yield Opening(name, "everybody may read the bucket", "Leave AccessControl out.", "AccessControl", "Public")


def _open_to_all(statement: Any) -> bool:
    told = mapping(statement)
    principal = told.get("Principal")
    whoever = principal == "*" or "*" in items(mapping(principal).get("AWS"))
    return told.get("Effect") == "Allow" and whoever and not told.get("Condition")


def _azure(case: Case) -> Iterator[tuple[Source, Opening]]:
    for source in case.sources:
        for key, value in arm.pairs(source):
            if key == "allowBlobPublicAccess" and value is True:
                yield source, Opening("storage", "blobs may be made public", "Set it to false.", key, "true")
            if key == "publicAccess" and value in ("Blob", "Container"):
                yield source, Opening("storage", "everybody may read the container", 'Set it to "None".', key)
            if key == "httpsOnly" and value is False:
                yield source, Opening("the app", "answers without TLS", "Set httpsOnly to true.", key, "false")
            if key == "allowedOrigins" and ("*" in items(value) or "'*'" in str(value)):
                mend = "Name the origins that may call it."
                yield source, Opening("the app", "pages of every origin may call it (CORS *)", mend, key)
    path = case.deploy / ENTRIES["azure"]
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return  # told by the check of the entry file
    source = Source(path.name, text)
    mend = "Take func.AuthLevel.FUNCTION: callers then send a key."
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "ANONYMOUS":
            yield source, Opening(f"line {node.lineno}", "answers without a key", mend, "ANONYMOUS")
        elif isinstance(node, ast.keyword) and node.arg in ("auth_level", "http_auth_level"):
            level = getattr(node.value, "value", None)
            if isinstance(level, str) and level.lower() == "anonymous":
                yield source, Opening(f"line {node.value.lineno}", "answers without a key", mend, node.arg, level)


def _gcp(case: Case) -> Iterator[tuple[Source, Opening]]:
    for source in case.sources:
        told = gcloud.flags(source)
        if gcloud.is_set(told, "allow-unauthenticated") or told.get("no-allow-unauthenticated") is False:
            mend = "Set --no-allow-unauthenticated, and give callers the role roles/run.invoker."
            key = "--allow-unauthenticated" if "allow-unauthenticated" in told else "--no-allow-unauthenticated"
            yield source, Opening("the function", "anybody may call it", mend, key)
        key = "run.googleapis.com/invoker-iam-disabled"
        if str(gcloud.annotations(source).get(key, "")).lower() == "true":
            mend = "Leave the annotation out, and give callers the role roles/run.invoker."
            yield source, Opening("the service", "anybody may call it", mend, key)
