"""What deploy folders say, read as far as that is known before a deployment; what cannot be read is a red line."""

from pathlib import Path
from typing import Any

import pytest

from helpers.preflight import TODAY, case, template
from mlserverless.bundle.preflight import CHECKS, Case, arm, dockerfile, gather, gcloud, models, sam
from mlserverless.bundle.preflight.case import Source, Unknown
from mlserverless.bundle.targets import PROVIDERS, parse
from mlserverless.local import deploy

CONDITIONS = """\
Parameters:
  Kept: {Type: String, Default: ""}
  Size: {Type: Number, Default: 20}
  Bucket: {Type: String}
Mappings:
  Times: {"20": {Slow: 120}}
Conditions:
  Keeps: !Not [!Equals [!Ref Kept, ""]]
  Small: !Equals [!Ref Size, "20"]
  Both: !And [!Condition Keeps, !Condition Small]
  Any: !Or [!Condition Keeps, !Condition Small]
  Named: !Equals [!Ref Bucket, images]
Resources: {X: {Type: Y, Properties: {value: %s}}}
"""


def value(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "template.yaml"
    path.write_text(CONDITIONS % text, encoding="utf-8")
    source = sam.read(path, {})
    assert source.problem == ""
    return source.says["Resources"]["X"]["Properties"].get("value", "left out")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("!Ref Size", 20),
        ("{Ref: Size}", 20),
        ("!Ref Bucket", {"Ref": "Bucket"}),
        ("!If [Keeps, 1, 2]", 2),
        ("!If [Small, 1, 2]", 1),
        ("{'Fn::If': [Both, 1, 2]}", 2),
        ("!If [Any, 1, 2]", 1),
        ("!If [Named, 1, 2]", 1),
        ("!If [Nowhere, 1, 2]", 1),
        ("!If [Keeps, 1, !Ref AWS::NoValue]", "left out"),
        ("[1, !Ref AWS::NoValue]", [1]),
        ("!FindInMap [Times, !Ref Size, Slow]", 120),
        ("!FindInMap [Times, 21, Slow]", {"FindInMap": ["Times", 21, "Slow"]}),
        ("!Sub '${Size} of ${Bucket} in ${AWS::Region}'", "20 of ${Bucket} in ${AWS::Region}"),
        ("!GetAtt Bucket.Arn", {"GetAtt": "Bucket.Arn"}),
    ],
)
def test_a_template_is_read_with_its_defaults(tmp_path: Path, text: str, filled: Any) -> None:
    assert value(tmp_path, text) == filled


def test_what_deploy_gives_for_a_parameter_wins_where_that_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    for accepted, python in {"[python3.12, python3.13]": "3.12", "[python3.13]": "3.13"}.items():
        parameter = f"Parameters: {{Runtime: {{Type: String, Default: python3.13, AllowedValues: {accepted}}}}}\n"
        path.write_text(parameter + template().replace("Runtime: python3.13", "Runtime: !Ref Runtime"))
        (asked,) = sam.asked(sam.read(path, {"Runtime": "python3.12"}))
        assert asked.python == python


