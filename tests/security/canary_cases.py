"""URLs with a secret in them, and the ways in which a caller may hand them over."""

import json
from typing import NamedTuple
from urllib.parse import quote

from helpers.images import encode, gradient
from security.canary_origin import AWAY, ECHOES, MARK, OUTCOMES

QUERIES = {
    "SigV4": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA{0}%2F20261123%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20261123T000000Z&X-Amz-Expires=300&X-Amz-Security-Token=IQoJ{0}%2F%2F&X-Amz-Signature={0}",
    "SAS": "sv=2024-11-04&se=2027-01-01T00%3A00%3A00Z&sr=b&sp=r&sig={0}%2Fabc%3D",
    "GCS V4": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={0}%40p.iam&X-Goog-Signature={0}",
    "GCS V2": "GoogleAccessId={0}%40p.iam.gserviceaccount.com&Expires=1700000000&Signature={0}%2B%3D",
    "a token alone": "{0}",
}
# Where the download does not even begin, or should not: {0} is the secret, {1} a host and port that answer.
BROKEN = (
    "http://{1}/ok?sig={0}\n",
    "http://{1}/ok?sig={0} and more",
    "http://{1}/ok\\?sig={0}",
    "http://{1}/ok?sig={0}\ud800",
    "http://user:{0}@{1}/ok",
    "http://{0}@{1}/ok",
    "http://user:{0}@{1}:x/ok",
    "http://user:{0}/@{1}/ok",
    "http://user:{0}?@{1}/ok",
    "http://user:{0}@ho\u2100st/ok",
    "http://user:{0}@{0}.ho\u2100st/ok",
    "http://user:{0}@" + "a" * 64 + ".\u00e9/ok",
    "http://user:{0}@[::1/ok",
    "http://user:{0}@[{0}]/ok",
    "http://127.0.0.1:{0}/ok",
    "http://user:{0}@/ok",
    "http:///ok?sig={0}",
    "http:{1}/ok?sig={0}",
    "//{1}/ok?sig={0}",
    "{1}/ok?sig={0}",
    "/ok?sig={0}",
    "ok?sig={0}&next=http://{1}/ok",
    "?sig={0}://{1}/ok",
    "{0}" + "0a1b2c3d" * 4,
    "Bearer {0}" + "0a1b2c3d" * 4,
    "bearer:{0}",
    "urn:token:{0}",
    "data:image/png;base64,{0}",
    "javascript:{0}",
    "file:///etc/passwd?{0}",
    "ftp://user:{0}@{1}/ok?sig={0}",
    "https://nothing.invalid/ok?sig={0}",
    "https://{1}/ok?sig={0}",
    "https://user:{0}@{1}/ok#{0}",
    "http://127.0.0.1:1/ok?sig={0}",
    "http://{1}/ok?sig={0}&" + "a" * 9000,
    "s3://bucket?X-Amz-Signature={0}",
    "s3://user:{0}@bucket/ok.png",
    "s3://bucket/../ok.png?X-Amz-Signature={0}",
    "s3://{1}/ok?sig={0}",
    "az://container?sv=2024&sig={0}",
    "az://container//?sv=2024&sig={0}",
    "gs://bucket#access_token={0}",
    "s3:bucket/ok?sig={0}",
)


class Request(NamedTuple):
    """What is sent: the URL's and the carrier's names, and the parts of an HTTP request."""

    name: str
    method: str
    path: str
    kind: str
    body: bytes


def urls(host: str, *, few: bool) -> dict[str, str]:
    """Return templates of URLs by their names: every outcome with every kind of secret; ``few``: with one."""
    found = {}
    forms = {name: "?" + query for name, query in QUERIES.items()} | {"a fragment": "#access_token={0}"}
    for number, outcome in enumerate((*OUTCOMES, *ECHOES, *AWAY)):
        names = list(forms)
        # Waiting for a timeout with each kind would show nothing new.
        chosen = [names[number % len(names)]] if few or outcome == "slow" else names
        for name in chosen:
            found[f"{outcome}, {name}"] = f"http://{host}/{outcome}.png{forms[name]}"
    for outcome in ("blocked", "fault"):
        found[f"{outcome}, user and password"] = f"http://user:{{0}}@{host}/{outcome}.png?sig={{0}}"
    return found | {template: template.replace("{1}", host) for template in BROKEN[:: 3 if few else 1]}


