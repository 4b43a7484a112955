"""Settings: where they come from, which wins, and what a wrong one says."""

import math
from pathlib import Path
from typing import Any

import pytest

from mlserverless import config
from mlserverless.config import Settings, vcpus
from mlserverless.errors import ConfigError

DOCUMENTED = {
    "model": "efficientnet-lite0",
    "top_k": 5,
    "max_bytes": 10_000_000,
    "max_pixels": 50_000_000,
    "download_timeout": 10.0,
    "max_redirects": 3,
    "allow_private_addresses": False,
    "formats": ("jpeg", "png", "webp"),
    "background": "white",
    "decode": "fast",
    "max_batch": 16,
    "sink": "log:",
    "schedule_source": "",
}


def load(folder: Path, environ: dict[str, str] | None = None, **code: Any) -> Settings:
    return Settings.load(environ or {}, str(folder), **code)


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings()
    assert {name: getattr(settings, name) for name in DOCUMENTED} == DOCUMENTED


def test_code_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "mlserverless.toml").write_text("top_k = 2\nmax_batch = 3\nthreads = 4\n")
    settings = load(tmp_path, {"MLSERVERLESS_TOP_K": "6", "MLSERVERLESS_MAX_BATCH": "7"}, top_k=9)
    assert (settings.top_k, settings.max_batch, settings.threads, settings.concurrency) == (9, 7, 4, 0)


def test_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_LABELS_ALLOW", "tiger cat, owl")
    assert Settings.load().labels_allow == ("tiger cat", "owl")


def test_working_directory_is_where_the_file_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlserverless.toml").write_text('engine = "litert"')
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}).engine == "litert"


def test_pyproject_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.mlserverless]\nformats = ["gif"]\n')
    assert load(tmp_path).formats == ("gif",)


def test_own_file_hides_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mlserverless]\ntop_k = 1\n")
    (tmp_path / "mlserverless.toml").write_text("max_batch = 2\n")
    assert load(tmp_path).top_k == 5
    assert load(tmp_path).max_batch == 2


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "[project]\nname='x'\n", "tool = 3\n"])
def test_pyproject_without_the_table_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load(tmp_path) == Settings()


@pytest.mark.parametrize("name", sorted(config.FOREIGN))
def test_variables_of_other_readers_are_left_alone(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, {name: "whatever"}) == Settings()


def test_every_setting_has_a_reader_and_takes_its_own_default() -> None:
    assert set(config._READERS) == set(Settings._fields)
    assert Settings.load({}, **Settings()._asdict()) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "accepted"),
    [
        ("TOP_K", "0", "a whole number from 1 to 1,000"),
        ("TOP_K", "five", "a whole number from 1 to 1,000"),
        ("THREADS", "65", "a whole number from 0 to 64"),
        ("DOWNLOAD_TIMEOUT", "0", "a number from 0.001 to 900 seconds"),
        ("SCORE_THRESHOLD", "nan", "a number from"),
        ("ENGINE", "onnx", "one of auto, litert, litert-python, tflite-runtime, tensorflow"),
        ("FORMATS", "jpeg,svg", "one or more of jpeg, png, webp, gif, bmp, tiff, avif"),
        ("BACKGROUND", "#12", "white, black, #rrggbb, or drop"),
        ("BACKGROUND", "#1_2_34", "white, black, #rrggbb, or drop"),
        ("DECODE", "quick", "one of fast, exact"),
        ("ALLOW_PRIVATE_ADDRESSES", "perhaps", "true or false"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("REQUEST_LOG", "on", "one of auto, off, aws, gcp, azure, json"),
        ("TELEMETRY", "statsd", "one or more of emf, prometheus, otel, with commas between, or nothing"),
        ("MODEL", " ", "a model folder, a .tflite or .onnx file, the URL of one, or a bundled model's name"),
        ("MODEL_SHA256", "abc", "64 hexadecimal digits, as sha256sum prints them"),
        ("MODEL_TIMEOUT", "0", "a number from 0.001 to 3600 seconds"),
        ("QUEUE", "-1", "a whole number from 0 to 10,000"),
        ("TIMEOUT", "never", "a number from 0.001 to 3600 seconds"),
        ("SINK", "", "a URL that begins with log:, file:, s3://, gs://, az://, bigquery://, sqs://, queue:"),
        ("SINK", "stdout", "a URL that begins with log:, file:, s3://"),
        ("SCHEDULE_SOURCE", "list.txt", "a URL that begins with https://, s3://, gs://, az://"),
        ("SCHEDULE_SOURCE", "http://h", "a URL that begins with https://, s3://, gs://, az://"),
    ],
)
def test_bad_value_names_variable_value_and_what_is_accepted(
    tmp_path: Path, variable: str, text: str, accepted: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {f"MLSERVERLESS_{variable}": text})
    message = str(caught.value)
    assert message.startswith(f"MLSERVERLESS_{variable} is {text!r}, which is not accepted: give {accepted}")
    assert config.DOCS in message


