"""What is open to everybody is told, unless it is marked as meant; so are wildcards in what a function may do."""

from pathlib import Path

import pytest

from helpers.preflight import HEAD, case, only, template
from mlserverless.bundle.preflight import access, permissions

MARK = "# mlserverless: public-on-purpose"
BUCKET = """\
Resources:
  Images:
    Type: AWS::S3::Bucket
    Properties:
      %s
"""
BLOCKED = (
    "PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, "
    "RestrictPublicBuckets: %s}"
)
POLICY = """\
Resources:
  Rule:
    Type: AWS::SQS::QueuePolicy
    Properties:
      PolicyDocument:
        Statement: [{Effect: Allow, Action: sqs:SendMessage, Principal: %s}]
"""
CALLERS = """\
Resources:
  Callers:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: x, Principal: %s}
"""
APP = "import azure.functions as func\napp = func.FunctionApp(%s)\n"


def aws(tmp_path: Path, text: str) -> tuple[str, str]:
    finding = only(access.public, case(tmp_path, template_yaml=text))
    assert finding.check == "public"
    assert bool(finding.mend) == (finding.status == "fail")
    return finding.status, finding.told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (template("FunctionUrlConfig: {AuthType: NONE}"), "its URL answers anybody"),
        (template("FunctionUrlConfig: {AuthType: AWS_IAM, Cors: {AllowOrigins: ['*']}}"), "every origin"),
        (template("Events: {Http: {Type: HttpApi}}"), "asks no caller who it is"),
        (template("Events: {Http: {Type: Api, Properties: {Path: /}}}"), "asks no caller who it is"),
        (BUCKET % "BucketName: x", "has no PublicAccessBlockConfiguration"),
        (BUCKET % BLOCKED % "false", "does not set RestrictPublicBuckets"),
        (BUCKET % (BLOCKED % "true" + "\n      AccessControl: PublicRead"), "everybody may read the bucket"),
        (POLICY % "'*'", "lets everybody in"),
        (POLICY % "{AWS: '*'}", "lets everybody in"),
        (CALLERS % "'*'", "anybody may call the function"),
        (
            HEAD.replace("Serverless::Function", "Lambda::Url") + "      AuthType: NONE\n",
            "its URL answers anybody",
        ),
    ],
)
def test_aws_an_opening_is_told(tmp_path: Path, text: str, told: str) -> None:
    status, said = aws(tmp_path, text)
    assert status == "fail"
    assert told in said
    assert said.startswith("template.yaml: ")


@pytest.mark.parametrize(
    "text",
    [
        template("FunctionUrlConfig: {AuthType: AWS_IAM, Cors: {AllowOrigins: [https://example.com]}}"),
        template("Events: {Http: {Type: HttpApi, Properties: {Auth: {Authorizer: AWS_IAM}}}}"),
        "Globals: {HttpApi: {Auth: {DefaultAuthorizer: AWS_IAM}}}\n" + template("Events: {Http: {Type: HttpApi}}"),
        template("Events: {Http: {Type: HttpApi, Properties: {ApiId: !Ref Api}}}"),
        BUCKET % BLOCKED % "true",
        POLICY % "{Service: s3.amazonaws.com}",
        (POLICY % "'*'").replace("Effect: Allow", "Effect: Deny"),
        (POLICY % "'*'").replace("}]", ", Condition: {StringEquals: {aws:SourceAccount: x}}}]"),
        CALLERS % "s3.amazonaws.com",
        CALLERS % "'*', SourceArn: x",
    ],
)
def test_aws_what_is_narrowed_is_no_opening(tmp_path: Path, text: str) -> None:
    assert aws(tmp_path, text) == ("ok", "nothing is open to everybody")


