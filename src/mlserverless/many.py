"""Many images from Python, answered side by side and told in order: what Predictor.predict_many does."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mlserverless.errors import ConfigError, MlserverlessError, ModelUnavailable
from mlserverless.options import read_options
from mlserverless.types import Prediction, Problem, told

Predict = Callable[..., Prediction]
AHEAD = 4  # images a thread that are taken from the sources before they are told


def predict_many(
    predict: Predict, sources: Iterable[Any], workers: int, timeout: float | None, options: dict[str, Any]
) -> Iterator[Prediction | Problem]:
    """Yield what becomes of each of ``sources``, by ``predict``; see Predictor.predict_many."""
    if workers < 1:
        raise ValueError(f"workers is {workers}: give 1 or more threads")
    read_options(options)  # a mistake here would be every image's
    return _answers(predict, iter(sources), workers, timeout, options)


def _answers(
    predict: Predict, sources: Iterator[Any], workers: int, timeout: float | None, options: dict[str, Any]
) -> Iterator[Prediction | Problem]:
    def answer(source: Any) -> Prediction | Problem:
        try:
            return predict(source, timeout=timeout, **options)
        except (ConfigError, ModelUnavailable):
            raise
        except MlserverlessError as error:
            return told(error)

    waiting: deque[Future[Prediction | Problem]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mlserverless-many")
    try:
        for source in sources:
            waiting.append(pool.submit(answer, source))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also where nobody asks for the rest
        pool.shutdown(cancel_futures=True)
