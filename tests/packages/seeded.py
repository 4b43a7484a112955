"""The faults that are seeded, one a line as far as they fit."""

from datetime import date

from mlserverless.bundle.limits import MB
from mlserverless.bundle.targets import Target
from packages.seeds import (
    Fault,
    Setup,
    append,
    both,
    edit,
    flag,
    flip_a_bit,
    function,
    large,
    large_archive,
    large_model,
    newer_symbols,
    one_label_more,
    other_wheels,
    put,
    remove,
    setting,
    variable,
    without,
    without_a_library,
)

STATEMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
KEY = "AKIA" + "Z" * 16  # no key of anybody


def _events(setup: Setup, told: str) -> None:
    edit(setup.deploy / "template.yaml", r"^      Events:\n", f"      Events:\n{told}")


def _public_api(setup: Setup) -> None:
    _events(setup, "        Http: {Type: HttpApi, Properties: {Path: /predict, Method: post}}\n")


def _slow_api(setup: Setup) -> None:
    _events(
        setup,
        "        Http:\n          Type: Api\n          Properties:\n            {Path: /predict, Method: post, "
        "Auth: {Authorizer: AWS_IAM}}\n",
    )
    edit(setup.deploy / "template.yaml", r"Timeout: !Ref Timeout", "Timeout: 60")


def _another_model(setup: Setup) -> Setup:
    return setup._replace(model=str(setup.project / "no-such-model"))


def _another_target(setup: Setup) -> Setup:
    assert setup.package is not None
    return setup._replace(package=setup.package._replace(target=Target("aws", "3.12")))


def _no_deploy_folder(setup: Setup) -> None:
    remove("aws")(setup)


def _no_block(setup: Setup) -> None:
    edit(setup.deploy / "s3.yaml", r"BlockPublicPolicy: true", "BlockPublicPolicy: false")