def test_bad_value_in_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "mlserverless.toml").write_text("top_k = 2.5\n")
    with pytest.raises(ConfigError, match=r"^top_k \(in the settings file\) is 2\.5, which is not accepted"):
        load(tmp_path)


def test_no_score_threshold_is_not_one_of_0(tmp_path: Path) -> None:
    found = [load(tmp_path, {"MLSERVERLESS_SCORE_THRESHOLD": text}).score_threshold for text in ("0", "", "-1")]
    assert found == [0.0, None, -1.0]
    assert load(tmp_path).score_threshold is None


def test_number_beyond_floats_is_a_bad_value(tmp_path: Path) -> None:
    (tmp_path / "mlserverless.toml").write_text(f"score_threshold = 1{'0' * 400}\n")
    with pytest.raises(ConfigError, match="score_threshold"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("environ", "code", "name"),
    [({"MLSERVERLESS_TOPK": "1"}, {}, "MLSERVERLESS_TOPK"), ({}, {"topk": 1}, "topk")],
)
def test_unknown_setting_names_itself_and_all_that_are_known(
    tmp_path: Path, environ: dict[str, str], code: dict[str, Any], name: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ, **code)
    assert str(caught.value).startswith(f"{name} is not a setting. Settings are: allow_private_addresses, ")
    assert all(field in str(caught.value) for field in Settings._fields)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mlserverless.toml", b"top_k = ", "mlserverless.toml is not valid TOML"),
        ("mlserverless.toml", b"\xff\xfe", "mlserverless.toml is not valid TOML"),
        ("pyproject.toml", b"[tool", "pyproject.toml is not valid TOML"),
        ("pyproject.toml", b"[tool]\nmlserverless = 3\n", "pyproject.toml: tool.mlserverless is 3, not a table"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(said)


def test_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlserverless.toml").write_text("top_k = 1")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ConfigError, match=r"^mlserverless\.toml cannot be read: Permission denied\.$"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("memory", "cores", "share"),
    [("1769", 6, 1.0), ("3538", 6, 2.0), ("3538", 1, 1.0), ("128", 2, 128 / 1769), ("", 3, 3.0), ("x", 3, 3.0)],
)
def test_vcpus_follow_lambdas_memory_and_the_cores(
    monkeypatch: pytest.MonkeyPatch, memory: str, cores: int, share: float
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(config, "_quota", lambda: math.inf)
    assert vcpus() == pytest.approx(share)


@pytest.mark.parametrize(("quota", "share"), [(0.5, 0.5), (1.5, 1.5), (8.0, 3.0), (math.inf, 3.0)])
def test_vcpus_follow_the_containers_quota(monkeypatch: pytest.MonkeyPatch, quota: float, share: float) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(3)), raising=False)
    monkeypatch.setattr(config, "_quota", lambda: quota)
    assert vcpus() == share


def test_lambdas_memory_comes_before_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the function's own share is not to be seen in any control group."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3538")
    monkeypatch.setattr(config, "_quota", lambda: pytest.fail("was read"))
    assert vcpus() == 2.0


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "200000 100000\n"}, 2.0),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.max": "50000 100000\n", "cpu/cpu.cfs_quota_us": "1\n", "cpu/cpu.cfs_period_us": "1\n"}, 0.5),
        ({}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "150000\n"}, math.inf),
        ({"cpu.max": ""}, math.inf),
        ({"cpu.max": "50000\n"}, math.inf),
        ({"cpu.max": "50000 0\n"}, math.inf),
        ({"cpu.max": "many more\n"}, math.inf),
        ({"cpu.max": "\xff"}, math.inf),
        ({"cpu.max": "0 100000"}, math.inf),
    ],
    ids=repr,
)
def test_quota_is_what_the_control_group_says(tmp_path: Path, files: dict[str, str], share: float) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert config._quota(str(tmp_path)) == share


def test_quota_of_this_machine_is_none_or_a_number_of_cores() -> None:
    assert config._quota() > 0


def test_vcpus_where_no_affinity_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    monkeypatch.setattr(config, "_quota", lambda: math.inf)
    assert vcpus() == 1.0


@pytest.mark.parametrize("value", ["https://h.example/m?sig=secret", "h.example/m?sig=secret", "g" * 64])
def test_value_that_may_be_a_secret_is_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({"MLSERVERLESS_MODEL_SHA256": value})
    said = "MLSERVERLESS_MODEL_SHA256 is a text that is not repeated here, which is not accepted: give 64 hex"
    assert str(caught.value).startswith(said)
