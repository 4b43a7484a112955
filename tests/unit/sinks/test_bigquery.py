"""Results as rows: Google's own client against a stand-in for BigQuery's insertAll."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.bigquery import Tables, serving
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError
from mlserverless.sinks.bigquery import BigQuerySink

bigquery = pytest.importorskip("google.cloud.bigquery", reason="google-cloud-bigquery is not installed")
URL = "bigquery://my-project.results.rows"
RECORD: dict[str, Any] = {
    "key": "k1",
    "time": "2026-11-25T02:03:04.005Z",
    "source": "s3://b/é.jpg",
    "options": {"top_k": 3},
    "predictions": [{"label": "cat", "index": 3, "score": 0.5}],
}


@pytest.fixture
def tables() -> Iterator[Tables]:
    with serving() as running:
        yield running


@pytest.fixture
def client(tables: Tables) -> Iterator[Any]:
    from google.auth.credentials import AnonymousCredentials

    made = bigquery.Client(
        project="my-project",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": tables.url},
    )
    yield made
    made.close()


def test_a_record_is_a_row_under_its_key(tables: Tables, client: Any) -> None:
    BigQuerySink(URL, client).put("k1", RECORD, Deadline(5))
    row = tables.rows["my-project.results.rows"]["k1"]
    assert list(row) == list(RECORD)
    assert (row["key"], row["time"], row["source"]) == ("k1", RECORD["time"], "s3://b/é.jpg")


def test_columns_of_the_type_json_are_texts(tables: Tables, client: Any) -> None:
    """insertAll takes no object or list for one."""
    sink = BigQuerySink(URL, client)
    sink.put("k1", RECORD, Deadline(5))
    sink.put("k2", {"key": "k2", "options": {}, "problem": {"code": "source-not-found"}}, Deadline(5))
    more = {"detections": [{"label": "cat"}], "outputs": [{"name": "x", "shape": (1, 2)}]}
    sink.put("k3", {"key": "k3", **more}, Deadline(5))
    rows = tables.rows["my-project.results.rows"]
    assert json.loads(rows["k3"]["detections"]) == [{"label": "cat"}]
    assert json.loads(rows["k3"]["outputs"]) == [{"name": "x", "shape": [1, 2]}]
    for name in ("options", "predictions"):
        assert isinstance(rows["k1"][name], str)
        assert json.loads(rows["k1"][name]) == RECORD[name]
    assert json.loads(rows["k2"]["problem"]) == {"code": "source-not-found"}
    assert RECORD["options"] == {"top_k": 3}, "the record itself is left as it was"


def test_a_row_that_is_there_stays_as_it_is(tables: Tables, client: Any) -> None:
    sink = BigQuerySink(URL, client)
    sink.put("k1", RECORD, Deadline(5))
    sink.put("k1", {**RECORD, "time": "later"}, Deadline(5))
    assert tables.calls == 2
    assert [row["time"] for row in tables.rows["my-project.results.rows"].values()] == [RECORD["time"]]


def test_what_passes_is_waited_for(tables: Tables, client: Any) -> None:
    tables.busy = 2
    BigQuerySink(URL, client).put("k1", RECORD, Deadline(30))
    assert tables.calls == 3
    assert set(tables.rows["my-project.results.rows"]) == {"k1"}


def test_what_does_not_pass_in_time_is_a_sinks_error(tables: Tables, client: Any) -> None:
    tables.busy = 1000
    start = time.monotonic()
    with pytest.raises(SinkError, match=r"^BigQuery did not take the result \(\w+\)\.$") as caught:
        BigQuerySink(URL, client).put("k1", RECORD, Deadline(1))
    assert time.monotonic() - start < 3
    assert caught.value.retryable
    assert tables.rows == {}


def test_a_write_without_any_time_left_ends_at_once(tables: Tables, client: Any) -> None:
    tables.busy = 1000
    start = time.monotonic()
    with pytest.raises(SinkError):
        BigQuerySink(URL, client).put("k1", RECORD, Deadline(0))
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(("status", "name"), [(403, "Forbidden"), (404, "NotFound"), (400, "BadRequest")])
def test_a_table_that_may_not_be_written_to_is_told(tables: Tables, client: Any, status: int, name: str) -> None:
    tables.status = status
    with pytest.raises(SinkError, match=rf"^BigQuery did not take the result \({name}\)\.$"):
        BigQuerySink(URL, client).put("k1", RECORD, Deadline(5))
    assert tables.calls == 1, "that does not pass"


def test_a_row_that_is_refused_is_told_with_the_reasons(tables: Tables, client: Any) -> None:
    tables.refused = [
        {"reason": "stopped", "message": "no such field: secret"},
        {"reason": "invalid", "message": "no such field: secret"},
        {"reason": "invalid"},
    ]
    with pytest.raises(SinkError, match=r"^BigQuery refused the row \(invalid, stopped\): are its col") as caught:
        BigQuerySink(URL, client).put("k1", RECORD, Deadline(5))
    assert "secret" not in str(caught.value)


def test_rows_are_not_asked_for_and_have_no_url(client: Any) -> None:
    sink = BigQuerySink(URL, client)
    assert sink.keeps
    assert not sink.has("k1", Deadline())
    assert not sink.owns(URL)


@pytest.mark.parametrize(
    ("url", "table"),
    [
        ("bigquery://my-project.d.t", "my-project.d.t"),
        ("bigquery://example.com:my-project.d.t", "example.com:my-project.d.t"),
        ("bigquery://p.d_1.rows-2026$20261125", "p.d_1.rows-2026$20261125"),
    ],
)
def test_every_name_of_a_table_reaches_bigquery(tables: Tables, client: Any, url: str, table: str) -> None:
    BigQuerySink(url, client).put("k1", RECORD, Deadline(5))
    assert list(tables.rows) == [table]


@pytest.mark.parametrize(
    "url",
    [
        "bigquery://",
        "bigquery://p",
        "bigquery://p.d",
        "bigquery://p.d.",
        "bigquery://p..t",
        "bigquery://.d.t",
        "bigquery://p.d.t/",
        "bigquery://p/d/t",
        "bigquery://p.d.t\n",
        "bigquery://p.d.`t`",
    ],
)
def test_a_url_of_another_form_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^The sink is not of the form bigquery://project\.dataset\.table\.$"):
        BigQuerySink(url, object())


# --- its own client ---


def test_the_client_is_googles_own_with_the_functions_credentials(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", tables.url)
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), "another"))
    sink = BigQuerySink(URL)
    sink.put("k1", RECORD, Deadline(5))
    assert sink._client.project == "my-project"
    sink._client.close()
    assert set(tables.rows["my-project.results.rows"]) == {"k1"}


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    monkeypatch.delattr("google.cloud.bigquery", raising=False)
    with pytest.raises(ConfigError, match=r'needs its client: pip install "mlserverless\[bigquery\]"\.$'):
        BigQuerySink(URL)


def test_without_credentials_it_is_a_wrong_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no error that the boundary does not know of."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # asks nobody for a metadata server
    with pytest.raises(ConfigError, match="credentials"):
        BigQuerySink(URL)
