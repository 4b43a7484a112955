"""The settings that a function app finds in its environment: the host's own and local.settings.json's."""

import json
from pathlib import Path


def host_settings(app_dir: Path, version: tuple[int, ...]) -> dict[str, str]:
    """Return what the host itself sets for the app in ``app_dir`` on Python ``version``."""
    return {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(app_dir),
        "FUNCTIONS_EXTENSION_VERSION": "~4",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_WORKER_RUNTIME_VERSION": f"{version[0]}.{version[1]}",
    }


def local_settings(app_dir: Path) -> dict[str, str]:
    """Return the values of the app's local.settings.json, none where there is no such file.

    Raises RuntimeError, saying what to do, where it is encrypted or is not what func accepts.
    """
    path = app_dir / "local.settings.json"
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8-sig"))
        if settings.get("IsEncrypted"):
            raise RuntimeError(f"{path} is encrypted: run `func settings decrypt` in its folder")
        return {name: str(value) for name, value in settings.get("Values", {}).items()}
    except (ValueError, AttributeError) as error:
        raise RuntimeError(f"{path} is not the JSON object that func accepts: {error}") from error
