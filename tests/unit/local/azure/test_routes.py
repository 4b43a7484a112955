"""Routes as the Functions host resolves them: prefix, templates, methods, precedence."""

from pathlib import Path
from typing import Any

import pytest

from mlserverless.local.azure.routes import Route, match, ordered, route, route_prefix


def one(template: str | None, *, prefix: str = "", name: str = "f", methods: list[str] | None = None) -> Route:
    binding: dict[str, Any] = {"type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS"}
    if template is not None:
        binding["route"] = template
    if methods is not None:
        binding["methods"] = methods
    return route(name, binding, prefix)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("predict", "/predict", {}),
        ("predict", "/Predict/", {}),
        ("v2/models/{name}", "/v2/models/lite0", {"name": "lite0"}),
        ("v2/models/{name}/infer", "/v2/models/a b/infer", {"name": "a b"}),
        ("{*path}", "/", {}),
        ("{*path}", "/a/b.c/", {"path": "a/b.c/"}),
        ("files/{*path}", "/files", {}),
        ("files/{*path}", "/files/x/y", {"path": "x/y"}),
        ("items/{id:int}", "/items/-12", {"id": "-12"}),
        ("items/{id?}", "/items", {}),
        ("items/{id?}", "/items/7", {"id": "7"}),
        ("{name}.{ext}", "/cat.jpg", {"name": "cat", "ext": "jpg"}),
        ("a.b", "/a.b", {}),
    ],
)
def test_path_is_taken_with_its_parameters(template: str, path: str, parameters: dict[str, str]) -> None:
    found = match([one(template)], "GET", path)
    assert found is not None
    assert found[1] == parameters


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("predict", "/"),
        ("predict", "/predict/x"),
        ("predict", "//predict"),
        ("a.b", "/axb"),
        ("v2/models/{name}", "/v2/models/"),
        ("v2/models/{name}", "/v2/models/a/b"),
        ("items/{id:int}", "/items/x"),
        ("items/{id:guid}", "/items/12345678"),
        ("files/{*path}", "/filesystem"),
    ],
)
def test_path_is_not_taken(template: str, path: str) -> None:
    assert match([one(template)], "GET", path) is None


def test_a_catch_all_takes_a_line_break_too() -> None:
    """As ASP.NET's does: it is a letter like any other."""
    found = match([route("f", {"route": "{*path}"}, "")], "GET", "/a\nb/c")
    assert found is not None
    assert found[1] == {"path": "a\nb/c"}


def test_methods_decide_between_routes_and_none_listed_means_all() -> None:
    reader, writer = one("x", name="r", methods=["get"]), one("x", name="w", methods=["POST"])
    found = match([reader, writer], "post", "/x")
    assert found is not None
    assert found[0] is writer
    assert match([reader, writer], "DELETE", "/x") is None
    assert match([one("x")], "PATCH", "/x") is not None


def test_prefix_goes_before_every_route() -> None:
    found = one("predict", prefix="api")
    assert found.template == "api/predict"
    assert match([found], "GET", "/api/predict") is not None
    assert match([found], "GET", "/predict") is None


@pytest.mark.parametrize("template", [None, ""])
def test_function_name_is_the_route_where_none_is_given(template: str | None) -> None:
    assert one(template, prefix="api", name="classify").template == "api/classify"


def test_order_is_the_hosts_whatever_the_order_of_definition() -> None:
    names = ["{*path}", "{a}", "{a:int}", "v2/{b}", "v2", "v2/models", "{a}/{b}"]
    wanted = ["v2/models", "v2/{b}", "v2", "{a:int}", "{a}/{b}", "{*path}", "{a}"]
    assert [item.template for item in ordered(one(name, name=name) for name in names)] == wanted
    assert [item.template for item in ordered(one(name, name=name) for name in reversed(names))] == wanted


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("/predict", "may not begin with '/'"),
        ("x/{id:range(1,2)}", "not a route parameter"),
        ("x/{id:float}", "'float' is not supported here; int, long, bool, alpha, guid are"),
        ("x/{id", "not a route parameter"),
    ],
)
def test_template_that_cannot_be_served_is_refused(template: str, said: str) -> None:
    with pytest.raises(ValueError, match="route") as caught:
        one(template)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ('{"version": "2.0"}', "api"),
        ('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}', ""),
        ('\ufeff{"extensions": {"http": {"routePrefix": "v1"}}}', "v1"),
    ],
)
def test_route_prefix_is_host_jsons(tmp_path: Path, text: str, prefix: str) -> None:
    (tmp_path / "host.json").write_text(text, encoding="utf-8")
    assert route_prefix(tmp_path) == prefix


def test_missing_or_broken_host_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no host\.json"):
        route_prefix(tmp_path)
    for text in ("{", "[]"):
        (tmp_path / "host.json").write_text(text)
        with pytest.raises(ValueError, match=r"host\.json is not the JSON object"):
            route_prefix(tmp_path)