AWS = (
    Fault("a timeout of 1000 s", "timeout", put("template.yaml", r"Timeout: !Ref Timeout", "Timeout: 1000")),
    Fault(
        "20,000 MB of memory", "memory", put("template.yaml", r"MemorySize: !Ref MemorySize", "MemorySize: 20000")
    ),
    Fault("20,480 MB of /tmp", "tmp", function(EphemeralStorage={"Size": 20480})),
    Fault("a Function URL for anybody", "public", put("template.yaml", "AuthType: AWS_IAM", "AuthType: NONE")),
    Fault(
        "CORS for every origin",
        "public",
        put("template.yaml", "( +)AuthType: AWS_IAM", r"\1AuthType: AWS_IAM\n\1Cors: {AllowOrigins: ['*']}"),
    ),
    Fault("an HTTP API that asks nobody who it is", "public", _public_api),
    Fault("a bucket without its public access block", "public", _no_block),
    Fault("60 s behind an API Gateway", "front-door", _slow_api),
    Fault("a Python past its end", "python-end", lambda _: None, today=date(2029, 7, 1)),
    Fault("a Python that ends within half a year", "python-end", lambda _: None, today=date(2029, 3, 1)),
    Fault(
        "a template for another Python", "runtime", put("template.yaml", "Runtime: !Ref .*", "Runtime: python3.11")
    ),
    Fault(
        "a template for another architecture",
        "runtime",
        put("template.yaml", r"Architectures: .*", "Architectures: [arm64]"),
    ),
    Fault("s3:* on every resource", "permissions", function(Policies=[STATEMENT])),
    Fault("AdministratorAccess", "permissions", function(Policies=["AdministratorAccess"])),
    Fault("a secret in a variable", "secrets", variable("API_KEY", "hunter2-hunter2")),
    Fault("an access key in a variable", "secrets", variable("WHO", KEY)),
    Fault("an unknown variable", "settings", variable("MLSERVERLESS_TOPK", "3")),
    Fault("a bad value in a variable", "settings", variable("MLSERVERLESS_DECODE", "quick")),
    Fault("a bad value in the settings file", "settings", setting("top_k = 0")),
    Fault("larger bodies than Lambda lets in", "payload", put("template.yaml", '"4500000"', '"10000000"')),
    Fault("5 KB of variables", "variables", variable("LONG", "x" * 5000)),
    Fault(
        "six layers", "layers", function(Layers=[f"arn:aws:lambda:eu-central-1:1:layer:l:{n}" for n in range(6)])
    ),
    Fault(
        "SnapStart with Python 3.11",
        "snapstart",
        put("template.yaml", "ApplyOn: .*", "ApplyOn: PublishedVersions"),
        python="3.11",
    ),
    Fault(
        "SnapStart with 1 GB of /tmp",
        "snapstart",
        both(
            put("template.yaml", "ApplyOn: .*", "ApplyOn: PublishedVersions"),
            function(EphemeralStorage={"Size": 1024}),
        ),
    ),
    Fault(
        "SnapStart of $LATEST",
        "snapstart",
        both(
            put("template.yaml", "ApplyOn: .*", "ApplyOn: PublishedVersions"),
            put("template.yaml", "^ +AutoPublishAlias: live\n", ""),
        ),
    ),
    Fault(
        "a queue that is quicker than its function",
        "queue",
        put("sqs.yaml", "VisibilityTimeout: .*", "VisibilityTimeout: 20"),
    ),
    Fault(
        "a queue that waits twice the timeout",
        "queue",
        put("sqs.yaml", "VisibilityTimeout: .*", "VisibilityTimeout: 120"),
    ),
    Fault(
        "a handler that is not there",
        "entry",
        put("template.yaml", "Handler: app.handler", "Handler: main.handler"),
    ),
    Fault(
        "a handler that its file has not",
        "entry",
        put("template.yaml", "Handler: app.handler", "Handler: app.run"),
    ),
    Fault("a template that is no YAML", "template", put("template.yaml", "^Resources:", "Resources: [")),
    Fault("no deploy folder", "deploy-folder", _no_deploy_folder),
    Fault("litert where glibc is too old", "engine", setting('engine = "litert"'), python="3.11"),
    Fault(
        "a model of 150 MB in 128 MB of memory",
        "memory-needed",
        both(large_model(150 * MB), put("template.yaml", r"MemorySize: !Ref MemorySize", "MemorySize: 128")),
    ),
)
MODEL = (
    Fault("no model", "model", _another_model),
    Fault(
        "a model.toml with a key that is not known",
        "model",
        append("model/model.toml", "\n[output.more]\nx = 1\n"),
    ),
    Fault("a label file that is missing", "labels", remove("model/labels.txt")),
    Fault("one label more than classes", "labels", one_label_more),
    Fault("a bit of the weights flipped", "model-sha256", flip_a_bit),
)
OTHERS = (
    Fault(
        "an anonymous function app",
        "public",
        put("function_app.py", "AuthLevel.FUNCTION", "AuthLevel.ANONYMOUS"),
        "azure",
    ),
    Fault("a functionTimeout that is no time", "timeout", put("host.json", '"00:05:00"', '"5 minutes"'), "azure"),
    Fault(
        "an instance of 1024 MB",
        "memory",
        put("main.bicep", r"^param instanceMemoryMB int = \d+", "param instanceMemoryMB int = 1024"),
        "azure",
    ),
    Fault(
        "a Bicep file for another Python",
        "runtime",
        put("main.bicep", r"(runtime: \{[^}]*version: )[^\n,}]+", r"\1'3.11'"),
        "azure",
    ),
    Fault("a host.json that is no JSON", "template", put("host.json", r"\A\{", "{,"), "azure"),
    Fault(
        "a function that anybody may call",
        "public",
        flag("--allow-unauthenticated", None, without="--no-allow-unauthenticated"),
        "gcp",
    ),
    Fault("an event function of 10 minutes", "timeout", flag("--timeout", "600s", "flags-bucket.yaml"), "gcp"),
    Fault("64 GiB of memory", "memory", flag("--memory", "64GiB"), "gcp"),
    Fault("2,000 requests at a time", "concurrency", flag("--concurrency", 2000), "gcp"),
    Fault("an entry point that is not there", "entry", flag("--entry-point", "main"), "gcp"),
    Fault("flags for another Python", "runtime", flag("--runtime", "python311"), "gcp"),
    Fault(
        "a service that checks no caller",
        "public",
        put(
            "service.yaml",
            r"^( +)annotations:\n",
            "\\1annotations:\n\\1  run.googleapis.com/invoker-iam-disabled: 'true'\n",
        ),
        "gcp",
    ),
    Fault("an image that runs as root", "user", put("Dockerfile", "^USER .*\n", ""), "container"),
    Fault(
        "a secret in an image",
        "secrets",
        put("Dockerfile", "^USER ", "ENV DB_PASSWORD=hunter2\nUSER "),
        "container",
    ),
)
PACKED = (
    Fault("a library for another architecture", "architecture", other_wheels(arch="arm64"), packed=True),
    Fault("an extension module for another Python", "python-abi", other_wheels(python="3.12"), packed=True),
    Fault("a library that needs a newer glibc", "glibc", newer_symbols("GLIBC"), packed=True),
    Fault("a library that needs a newer libstdc++", "glibcxx", newer_symbols("GLIBCXX"), packed=True),
    Fault("a library that needs a missing one", "libraries", without_a_library, packed=True),
    Fault("a package without its engine", "engine", without("ai_edge_litert"), packed=True),
    Fault("results in S3 without obstore", "stores", without("obstore"), packed=True),
    Fault("a package for another target", "runtime", _another_target, packed=True),
    Fault("a zip of 60 MB", "zip-size", large_archive(60 * MB), packed=True),
    Fault("300 MB unpacked", "unpacked-size", large("large.bin", 300 * MB), packed=True),
    Fault("an image of 11 GB", "image-size", large("large.bin", 11 * 1024 * MB), packed=True, image=True),
    Fault("a zip of 2 GB", "zip-size", large_archive(2048 * MB), "azure", packed=True),
)
FAULTS = (*AWS, *MODEL, *OTHERS, *PACKED)
