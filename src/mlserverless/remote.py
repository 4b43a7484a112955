"""A model at a URL -> a model folder on this machine, downloaded once and checked before it is used.

``https://``, ``s3://``, ``gs://`` and ``az://`` are read: one .tflite or .onnx file, or a folder with a
model.toml. The model file's sha256 must be known beforehand, so what is downloaded is what was meant, and what was
kept still is. It goes into a temporary folder, is checked, and the folder is renamed; of several processes and
threads one downloads and the others wait. The URL is the deployment's, not a caller's: ``allowed_hosts`` is not
asked, and private addresses are read. A delegate, native code without a sha256, is neither downloaded nor loaded.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from tempfile import gettempdir

from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError, ModelUnavailable, SourceError
from mlserverless.lock import locked
from mlserverless.model import DEFAULT_FILES, MAX_MODEL_BYTES
from mlserverless.model_toml import parse
from mlserverless.model_values import DOCS
from mlserverless.net.url import redact

MAX_TEXT_BYTES = 10_000_000  # of model.toml, and of a label file


def fetch(settings: Settings, deadline: Deadline) -> str:
    """Return the path of a model folder that holds the model at ``settings.model``; raise ModelUnavailable."""
    url = settings.model
    if url.partition("://")[0].lower() not in ("https", "s3", "gs", "az"):
        raise ModelUnavailable(f"The model {redact(url)} is not read: accepted are https, s3, gs and az URLs.")
    texts, files, pin = _described(url, settings.model_sha256, deadline)
    if not pin:
        raise ModelUnavailable(
            f"Nothing says which sha256 the model {redact(url)} has: set MLSERVERLESS_MODEL_SHA256, or sha256 in "
            f"its model.toml, to what sha256sum prints. See {DOCS}."
        )
    path = url.partition("?")[0]
    own = f"model{os.path.splitext(path)[1].lower()}"  # of a URL that is the file's
    sources = {file: _beside(url, file) for file in files} or {own: url}
    key = sha256(repr((path, sorted(texts.items()), pin)).encode()).hexdigest()[:32]
    try:
        shelf = _shelf(settings.cache_dir)
        folder = os.path.join(shelf, key)
        with locked(folder + ".lock", deadline) as mine:
            if not mine:
                told = f"Another process was still downloading {redact(url)} when the time was over."
                raise ModelUnavailable(told, retryable=True)
            if not os.path.isdir(folder):
                _fill(folder, texts, sources, pin, deadline)
    except OSError as error:
        raise _not_kept(url, error.filename or settings.cache_dir, error) from error
    return folder


def forget(folder: str) -> None:
    """Remove a folder that :func:`fetch` returned: it is not what it was."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _not_kept(url: str, place: str, error: OSError) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model {redact(url)} cannot be kept in {place}: {error.strerror}. "
        "Set MLSERVERLESS_CACHE_DIR to a folder that may be written to and has room."
    )


def _described(url: str, pin: str, deadline: Deadline) -> tuple[dict[str, bytes], tuple[str, ...], str]:
    # The small files of the model folder, what the model's file may be called (nothing: the URL is the file's own)
    # and its sha256.
    path = url.partition("?")[0].rstrip("/")
    stem, suffix = os.path.splitext(os.path.basename(path))
    if suffix.lower() in (".tflite", ".onnx"):
        name = "".join(letter for letter in stem if letter.isalnum() or letter in "-_. ")
        says = f'name = "{name}"\n' + ('file = "model.onnx"\n' if suffix.lower() == ".onnx" else "")
        return {"model.toml": says.encode()}, (), pin
    texts = {"model.toml": _text(_beside(url, "model.toml"), deadline)}
    table = parse(texts["model.toml"], f"{redact(url)}/model.toml")
    if table.get("delegates"):
        raise ModelUnavailable(
            f"{redact(url)}: its model.toml names a delegate, which is native code: only a model folder on the "
            "function's own disk may. Put the model into the package. See docs/how-to/use-a-delegate.md."
        )
    files, labels = (table["file"],) if "file" in table else DEFAULT_FILES, table.get("labels", "")
    for name in (*files, labels):
        if os.path.basename(name) != name or "\\" in name or name in ("model.toml", ".", ".."):
            raise ModelUnavailable(f"{redact(url)}: its model.toml names {name!r}, which is no file beside it.")
    if labels:
        texts[labels] = _text(_beside(url, labels), deadline)
    pinned = table.get("sha256", "").lower()
    if pin and pinned and pin != pinned:
        raise ModelUnavailable(
            f"{redact(url)}: its model.toml pins the sha256 {pinned}, but the setting model_sha256 pins {pin}."
        )
    return texts, files, pin or pinned