def carriers(url: str, good: str, *, all_of_them: bool) -> dict[str, tuple[str, str, str, bytes]]:
    """Return requests that carry ``url``, by how: method, path, content type, body; ``good`` is a URL in order."""

    def post(value: object) -> tuple[str, str, str, bytes]:
        return "POST", "/predict", "application/json", json.dumps(value).encode()

    found = {"url": post({"url": url})}
    if not all_of_them:
        return found
    quoted = quote(url.encode(errors="surrogatepass"), safe="")
    bare = "".join(letter if 0x20 < ord(letter) < 0x7F else quote(letter, errors="replace") for letter in url)
    form = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    data, image = url.encode(errors="replace"), encode(gradient(8, 6))
    file = form % (b'file"; filename="a.png', image) + b"--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    line = data.replace(b"\r", b"").replace(b"\n", b"").replace(b'"', b"")
    return found | {
        "quoted query": ("GET", f"/predict?url={quoted}", "", b""),
        "unquoted query": ("GET", f"/predict?url={bare}", "", b""),
        "unquoted, at the root": ("GET", f"/?url={bare}", "", b""),
        "the query itself": ("GET", f"/predict?{bare}", "", b""),
        # What stands in a path is no secret to begin with: it is, where a URL or more than one word stands there.
        "the path": ("GET", f"/{bare.removeprefix(MARK).lstrip('/')}", "", b""),
        "the quoted path": ("GET", f"/{quoted.removeprefix(MARK)}", "", b""),
        "an option in the query": ("GET", f"/predict?url={quote(good, safe='')}&top_k={quoted}", "", b""),
        "labels in the query": ("GET", f"/predict?url={quote(good, safe='')}&labels_deny={quoted}", "", b""),
        "an unknown name's value": ("GET", f"/predict?url={quote(good, safe='')}&link={quoted}", "", b""),
        "twice": ("GET", f"/predict?url={quoted}&url={quoted}", "", b""),
        "batch": post({"urls": [url, good, url]}),
        "batch of one text": post({"urls": url}),
        "a list": post({"url": [url]}),
        "an object": post({"url": {"href": url}}),
        "a batch of lists": post({"urls": [[url], {"u": url}]}),
        "both": post({"url": url, "urls": [url]}),
        "an option": post({"url": good, "top_k": url}),
        "a threshold": post({"url": good, "score_threshold": [url]}),
        "a label": post({"url": good, "labels_allow": [url]}),
        "labels": post({"url": good, "labels_deny": url}),
        "an unknown key's value": post({"url": good, "link": url}),
        "a key": post({url: 1, "url": good}),
        "the whole document": post(url),
        "a list of it": post([url]),
        "no JSON": ("POST", "/predict", "text/plain", data),
        "broken JSON": ("POST", "/predict", "application/json", b'{"url": "' + data),
        "query and body": (
            "POST",
            f"/predict?url={quoted}",
            "application/json",
            json.dumps({"url": url}).encode(),
        ),
        "a form's field": ("POST", "/predict", kind, form % (b"url", data) + file),
        "a form's option": ("POST", "/predict", kind, form % (b"top_k", data) + file),
        "a form's name": ("POST", "/predict", kind, form % (line, b"1") + file),
        "a form without a file": ("POST", "/predict", kind, form % (b"url", data) + b"--x--\r\n"),
    }


def requests(host: str, *, few: bool) -> list[Request]:
    """Return every request, its secret still to be filled in for {0}."""
    found = []
    good = f"http://{host}/ok.png"
    for name, url in urls(host, few=few).items():
        # What a URL leads to does not depend on how it came; whether it is repeated may.
        wide = name in BROKEN or name.partition(",")[0] in ("ok", "404", "fault")
        for how, (method, path, kind, body) in carriers(
            url.replace("{0}", MARK + "000000"), good, all_of_them=wide
        ).items():
            found.append(Request(f"{name!r} as {how}", method, path, kind, body))
    return found


def filled(request: Request, token: str) -> Request:
    """Return ``request`` with its own secret, so that what shows anywhere tells where it came from."""
    zero = MARK + "000000"
    return request._replace(
        path=request.path.replace(zero, token), body=request.body.replace(zero.encode(), token.encode())
    )
