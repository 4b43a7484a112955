"""What a deployment exposes by default, read from the deploy folders: nothing to the public, no spare rights."""

import json
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import azure.functions as func
import pytest
import yaml

from mlserverless.adapters import azure

ADAPTERS = Path(__file__).parents[2] / "adapters"
SECRET_NAME = re.compile(
    r"secret|password|passwd|token|api_?key|access_?key|credential|sas|connection_?string", re.I
)


def text(name: str) -> str:
    return (ADAPTERS / name).read_text(encoding="utf-8")


def test_azure_every_path_wants_a_key() -> None:
    # Run as the host runs it, but for the warm-up; the registration is the deploy folder's own.
    with mock.patch.object(azure, "warm_up"), mock.patch.object(sys, "path", [str(ADAPTERS / "azure"), *sys.path]):
        app = runpy.run_path(str(ADAPTERS / "azure" / "function_app.py"))["app"]
    triggers = [json.loads(function.get_function_json())["bindings"][0] for function in app.get_functions()]
    levels = [str(trigger["authLevel"]).lower() for trigger in triggers if trigger["type"] == "httpTrigger"]
    assert levels == ["function"]
    kinds = sorted(trigger["type"] for trigger in triggers)
    assert kinds == ["blobTrigger", "httpTrigger"], "the others are bound by whoever wants them"
    assert "http_auth_level=func.AuthLevel.FUNCTION" in text("azure/function_app.py")


def test_azure_host_json_opens_nothing() -> None:
    host = json.loads(text("azure/host.json"))
    assert "anonymous" not in text("azure/host.json").lower()
    assert "customHandler" not in host, "which could forward requests without a key"
    assert set(host["extensions"]) == {"http", "queues"}
    assert set(host["extensions"]["http"]) == {"routePrefix"}
    assert set(host["extensions"]["queues"]) == {
        *("batchSize", "newBatchThreshold", "maxDequeueCount", "visibilityTimeout")
    }
    assert host["extensions"]["queues"]["maxDequeueCount"] == 5, "as the documents say"
    assert "Storage Blob Data Reader" in text("azure/README.md"), "a role, not an account key"


@pytest.mark.parametrize("name", ["http", "blob", "queue", "event_grid", "service_bus", "event_hub", "timer"])
def test_azure_every_trigger_can_be_registered_as_the_readme_says(name: str) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(getattr(azure, name))
    assert len(app.get_functions()) == 1
    assert name == "http" or f"| `{name}` |" in text("azure/README.md")


def commands(name: str) -> list[str]:
    """Return the commands in a README, continued lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", text(name), re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def _expanded(command: str) -> str:
    """Return the command with the flags in the place of the file that has them."""

    def flags(found: re.Match[str]) -> str:
        told = yaml.safe_load(text(f"gcp/{found[1]}"))
        return " ".join(name if value is None else f"{name} {value}" for name, value in told.items())

    return re.sub(r"--flags-file (\S+)", flags, command)


def test_google_no_function_is_public_and_each_has_an_account_of_its_own() -> None:
    deployed = [_expanded(command) for command in commands("gcp/README.md") if "functions deploy" in command]
    triggers = [re.findall(r"--trigger-(http|bucket|topic)\b", command) for command in deployed]
    assert sorted(triggers) == [["bucket"], ["http"], ["http"], ["http"], ["topic"]]
    for command in deployed:
        assert "--service-account SERVICE_ACCOUNT" in command
        assert "--max-instances" in command
        assert ("--no-allow-unauthenticated" in command) == ("--trigger-http" in command)
        assert ("--retry" in command) == ("--trigger-http" not in command), "else what failed is delivered once"
        assert "--allow-unauthenticated" not in command
        assert not SECRET_NAME.search(command)


def test_google_the_roles_are_on_one_thing_each_and_the_least() -> None:
    found = set()
    for command in commands("gcp/README.md"):
        if "add-iam-policy-binding" in command:
            (place,) = re.findall(r"(\S+ \S+) add-iam-policy-binding \S+", command)
            (role,) = re.findall(r"--role (\S+)", command)
            found.add((place, role))
    assert found == {
        ("storage buckets", "roles/storage.objectViewer"),
        ("storage buckets", "roles/storage.objectCreator"),
        ("run services", "roles/run.invoker"),
        ("pubsub topics", "roles/pubsub.publisher"),  # Pub/Sub's own account, for the dead letters
        ("pubsub subscriptions", "roles/pubsub.subscriber"),
    }
    assert not re.search(r"roles/(owner|editor|storage\.admin|storage\.objectAdmin)", text("gcp/README.md"))


def test_google_what_calls_a_function_by_http_has_a_token_and_pushes_have_dead_letters() -> None:
    (push,) = [command for command in commands("gcp/README.md") if "--push-endpoint" in command]
    assert "--push-auth-service-account PUSHER" in push
    assert "--dead-letter-topic failed-images" in push
    (job,) = [command for command in commands("gcp/README.md") if "scheduler jobs create" in command]
    assert "--oidc-service-account-email SCHEDULER" in job


def test_google_the_entry_points_are_those_that_the_commands_name() -> None:
    named = set(re.findall(r"--entry-point (\w+)", "\n".join(map(_expanded, commands("gcp/README.md")))))
    assert named == {"predict", "event", "scheduled"}
    assert all(f'"{name}"' in text("gcp/main.py") for name in named)


def test_the_containers_readme_runs_it_with_the_least() -> None:
    (run,) = [command for command in commands("container/README.md") if command.startswith("docker run")]
    assert "Whoever reaches it" in text("container/README.md"), "events are said to be open to whoever reaches it"
    for option in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "127.0.0.1:8080:8080"):
        assert option in run
    assert not re.search(r"--privileged|--network host|docker\.sock", run)
