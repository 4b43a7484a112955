"""The templates in the deploy folders, as far as they can be looked at without the providers' tools."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers import bicep
from mlserverless.bundle.preflight.sam import load

ADAPTERS = Path(__file__).parents[2] / "adapters"
SAM = ("template.yaml", "s3.yaml", "sqs.yaml")
BICEP = (ADAPTERS / "azure" / "main.bicep").read_text(encoding="utf-8")
ARM: dict[str, Any] = json.loads((ADAPTERS / "azure" / "main.json").read_text(encoding="utf-8"))


def sam(name: str) -> dict[str, Any]:
    read: dict[str, Any] = load((ADAPTERS / "aws" / name).read_text(encoding="utf-8"))
    return read


def referred(value: Any) -> set[str]:
    """Return the names that Ref, GetAtt and Sub in ``value`` lead to."""
    if isinstance(value, list):
        return set().union(*map(referred, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(referred, value.values()))
    if "Ref" in value:
        found.add(value["Ref"].partition(".")[0])
    if "GetAtt" in value:
        found.add(value["GetAtt"].partition(".")[0])
    if isinstance(value.get("Sub"), str):
        found |= {name.partition(".")[0] for name in re.findall(r"\$\{([\w.:]+)\}", value["Sub"])}
    return {name for name in found if not name.startswith("AWS::")}


@pytest.mark.parametrize("name", SAM)
def test_every_reference_leads_somewhere_and_every_parameter_is_used(name: str) -> None:
    # cfn-lint does not see a wrong reference in a SAM function's LoggingConfig.
    document = sam(name)
    named = referred(document)
    made = {"ClassifierUrl"} if name == "template.yaml" else set()  # by SAM
    assert named <= set(document["Parameters"]) | set(document["Resources"]) | made
    assert set(document["Parameters"]) <= named


@pytest.mark.parametrize("name", SAM)
def test_each_timeout_has_its_queues_and_its_alarms_times(name: str) -> None:
    document = sam(name)
    times = document["Mappings"]["Times"]
    assert [int(seconds) for seconds in times] == document["Parameters"]["Timeout"]["AllowedValues"]
    for seconds, about in times.items():
        assert about["Slow"] == int(seconds) * 900, "nine tenths, in milliseconds"
        assert about.get("Visibility", 6 * int(seconds)) == 6 * int(seconds), "as AWS advises"
        assert ("Visibility" in about) == (name != "template.yaml")
    assert max(map(int, times)) <= 900, "what Lambda grants"


@pytest.mark.parametrize("name", SAM)
def test_what_was_built_is_uploaded_as_it_is_and_called_by_its_alias(name: str) -> None:
    document = sam(name)
    function = document["Resources"]["Classifier"]["Properties"]
    assert function["CodeUri"] == "function.zip"
    assert (function["Runtime"], function["Architectures"]) == ({"Ref": "Runtime"}, [{"Ref": "Architecture"}])
    assert document["Parameters"]["Runtime"]["Default"] == "python3.13"
    assert document["Parameters"]["Architecture"]["Default"] == "x86_64"
    assert function["AutoPublishAlias"] == "live"
    assert function["SnapStart"] == {"ApplyOn": {"If": ["Restored", "PublishedVersions", "None"]}}
    assert document["Parameters"]["SnapStart"]["Default"] == "false"
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            assert resource["Properties"]["FunctionName"] == {"Ref": "Classifier.Alias"}


def test_bicep_and_arm_are_the_same_template() -> None:
    bicep.check_names(BICEP)
    assert bicep.Template(BICEP).arm() == ARM, (
        "make it anew, in adapters/azure: PYTHONPATH=../../tests python -m helpers.bicep main.bicep > main.json"
    )


def azure(kind: str) -> list[dict[str, Any]]:
    return [resource for resource in ARM["resources"] if resource["type"] == kind]


def test_azure_no_key_no_ftp_no_password_and_nothing_public() -> None:
    (account,) = azure("Microsoft.Storage/storageAccounts")
    told = account["properties"]
    assert (told["allowSharedKeyAccess"], told["allowBlobPublicAccess"]) == (False, False)
    assert (told["minimumTlsVersion"], told["supportsHttpsTrafficOnly"]) == ("TLS1_2", True)
    containers = azure("Microsoft.Storage/storageAccounts/blobServices/containers")
    assert {container["properties"]["publicAccess"] for container in containers} == {"None"}
    (site,) = azure("Microsoft.Web/sites")
    assert site["properties"]["httpsOnly"] is True
    policies = azure("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert [policy["properties"]["allow"] for policy in policies] == [False, False]
    (insights,) = azure("Microsoft.Insights/components")
    assert insights["properties"]["DisableLocalAuth"] is True


def test_azure_outputs_and_settings_hold_no_secret() -> None:
    assert set(ARM["outputs"]) == {"url", "storageAccount"}
    assert not re.search(r"listKeys|listSecrets|connectionString", json.dumps(ARM["outputs"]), re.I)
    (site,) = azure("Microsoft.Web/sites")
    assert "listKeys" not in json.dumps(site)
    (subscription,) = azure("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    assert subscription["condition"] == "[parameters('subscribe')]"
    endpoint = subscription["properties"]["destination"]["properties"]["endpointUrl"]
    assert endpoint.startswith("[if(parameters('subscribe'), "), "else ARM asks for a key that is not there yet"
    assert json.dumps(ARM).count("listKeys") == 1
    assert ARM["parameters"]["subscribe"]["defaultValue"] is False


def test_azure_the_app_has_these_roles_on_its_own_things_and_no_others() -> None:
    named = {value: name for name, value in ARM["variables"].items()}
    found = set()
    for role in azure("Microsoft.Authorization/roleAssignments"):
        (variable,) = re.findall(r"variables\('(\w+)'\)\)\]$", role["properties"]["roleDefinitionId"])
        found.add((variable, re.findall(r"resourceId\('([\w./]+)'", role["scope"])[0]))
    account = "Microsoft.Storage/storageAccounts"
    assert found == {
        ("blobOwner", account),
        ("queueContributor", account),
        ("metricsPublisher", "Microsoft.Insights/components"),
        ("blobContributor", f"{account}/blobServices/containers"),  # the event topic's, for dead letters
    }
    assert named["b7e6dc6d-f1e8-4753-8033-0f276bb0955b"] == "blobOwner"


def flags(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ADAPTERS / "gcp" / name).read_text(encoding="utf-8"))
    return read


def test_google_flags_and_service_ask_for_the_same() -> None:
    http = flags("flags.yaml")
    service = flags("service.yaml")["spec"]["template"]
    (container,) = service["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": http["--cpu"], "memory": http["--memory"]}
    assert service["spec"]["containerConcurrency"] == http["--concurrency"]
    assert f"{service['spec']['timeoutSeconds']}s" == http["--timeout"]
    most = service["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"]
    assert int(most) == http["--max-instances"]
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("name", ["flags.yaml", "flags-bucket.yaml", "flags-topic.yaml"])
def test_google_no_function_is_public_and_events_are_tried_again(name: str) -> None:
    told = flags(name)
    event = name != "flags.yaml"
    assert "--allow-unauthenticated" not in told
    assert ("--no-allow-unauthenticated" in told) == ("--trigger-http" in told) == (not event)
    assert ("--retry" in told) == event, "else what failed is delivered once"
    assert told["--entry-point"] == ("event" if event else "predict")
    assert told["--max-instances"] <= 100
    assert told["--source"] == "source"
    assert "--service-account" not in told, "which is the user's own"