def _beside(url: str, name: str) -> str:
    path, mark, query = url.partition("?")  # a folder's signature holds for what is in it
    return f"{path.rstrip('/')}/{name}{mark}{query}"


def _text(url: str, deadline: Deadline) -> bytes:
    body = bytearray()
    _stream(url, deadline, body.extend, MAX_TEXT_BYTES)
    return bytes(body)


def _stream(url: str, deadline: Deadline, take: Callable[[bytes], object], most: int) -> None:
    try:
        if url[:6].lower() == "https:":
            from mlserverless.net.client import Limits, stream

            stream(url, deadline, take, Limits(most, allow_private=True, what="file"))
        else:
            from mlserverless import stores

            stores.stream(url, deadline, take, max_bytes=most, what="file")
    except MlserverlessError as error:
        raise ModelUnavailable(
            f"The model's file {redact(url)} cannot be downloaded: {error}", retryable=error.retryable
        ) from error


def _shelf(chosen: str) -> str:
    # In a shared temporary folder another user may have been there first.
    shelf = chosen or os.path.join(gettempdir(), f"mlserverless-{os.getuid()}")
    os.makedirs(shelf, mode=0o700, exist_ok=True)
    found = os.lstat(shelf)
    if not chosen and (found.st_uid != os.getuid() or found.st_mode & 0o170022 != 0o040000):
        raise ModelUnavailable(
            f"{shelf} belongs to somebody else, or others may write to it: set MLSERVERLESS_CACHE_DIR to a folder "
            "of this function's own."
        )
    return shelf


def _fill(folder: str, texts: dict[str, bytes], sources: dict[str, str], pin: str, deadline: Deadline) -> None:
    scratch = folder + ".part"
    forget(scratch)  # of a process that was killed: who holds the lock is alone here
    os.mkdir(scratch, 0o700)
    try:
        for name, data in texts.items():
            with open(os.path.join(scratch, name), "wb") as out:
                out.write(data)
        source, digest = _downloaded(scratch, sources, deadline)
        if digest != pin:
            raise ModelUnavailable(
                f"The model file {redact(source)} has the sha256 {digest}, but {pin} is pinned."
            )
        os.rename(scratch, folder)
    except BaseException:
        forget(scratch)
        raise


def _downloaded(scratch: str, sources: dict[str, str], deadline: Deadline) -> tuple[str, str]:
    """Download the first of ``sources``, file name -> URL, that is there; return its URL and its sha256."""
    (file, source), *others = sources.items()
    path = os.path.join(scratch, file)
    try:
        return source, _file(path, source, deadline)
    except ModelUnavailable as error:
        if not others or error.retryable or not isinstance(error.__cause__, SourceError):
            raise
        os.unlink(path)  # whoever reads the folder takes what is there of the usual names
        first = error
    try:
        return _downloaded(scratch, dict(others), deadline)
    except ModelUnavailable as error:
        told = f"{first} Nor can {others[0][0]}: set file in its model.toml to the name that it has. See {DOCS}."
        raise ModelUnavailable(told, retryable=error.retryable) from error


def _file(path: str, source: str, deadline: Deadline) -> str:
    """Download ``source`` to ``path``; return its sha256."""
    digest = sha256()
    with open(path, "wb") as out:

        def take(chunk: bytes) -> None:
            digest.update(chunk)
            try:
                out.write(chunk)
            except OSError as error:  # told here: to the client it would be the origin's failure
                raise _not_kept(source, os.path.dirname(path), error) from error

        _stream(source, deadline, take, MAX_MODEL_BYTES)
    return digest.hexdigest()
