"""Settings and variables: known, accepted, no secrets, and no more than the platform lets in."""

import json
from pathlib import Path

import pytest

from helpers.preflight import case, only, template
from mlserverless.bundle.preflight import Case, variables

KEY = "AKIA" + "Z" * 16  # nobody's


def with_variable(tmp_path: Path, name: str, value: str, *lines: str) -> Case:
    """Return the case of a function with a variable; ``value`` is YAML."""
    environment = f"Environment: {{Variables: {{{name}: {value}}}}}"
    return case(tmp_path, template_yaml="Parameters: {P: {Type: String}}\n" + template(environment, *lines))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("API_KEY", "hunter2", "is called as a secret is"),
        ("DB_PASSWORD", "hunter2", "is called as a secret is"),
        ("AUTH_TOKEN", "hunter2", "is called as a secret is"),
        ("WHO", KEY, "holds a key or a signature"),
        ("PLACE", "'https://x.blob.core.windows.net/c?sv=1&sig=abc'", "holds a key or a signature"),
        ("PLACE", "'https://me:secret@example.com/x'", "holds a key or a signature"),
        ("STORAGE", "'DefaultEndpointsProtocol=https;AccountKey=abc=='", "holds a key or a signature"),
        ("API_KEY", "''", ""),
        ("API_KEY", "!Ref P", ""),
        ("API_KEY", "'{{resolve:secretsmanager:x}}'", ""),
        ("MAX_TOKENS", "'5'", ""),
        ("AzureWebJobsStorage__credential", "managedidentity", ""),
        ("MLSERVERLESS_BLOB_CONNECTION", "AzureWebJobsStorage", ""),
        ("PLACE", "https://example.com:8080/x@y", ""),
    ],
)
def test_a_secret_has_no_place_in_a_template(tmp_path: Path, name: str, value: str, told: str) -> None:
    finding = only(variables.secrets, with_variable(tmp_path, name, value))
    assert (finding.check, finding.status) == ("secrets", "fail" if told else "ok")
    assert told in finding.told
    assert "hunter2" not in finding.told, "a secret is not repeated"
    assert KEY not in finding.told


def test_an_accounts_key_of_arm_is_a_secret(tmp_path: Path) -> None:
    setting = {"name": "AzureWebJobsStorage", "value": "[concat('AccountKey=', listKeys(storage, '1').keys[0])]"}
    document = json.dumps({"resources": [{"siteConfig": {"appSettings": [setting]}}]})
    finding = only(variables.secrets, case(tmp_path, "azure", main_json=document))
    assert (finding.status, "holds an account's key" in finding.told) == ("fail", True)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MLSERVERLESS_TOPK", "'3'", "MLSERVERLESS_TOPK is not a setting"),
        ("MLSERVERLESS_TOPK", "!Ref P", "MLSERVERLESS_TOPK is not a setting"),
        ("MLSERVERLESS_TOP_K", "'0'", "MLSERVERLESS_TOP_K is '0'"),
        ("MLSERVERLESS_TOP_K", "3", ""),
        ("MLSERVERLESS_TOP_K", "!Ref P", ""),
        ("MLSERVERLESS_SINK", "!Sub 's3://${P}/x'", ""),
        ("MLSERVERLESS_SINK", "ftp://x", "MLSERVERLESS_SINK is"),
        ("MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES", "true", ""),
        ("MLSERVERLESS_BLOB_PATH", "images", ""),
        ("OTHER", "x", ""),
    ],
)
def test_settings_in_a_template_are_known_and_accepted(tmp_path: Path, name: str, value: str, told: str) -> None:
    finding = only(variables.settings, with_variable(tmp_path, name, value))
    assert (finding.check, finding.status) == ("settings", "fail" if told else "ok")
    assert told in finding.told


def test_the_projects_settings_are_known_and_accepted(tmp_path: Path) -> None:
    examined = case(tmp_path, mlserverless_toml="top_k = 3\n")
    assert only(variables.settings, examined).status == "ok"
    for text in ("top_k = 0\n", "topk = 3\n", "top_k\n"):
        (tmp_path / "mlserverless.toml").write_text(text, encoding="utf-8")
        assert only(variables.settings, examined).status == "fail"


def test_settings_in_pyproject_do_not_reach_the_function(tmp_path: Path) -> None:
    examined = case(tmp_path, pyproject_toml="[tool.mlserverless]\ntop_k = 3\n")
    finding = only(variables.settings, examined)
    assert (finding.status, finding.mend) == ("warn", "Put them into mlserverless.toml.")
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n", encoding="utf-8")
    assert only(variables.settings, examined).status == "ok"


@pytest.mark.parametrize(
    ("value", "toml", "status"),
    [
        ("'4500000'", "", "ok"),
        ("'4718592'", "", "ok"),
        ("'4718593'", "", "warn"),
        ("!Ref P", "", ""),
        ("'4500000'", "max_bytes = 9000000\n", "ok"),
    ],
)
def test_a_lambda_function_takes_no_more_than_fits_into_a_request(
    tmp_path: Path, value: str, toml: str, status: str
) -> None:
    (tmp_path / "mlserverless.toml").write_text(toml, encoding="utf-8")
    url = "FunctionUrlConfig: {AuthType: AWS_IAM}"
    found = variables.payload(with_variable(tmp_path, "MLSERVERLESS_MAX_BYTES", value, url))
    assert [(finding.check, finding.status) for finding in found] == ([("payload", status)] if status else [])
    assert variables.payload(with_variable(tmp_path, "MLSERVERLESS_MAX_BYTES", value)) == [], "no caller by HTTP"


def test_the_projects_or_the_default_size_counts_where_no_template_has_one(tmp_path: Path) -> None:
    text = template("FunctionUrlConfig: {AuthType: AWS_IAM}")
    examined = case(tmp_path, template_yaml=text)
    assert only(variables.payload, examined).status == "warn", "the default is 10 MB"
    (tmp_path / "mlserverless.toml").write_text("max_bytes = 4000000\n", encoding="utf-8")
    assert only(variables.payload, examined).status == "ok"
    assert only(variables.payload, case(tmp_path, "gcp", flags_yaml="--trigger-http:\n")).status == "ok"


def test_lambda_takes_four_kilobytes_of_variables(tmp_path: Path) -> None:
    assert variables.amount(with_variable(tmp_path, "A", "x" * 4095)) == []
    finding = only(variables.amount, with_variable(tmp_path, "A", "x" * 4096))
    assert (finding.check, finding.status, "4,097 characters" in finding.told) == ("variables", "fail", True)
