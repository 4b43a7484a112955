"""The providers' commands, word by word, and what is refused before any of them is shown."""

import shlex
from pathlib import Path

import pytest

from mlserverless.bundle import commands as module
from mlserverless.bundle.commands import Command, Options, WrongOption, commands, declared
from mlserverless.bundle.targets import parse

SAM = """\
Parameters:
  Model:
    Type: String
  Concurrency:
    Type: Number
Conditions:
  Reserved: !Not [!Equals [!Ref Concurrency, 0]]
Resources:
  Url: !GetAtt Classifier.Arn
"""
BICEP = """\
param name string
@description('Where')
param location string = resourceGroup().location
param model string = ''
var nothing = 1
"""
ARM = '{"parameters": {"name": {"type": "string"}}, "resources": []}'
FILES = {
    "aws": {
        "template.yaml": SAM,
        "s3.yaml": "Parameters:\n  Other:\n    Type: String\n",
        "plain.yaml": "Resources: {}\n",
    },
    "azure": {"main.bicep": BICEP, "main.json": ARM, "host.json": "{}"},
    "gcp": {"flags.yaml": "--runtime: python313\n", "events.yaml": "--retry: true\n"},
    "container": {"Dockerfile": "FROM scratch\n"},
}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of builds, with the templates, relative to the project."""
    for provider, files in FILES.items():
        (tmp_path / "build" / provider).mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / "build" / provider / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Path("build")


def words(built: Path, target: str, options: Options, model: str = "roses") -> list[list[str]]:
    return [
        list(command.words)
        for command in commands(parse(target), built / target.partition(":")[0], options, model)
    ]


def test_aws_is_one_command_of_sam(built: Path) -> None:
    (made,) = words(built, "aws", Options("flowers"))
    assert made == [
        *("sam", "deploy", "--template-file", "build/aws/template.yaml", "--stack-name", "flowers"),
        *("--resolve-s3", "--capabilities", "CAPABILITY_IAM"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *("--parameter-overrides", "Model=roses"),
    ]


def test_aws_takes_a_region_another_template_and_its_parameters(built: Path) -> None:
    options = Options(
        "flowers", region="eu-central-1", template="s3.yaml", parameters=("Other=a b", "Other=c=d e")
    )
    (made,) = words(built, "aws", options)
    assert made[made.index("--template-file") + 1] == "build/aws/s3.yaml"
    assert made[made.index("--region") + 1] == "eu-central-1"
    assert made[made.index("--parameter-overrides") + 1 :] == ['Other="c=d e"'], "sam wants quotes of its own"


def test_the_model_is_told_only_where_the_template_asks_for_it_and_may_be_another(built: Path) -> None:
    assert "--parameter-overrides" not in words(built, "aws", Options("flowers", template="plain.yaml"))[0]
    (made,) = words(built, "aws", Options("flowers", parameters=("Model=", "Concurrency=3")))
    assert made[-2:] == ['Model=""', "Concurrency=3"]


def test_the_template_is_told_what_the_package_was_built_for(built: Path) -> None:
    text = "Parameters:\n  Architecture: {}\n  Runtime: {}\n"
    (built / "aws/options.yaml").write_text(text)
    (made,) = words(built, "aws:python3.12:arm64", Options("flowers", template="options.yaml"))
    assert made[-2:] == ["Runtime=python3.12", "Architecture=arm64"]
    (built / "azure/main.bicep").write_text("param pythonVersion string\n")
    first, _ = words(built, "azure:python3.12", Options("flowers", resource_group="rg"))
    assert first[-1] == "pythonVersion=3.12"


def test_azure_makes_the_app_before_it_uploads(built: Path) -> None:
    first, second = words(built, "azure", Options("flowers", region="westeurope", resource_group="rg"))
    assert first == [
        *("az", "deployment", "group", "create", "--resource-group", "rg", "--name", "flowers"),
        *("--template-file", "build/azure/main.bicep"),
        *("--parameters", "name=flowers", "location=westeurope", "model=roses"),
    ]
    assert second == [
        *(
            "az",
            "functionapp",
            "deployment",
            "source",
            "config-zip",
            "--resource-group",
            "rg",
            "--name",
            "flowers",
        ),
        *("--src", "build/azure/function.zip", "--build-remote", "false"),
    ]


@pytest.mark.parametrize("parameters", [(), ("subscribe=true",)])
def test_azure_subscribes_to_events_once_the_code_is_there(built: Path, parameters: tuple[str, ...]) -> None:
    (built / "azure/main.bicep").write_text(f"{BICEP}param subscribe bool = false\n")
    options = Options("flowers", resource_group="rg", parameters=parameters)
    first, second, third = words(built, "azure", options)
    assert "subscribe=true" not in first
    assert second[:3] == ["az", "functionapp", "deployment"]
    assert third == [*first, "subscribe=true"]


def test_azure_subscribes_to_nothing_where_that_is_not_wanted(built: Path) -> None:
    (built / "azure/main.bicep").write_text("param subscribe bool = false\n")
    never = Options("flowers", resource_group="rg", parameters=("subscribe=false",))
    assert len(words(built, "azure", never)) == 2
    _, _, third = words(built, "azure", never._replace(parameters=()))
    assert third[-2:] == ["--parameters", "subscribe=true"]


def test_azure_takes_the_same_template_as_json(built: Path) -> None:
    first, _ = words(
        built, "azure", Options("flowers", resource_group="rg", template="main.json", region="westeurope")
    )
    assert first[first.index("--template-file") + 1 :] == ["build/azure/main.json", "--parameters", "name=flowers"]


def test_gcp_is_one_command_of_gcloud(built: Path) -> None:
    (made,) = words(built, "gcp", Options("flowers"))
    assert made == [
        *("gcloud", "functions", "deploy", "flowers", "--flags-file", "build/gcp/flags.yaml"),
        *("--source", "build/gcp/source", "--quiet"),
    ]
    (made,) = words(built, "gcp", Options("flowers", region="europe-west3", project="p", template="events.yaml"))
    assert made[made.index("--flags-file") + 1] == "build/gcp/events.yaml"
    assert made[-5:] == ["--region", "europe-west3", "--project", "p", "--quiet"]


@pytest.mark.parametrize(
    ("here", "engine"), [(("podman",), "podman"), (("docker", "podman"), "docker"), ((), "docker")]
)
def test_a_container_is_built_and_pushed_where_its_name_has_a_registry(
    built: Path, monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...], engine: str
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: name if name in here else None)
    assert words(built, "container", Options("flowers:1")) == [
        [engine, "build", "--tag", "flowers:1", "build/container"]
    ]
    name = "registry.example:5000/team/flowers:1"
    assert words(built, "container", Options(name))[1] == [engine, "push", name]


def test_a_command_can_be_copied_into_a_shell() -> None:
    shown = str(Command("try", ("sam", "deploy", "a b", "$(id)", "it's")))
    assert shown == "sam deploy 'a b' '$(id)' 'it'\"'\"'s'"
    assert shlex.split(shown) == ["sam", "deploy", "a b", "$(id)", "it's"]


@pytest.mark.parametrize("name", ["", "a", "Flowers", "1st", "-rf", "a_b", "a-", "a" * 41, "a b", "a;id"])
@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_a_name_that_a_provider_would_refuse_is_refused_here(built: Path, provider: str, name: str) -> None:
    with pytest.raises(WrongOption, match="give one with --name: 2 to 40 lower-case letters"):
        words(built, provider, Options(name, resource_group="rg"))


@pytest.mark.parametrize("name", ["", "-v", "Flowers", "a b", "a//b", "https://a/b"])
def test_an_images_name_is_looked_at_too(built: Path, name: str) -> None:
    with pytest.raises(WrongOption, match="as in REGISTRY/NAME:TAG"):
        words(built, "container", Options(name))


def test_azure_needs_a_resource_group(built: Path) -> None:
    with pytest.raises(WrongOption, match="give it with --resource-group"):
        words(built, "azure", Options("flowers"))


@pytest.mark.parametrize("template", ["none.yaml", "../azure/main.bicep", "/etc/passwd", "."])
def test_a_template_is_one_of_those_that_are_there(built: Path, template: str) -> None:
    with pytest.raises(WrongOption) as caught:
        words(built, "aws", Options("flowers", template=template))
    assert f"build/aws has no template {template!r}, but plain.yaml, s3.yaml, template.yaml." in str(caught.value)


def test_before_a_build_the_template_is_read_where_it_comes_from(built: Path) -> None:
    (made,) = commands(parse("aws"), Path("build/none"), Options("flowers"), "roses", built / "aws")
    assert "build/none/template.yaml" in made.words
    assert made.words[-1] == "Model=roses"
    with pytest.raises(WrongOption, match=r"build/none has no template 'template.yaml', but none"):
        commands(parse("aws"), Path("build/none"), Options("flowers"), "roses")


@pytest.mark.parametrize("parameter", ["Model", "model=x", "=x", "Size=3"])
def test_a_parameter_is_one_that_the_template_has(built: Path, parameter: str) -> None:
    with pytest.raises(WrongOption, match=r"names in template.yaml are: Concurrency, Model\."):
        words(built, "aws", Options("flowers", parameters=(parameter,)))


def test_gcloud_has_no_parameters(built: Path) -> None:
    with pytest.raises(WrongOption, match=r"change flags.yaml in the project's gcp folder"):
        words(built, "gcp", Options("flowers", parameters=("a=b",)))


def test_the_parameters_of_each_kind_of_template_are_found(built: Path) -> None:
    assert declared(built / "aws/template.yaml") == {"Model", "Concurrency"}
    assert declared(built / "aws/plain.yaml") == set()
    assert declared(built / "azure/main.bicep") == {"name", "location", "model"}
    assert declared(built / "azure/main.json") == {"name"}