@pytest.mark.parametrize(
    "text",
    [
        template("FunctionUrlConfig:", f"  {MARK}", "  AuthType: NONE"),
        template("FunctionUrlConfig:", f"  AuthType: NONE {MARK}"),
        template("FunctionUrlConfig: {AuthType: NONE}").replace(
            "    Properties:", "    Metadata: {mlserverless: public-on-purpose}\n    Properties:"
        ),
        (BUCKET % "BucketName: x").replace("  Images:", f"  {MARK}\n  Images:"),
    ],
)
def test_aws_an_opening_that_is_meant_is_marked(tmp_path: Path, text: str) -> None:
    assert aws(tmp_path, text) == ("ok", "1 opened on purpose")


def test_aws_a_mark_elsewhere_or_of_another_check_opens_nothing(tmp_path: Path) -> None:
    for line in (MARK, "# mlserverless: permissions-on-purpose"):
        text = template("FunctionUrlConfig:", "  AuthType: NONE") + f"{line}\n"
        assert aws(tmp_path, text)[0] == "fail"
    two = template("FunctionUrlConfig:", f"  AuthType: NONE {MARK}")
    other = two.replace("Resources:\n", "").replace("Classifier", "Other").replace(f" {MARK}", "")
    status, told = aws(tmp_path, two + other)
    assert (status, "Other" in told) == ("fail", True), "each opening has a mark of its own"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("http_auth_level=func.AuthLevel.FUNCTION", "ok"),
        ("", "ok"),
        ("http_auth_level=func.AuthLevel.ANONYMOUS", "fail"),
        ('http_auth_level="anonymous"', "fail"),
        ("http_auth_level=func.AuthLevel.ANONYMOUS  # mlserverless: public-on-purpose\n", "ok"),
    ],
)
def test_azure_functions_want_a_key(tmp_path: Path, given: str, status: str) -> None:
    (tmp_path / "function_app.py").write_text(APP % given, encoding="utf-8")
    finding = only(access.public, case(tmp_path, "azure"))
    assert finding.status == status
    assert status == "ok" or "function_app.py: line 2: answers without a key" in finding.told


@pytest.mark.parametrize(
    ("line", "arm"),
    [
        ("allowBlobPublicAccess: true", {"allowBlobPublicAccess": "true"}),
        ("publicAccess: 'Blob'", {"publicAccess": '"Blob"'}),
        ("httpsOnly: false", {"httpsOnly": "false"}),
        ("allowedOrigins: ['*']", {"allowedOrigins": '["*"]'}),
    ],
)
def test_azure_storage_and_app_are_closed(tmp_path: Path, line: str, arm: dict[str, str]) -> None:
    ((key, value),) = arm.items()
    document = '{"resources": [{"properties": {"%s": %s}}]%s}'
    assert only(access.public, case(tmp_path / "1", "azure", main_bicep=f"  {line}\n")).status == "fail"
    assert (
        only(access.public, case(tmp_path / "2", "azure", main_json=document % (key, value, ""))).status == "fail"
    )
    marked = case(tmp_path / "3", "azure", main_bicep=f"  // mlserverless: public-on-purpose\n  {line}\n")
    assert only(access.public, marked).status == "ok"
    said = ', "metadata": {"mlserverless": "public-on-purpose"}'
    assert (
        only(access.public, case(tmp_path / "4", "azure", main_json=document % (key, value, said))).status == "ok"
    )


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("flags_yaml", "--allow-unauthenticated:\n", "fail"),
        ("flags_yaml", "--allow-unauthenticated: true\n", "fail"),
        ("flags_yaml", "--allow-unauthenticated: false\n", "ok"),
        ("flags_yaml", "--no-allow-unauthenticated:\n", "ok"),
        ("flags_yaml", "- --no-allow-unauthenticated: false\n", "fail"),
        ("flags_yaml", f"{MARK}\n--allow-unauthenticated:\n", "ok"),
        (
            "service_yaml",
            "kind: Service\nmetadata: {annotations: {run.googleapis.com/invoker-iam-disabled: 'true'}}\nspec: {}",
            "fail",
        ),
        ("service_yaml", "kind: Service\nspec: {}", "ok"),
    ],
)
def test_google_asks_callers_who_they_are(tmp_path: Path, name: str, text: str, status: str) -> None:
    finding = only(access.public, case(tmp_path, "gcp", **{name: text}))
    assert (finding.check, finding.status) == ("public", status)


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ("[{Statement: [{Effect: Allow, Action: 's3:*', Resource: x}]}]", "may do s3:*"),
        ("[{Statement: {Effect: Allow, Action: ['*'], Resource: x}}]", "may do *"),
        ("[{Statement: [{Effect: Allow, Action: s3:GetObject, Resource: '*'}]}]", "to every resource"),
        ("[{Statement: [{Effect: Allow, NotAction: s3:GetObject, Resource: x}]}]", "all but what NotAction names"),
        ("[arn:aws:iam::aws:policy/AmazonS3FullAccess]", "AmazonS3FullAccess"),
        ("AdministratorAccess", "AdministratorAccess"),
        ("[{Statement: [{Effect: Allow, Action: 's3:Get*', Resource: x}]}]", ""),
        ("[{Statement: [{Effect: Deny, Action: '*', Resource: '*'}]}]", ""),
        ("[{S3ReadPolicy: {BucketName: x}}]", ""),
    ],
)
def test_what_the_function_may_do_has_no_wildcard(tmp_path: Path, policies: str, told: str) -> None:
    finding = permissions.wildcards(case(tmp_path, template_yaml=template(f"Policies: {policies}")))[0]
    assert finding.check == "permissions"
    assert finding.status == ("fail" if told else "ok")
    assert told in finding.told


