"""What OpenTelemetry calls the function: names and values that its own package of conventions knows."""

from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import cloud_attributes, faas_attributes

from mlserverless.signals import cloud

AWS = {
    "AWS_LAMBDA_FUNCTION_NAME": "classify",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[7]abc",
    "AWS_REGION": "eu-central-1",
}
AZURE = {
    "WEBSITE_SITE_NAME": "classify",
    "WEBSITE_RESOURCE_GROUP": "group",
    "WEBSITE_OWNER_NAME": "1234+group-WestEuropewebspace-Linux",
    "WEBSITE_INSTANCE_ID": "instance",
    "REGION_NAME": "West Europe",
}
GCP = {
    "K_SERVICE": "classify",
    "K_REVISION": "classify-00007",
    "FUNCTION_TARGET": "predict",
    "FUNCTION_REGION": "europe-west1",
    "GOOGLE_CLOUD_PROJECT": "mine",
}
KNOWN = {
    value
    for module in (cloud_attributes, faas_attributes)
    for name, value in vars(module).items()
    if name.startswith(("CLOUD_", "FAAS_")) and isinstance(value, str)
}


@pytest.mark.parametrize(
    ("platform", "environ", "found"),
    [
        (
            "aws",
            AWS,
            {
                "cloud.provider": "aws",
                "cloud.platform": "aws_lambda",
                "cloud.region": "eu-central-1",
                "faas.name": "classify",
                "faas.version": "7",
                "faas.instance": "2026/01/01/[7]abc",
                "faas.max_memory": 1769 * 1024 * 1024,
            },
        ),
        (
            "azure",
            AZURE,
            {
                "cloud.provider": "azure",
                "cloud.platform": "azure.functions",
                "cloud.region": "West Europe",
                "cloud.resource_id": (
                    "/subscriptions/1234/resourceGroups/group/providers/Microsoft.Web/sites/classify"
                ),
                "faas.name": "classify",
                "faas.instance": "instance",
            },
        ),
        (
            "gcp",
            GCP,
            {
                "cloud.provider": "gcp",
                "cloud.platform": "gcp_cloud_functions",
                "cloud.region": "europe-west1",
                "cloud.account.id": "mine",
                "cloud.resource_id": "//run.googleapis.com/projects/mine/locations/europe-west1/services/classify",
                "faas.name": "classify",
                "faas.version": "classify-00007",
            },
        ),
    ],
)
def test_each_cloud_is_described_in_the_conventions_words(
    platform: str, environ: dict[str, str], found: dict[str, Any]
) -> None:
    told = cloud.attributes(platform, environ)
    assert told.items() >= found.items()
    assert set(told) <= KNOWN, set(told) - KNOWN
    assert told["cloud.platform"] in {one.value for one in cloud_attributes.CloudPlatformValues}
    assert told["cloud.provider"] in {one.value for one in cloud_attributes.CloudProviderValues}


@pytest.mark.parametrize("platform", ["aws", "azure", "gcp"])
def test_what_is_not_known_is_left_out(platform: str) -> None:
    told = cloud.attributes(platform, {})
    assert set(told) == {"cloud.provider", "cloud.platform", "faas.instance"}
    assert cloud.attributes(platform, {})["faas.instance"] != told["faas.instance"]


def test_a_container_is_no_function() -> None:
    assert cloud.attributes("json", AWS) == cloud.attributes("", AWS) == {}
