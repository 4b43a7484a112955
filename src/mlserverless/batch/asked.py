"""How the items of a batch become requests to a function, and a request's results the items' again."""

from collections.abc import Iterator, Sequence
from typing import Any

from mlserverless.batch.engine import Done, Item
from mlserverless.batch.replies import Reply
from mlserverless.errors import ConfigError


def groups(items: Iterator[Item], most: int) -> Iterator[list[Item]]:
    """Yield ``items`` in order: URLs up to ``most`` at a time, a file alone."""
    urls = list[Item]()
    for item in items:
        if urls and (item.file or len(urls) == most):
            yield urls
            urls = []
        if item.file:
            yield [item]
        else:
            urls.append(item)
    if urls:
        yield urls


def paired(items: Sequence[Item], reply: Reply) -> Iterator[tuple[Item, dict[str, Any]]]:
    """Yield each item with its result."""
    return zip(items, reply.results, strict=True)


def done_of(item: Item, result: dict[str, Any], attempts: int) -> Done:
    """Return what became of ``item``."""
    return Done(item.index, item.source, result, attempts)


def identified(items: Sequence[Item]) -> dict[str, str]:
    """Return the header by which the function's log and this batch's results are found beside each other."""
    return {"X-Request-Id": f"batch-{items[0].index}"}


def in_query(name: str, value: Any) -> Any:
    """Return an option's value as a query has it; raise ConfigError for what none can have."""
    if not isinstance(value, list):
        return value
    if any("," in word for word in value):
        raise ConfigError(f"A label with a comma in it cannot be asked of a function: {name} has one.")
    return ",".join(value)
