"""What OpenTelemetry calls the function: resource attributes from the variables that each platform sets."""

import os
from collections.abc import Mapping

Attributes = dict[str, str | int]
MEGABYTE = 1024 * 1024


def attributes(platform: str, environ: Mapping[str, str]) -> Attributes:
    """Return the ``cloud.*`` and ``faas.*`` attributes of a function on ``platform``: aws, azure, gcp; else none.

    Names and values are those of the semantic conventions (Resource: FaaS, Cloud); what is not known is left out.
    """
    find = {"aws": _aws, "azure": _azure, "gcp": _gcp}.get(platform)
    if find is None:
        return {}
    found = find(environ)
    # Which process this is; where the platform does not tell, a name of its own serves.
    found["faas.instance"] = found.get("faas.instance") or os.urandom(8).hex()
    return {name: value for name, value in found.items() if value}


def _aws(environ: Mapping[str, str]) -> Attributes:
    memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return {
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": environ.get("AWS_REGION", ""),
        "faas.name": environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "faas.version": environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        "faas.instance": environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        "faas.max_memory": int(memory) * MEGABYTE if memory.isdigit() else 0,
    }


def _azure(environ: Mapping[str, str]) -> Attributes:
    site, group = environ.get("WEBSITE_SITE_NAME", ""), environ.get("WEBSITE_RESOURCE_GROUP", "")
    subscription = environ.get("WEBSITE_OWNER_NAME", "").partition("+")[0]
    within = f"/subscriptions/{subscription}/resourceGroups/{group}"
    known = site and group and subscription
    return {
        "cloud.provider": "azure",
        "cloud.platform": "azure.functions",
        "cloud.region": environ.get("REGION_NAME", ""),
        "cloud.resource_id": f"{within}/providers/Microsoft.Web/sites/{site}" if known else "",
        "faas.name": site,
        "faas.instance": environ.get("WEBSITE_INSTANCE_ID", ""),
    }


def _gcp(environ: Mapping[str, str]) -> Attributes:
    name = environ.get("K_SERVICE", "")
    region = environ.get("FUNCTION_REGION") or environ.get("GOOGLE_CLOUD_REGION", "")
    project = environ.get("GOOGLE_CLOUD_PROJECT") or environ.get("GCP_PROJECT", "")
    known = name and region and project
    return {
        "cloud.provider": "gcp",
        "cloud.platform": "gcp_cloud_functions" if "FUNCTION_TARGET" in environ else "gcp_cloud_run",
        "cloud.region": region,
        "cloud.account.id": project,
        "cloud.resource_id": (
            f"//run.googleapis.com/projects/{project}/locations/{region}/services/{name}" if known else ""
        ),
        "faas.name": name,
        "faas.version": environ.get("K_REVISION", ""),
    }