@pytest.mark.parametrize(
    ("provider", "name", "text", "told"),
    [
        ("aws", "template_yaml", "Resources: [", "template.yaml cannot be read: while parsing a flow node"),
        ("aws", "template_yaml", "a: 1\n---\nb: 2\n", "expected a single document"),
        ("aws", "template_yaml", "- 1\n", "it has no Resources"),
        ("aws", "template_yaml", "Resources: 1\n", "it has no Resources"),
        ("aws", "template_yaml", "a: &a [*a]\nResources: {b: *a}\n", "it refers to itself"),
        ("aws", "template_yaml", "x: " + "[" * 500, "maximum recursion depth"),
        ("azure", "host_json", "{,}", "host.json cannot be read: Expecting property name"),
        ("azure", "host_json", "[]", "it is no JSON object"),
        ("azure", "host_json", "[" * 100_000, "maximum recursion depth"),
        ("azure", "main_json", "{}", "it is no ARM template"),
        ("gcp", "flags_yaml", "trigger-http: true\n", "trigger-http is no flag"),
        ("gcp", "flags_yaml", "text\n", "it is no map"),
        ("gcp", "service_yaml", "kind: Service\n", "it is no Service with a spec"),
        ("gcp", "service_yaml", "{", "service.yaml cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_red_line(
    tmp_path: Path, provider: str, name: str, text: str, told: str
) -> None:
    (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
    examined, (finding,) = gather(Case(parse(provider), tmp_path, tmp_path, "model", None, TODAY))
    assert (finding.check, finding.status) == ("template", "fail")
    assert told in finding.told
    assert examined.sources == ()


def test_a_file_that_is_no_text_is_one_red_line(tmp_path: Path) -> None:
    for name in ("host.json", "main.bicep", "Dockerfile"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    _, findings = gather(Case(parse("azure"), tmp_path, tmp_path, "model", None, TODAY))
    assert [(finding.check, finding.status) for finding in findings] == [("template", "fail")] * 3


@pytest.mark.parametrize("provider", PROVIDERS)
def test_our_own_deploy_folders_are_read_whole(provider: str) -> None:
    examined, findings = gather(Case(parse(provider), deploy.folder(provider), Path(), "model", None, TODAY))
    assert {finding.status for finding in findings} == {"ok"}
    for asked in examined.asked:
        assert asked.where == "Dockerfile" or (asked.python, asked.arch) == ("3.13", "x86_64")
        assert asked.where == "Dockerfile" or (asked.memory or 0) >= 512


WRONG: tuple[Any, ...] = (None, [], {}, "text", 5, [{}], [None], {"Ref": "Nothing"}, True)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each value in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], by)
    return copied


@pytest.mark.parametrize("shift", [0, 3, 7])
@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_nothing_that_a_file_says_makes_a_check_fail(provider: str, shift: int) -> None:
    folder = deploy.folder(provider)
    whole, _ = gather(Case(parse(provider), folder, folder, "model", None, TODAY))
    asks = {"aws": sam.asked, "azure": arm.asked, "gcp": gcloud.asked}[provider]
    checks = [check for check in CHECKS if check is not models.examine]
    tried = 0
    for source in whole.sources:
        if not isinstance(source.says, dict) or source.name == "main.bicep":
            continue
        for at, path in enumerate(places(source.says)):
            changed = source._replace(says=replaced(source.says, path, WRONG[(at + shift) % len(WRONG)]))
            examined = whole._replace(sources=(changed,), asked=tuple(asks(changed)))
            for check in checks:
                assert all(isinstance(line.told, str) for line in check(examined))
            tried += 1
    assert tried > 20


def test_arm_parameters_and_variables_stand_for_their_values(tmp_path: Path) -> None:
    text = """{
      "parameters": {"memory": {"defaultValue": 2048}, "secret": {"type": "securestring"}},
      "variables": {"version": "3.13"},
      "resources": [{"properties": {
        "instanceMemoryMB": "[parameters('memory')]",
        "runtime": {"name": "python", "version": "[variables('version')]"},
        "siteConfig": {"appSettings": [
          {"name": "A", "value": "[parameters('secret')]"}, {"name": "B", "value": "b"}]}
      }}]}"""
    (asked,) = case(tmp_path, "azure", main_json=text).asked
    assert (asked.memory, asked.python) == (2048, "3.13")
    assert asked.variables == {"A": Unknown("[parameters('secret')]"), "B": "b"}


def test_bicep_is_read_as_far_as_it_is_literal(tmp_path: Path) -> None:
    text = """\
    // a comment: 'x'
@allowed([
  '3.12'
  '3.13'
])
param pythonVersion string = '3.13'
param memory int = 4096
x: {
  instanceMemoryMB: memory // of each
  runtime: {
    name: 'python'
    version: pythonVersion
  }
  appSettings: [
    {
      name: 'PLACE'
      value: 'https://example.com/{name}'
    }
    { name: 'KNOWN_LATER', value: '${memory}' }
  ]
}
"""
    for target, python in {"azure:python3.12": "3.12", "azure:python3.11": "3.13"}.items():
        (asked,) = case(tmp_path, target, main_bicep=text.lstrip()).asked
        assert (asked.memory, asked.python) == (4096, python)
        assert asked.variables == {"PLACE": "https://example.com/{name}", "KNOWN_LATER": Unknown("'${memory}'")}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("--set-env-vars: A=1,B=b=2\n", {"A": "1", "B": "b=2"}),
        ("--set-env-vars: ^@^A=1,2@B=3\n", {"A": "1,2", "B": "3"}),
        ("--set-env-vars:\n  A: 1\n", {"A": 1}),
        ("- --memory: 1Gi\n- --update-env-vars: A=1\n", {"A": "1"}),
        ("--memory: 1Gi\n", {}),
    ],
)
def test_gclouds_variables_are_read_in_each_of_its_forms(tmp_path: Path, said: str, found: dict[str, Any]) -> None:
    (asked,) = case(tmp_path, "gcp", flags_yaml=said).asked
    assert asked.variables == found


@pytest.mark.parametrize(
    ("said", "megabytes"),
    [("1Gi", 1024), ("1GiB", 1024), ("512M", 512), ("0.5G", 512), ("256", 256), ("much", None)],
)
def test_googles_sizes_are_megabytes(said: str, megabytes: int | None) -> None:
    assert gcloud.megabytes(said) == megabytes


def test_a_dockerfiles_variables_are_those_of_every_stage() -> None:
    told = [
        ("FROM", "a"),
        ("ENV", "A=1 B='two words'"),
        ("ARG", "C"),
        ("ENV", "D four"),
        ("ENV", "E='"),
        ("RUN", "x"),
    ]
    assert dockerfile.variables(Source("Dockerfile", says=told)) == {"A": "1", "B": "two words", "D": "four"}


def test_a_dockerfile_without_from_is_none(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# FROM a\nRUN x\n", encoding="utf-8")
    assert dockerfile.read(tmp_path / "Dockerfile").problem == "it has no FROM"
