"""How large the package is against what the platform takes."""

from pathlib import Path

from mlserverless.bundle import archive, limits
from mlserverless.bundle.limits import Limit
from mlserverless.bundle.preflight.case import Case, items
from mlserverless.bundle.preflight.finding import FAIL, OK, WARN, Finding, fail, ok, warn
from mlserverless.bundle.preflight.sam import every

SMALLER = "`mlserverless build` shows what is large: a smaller model, --no-stores and fewer --formats help"


def examine(case: Case) -> list[Finding]:
    """The zip, what it unpacks to, the image, the layers."""
    package = case.package
    if package is None:
        return _layers(case, None)
    whole = archive.size(package.root)
    if package.archive is None:
        mend = f"{SMALLER}."
        if case.target.provider != "aws":
            return [ok("image-size", f"{_mb(whole)} of packages in the image")]
        return [_within("image-size", "the image's packages", whole, limits.IMAGE, mend)]
    zipped = package.archive.stat().st_size if package.archive.is_file() else package.zipped
    return {"aws": _aws, "azure": _azure, "gcp": _gcp}[case.target.provider](case, zipped, whole)


def _aws(case: Case, zipped: int, whole: int) -> list[Finding]:
    mend = f"{SMALLER}; an image (--image) may have {limits.IMAGE}."
    packed = _within("zip-size", "the zip", zipped, limits.ZIP_DIRECT, mend)
    if packed.status != OK:
        told = f"{packed.told} for a direct upload"
        packed = warn("zip-size", told, f"`sam deploy` uploads it through S3. {SMALLER}.", limits.ZIP_DIRECT)
    layer = case.package.out / "layer.zip" if case.package else None
    return [packed, _within("unpacked-size", "unpacked", whole, limits.UNPACKED, mend), *_layers(case, layer)]


def _azure(case: Case, zipped: int, whole: int) -> list[Finding]:
    del case, whole
    return [_within("zip-size", "the zip", zipped, limits.AZURE_PACKAGE, f"{SMALLER}.")]


def _gcp(case: Case, zipped: int, whole: int) -> list[Finding]:
    # The limits are the 1st generation's. The 2nd has none of its own, but each megabyte costs its start.
    del case
    sizes = (
        ("zip-size", "the source folder, zipped", zipped, limits.GCP_SOURCE),
        ("unpacked-size", "unpacked", whole, limits.GCP_SOURCE_UNPACKED),
    )
    found = [_within(check, what, size, limit, f"{SMALLER}.") for check, what, size, limit in sizes]
    return [one._replace(status=WARN) if one.status == FAIL else one for one in found]


def _layers(case: Case, layer: Path | None) -> list[Finding]:
    if case.target.provider != "aws":
        return []
    found = every(case)
    for function in found:
        if (count := len(items(function.properties.get("Layers")))) > limits.LAYERS.value:
            told = f"{function.where} has {count} layers, and {limits.LAYERS} are the most"
            return [fail("layers", told, "Put several into one.", limits.LAYERS)]
    if layer is not None and layer.is_file() and not any(function.properties.get("Layers") for function in found):
        told = f"the packages are in {layer.name}, which no template gives to its function"
        mend = (
            "Add an AWS::Serverless::LayerVersion with ContentUri: layer.zip and name it in the function's Layers."
        )
        return [fail("layers", told, mend)]
    return []


def _within(check: str, what: str, size: int, limit: Limit, mend: str) -> Finding:
    if size > limit.value:
        return fail(check, _over(what, size, limit), mend, limit)
    return ok(check, f"{what}: {_mb(size)} of {limit}", limit)


def _over(what: str, size: int, limit: Limit) -> str:
    return f"{what}: {_mb(size)}, and {limit} is the most"


def _mb(size: int) -> str:
    return f"{size / limits.MB:.1f} MB"