def test_roles_of_their_own_are_looked_at_too(tmp_path: Path) -> None:
    role = """\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [arn:aws:iam::aws:policy/PowerUserAccess]
      Policies: [{PolicyDocument: {Statement: [{Effect: Allow, Action: 'sqs:*', Resource: x}]}}]
"""
    told = [finding.told for finding in permissions.wildcards(case(tmp_path, template_yaml=role))]
    assert told == [
        "template.yaml: Role has the policy arn:aws:iam::aws:policy/PowerUserAccess",
        "template.yaml: Role may do sqs:*",
    ]


def test_a_wildcard_that_is_meant_is_marked(tmp_path: Path) -> None:
    lines = ("Policies:", "  - Statement:", "      - Effect: Allow", "        Action: x:Y")
    mark = "        # mlserverless: permissions-on-purpose"
    plain = template(*lines, "        Resource: '*'")
    assert only(permissions.wildcards, case(tmp_path, template_yaml=plain)).status == "fail"
    marked = template(*lines, mark, "        Resource: '*'")
    assert only(permissions.wildcards, case(tmp_path, template_yaml=marked)).status == "ok"


@pytest.mark.parametrize(
    ("role", "status"),
    [("b24988ac-6180-42a0-ab88-20f7382dd24c", "fail"), ("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "ok")],
)
def test_azures_identity_gets_data_roles_alone(tmp_path: Path, role: str, status: str) -> None:
    examined = case(tmp_path, "azure", main_bicep=f"var role = '{role}'\n")
    assert only(permissions.wildcards, examined).status == status


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("FROM a\nUSER 1000:1000\n", "ok"),
        ("FROM a\nUSER nobody\n", "ok"),
        ("FROM a\n", "fail"),
        ("FROM a AS b\nUSER 1000\nFROM a\nCOPY --from=b x y\n", "fail"),
        ("FROM a\nUSER 1000\nUSER root\n", "fail"),
        ("FROM a\nUSER 0:0\n", "fail"),
    ],
)
def test_an_image_runs_as_nobody_special(tmp_path: Path, text: str, status: str) -> None:
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    assert only(permissions.user, case(tmp_path, "container")).status == status
