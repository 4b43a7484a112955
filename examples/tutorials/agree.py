"""Ask clouds' real runtimes, on this machine, for every image of a reference, and compare with a notebook.

Usage: python agree.py MODEL REFERENCE [CLOUD…]     (by default aws azure gcp)
"""

import argparse
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from mlserverless.certification.reference import Reference, read_reference

TOLERANCE = 1e-4  # of a score; the same arithmetic in another order differs by about 1e-6


@contextmanager
def served(cloud: str, model: str) -> Iterator[str]:
    """Run ``mlserverless serve`` and yield the address where it answers."""
    command = [sys.executable, "-m", "mlserverless", "serve", "--on", cloud, "--model", model, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()  # "aws answers at http://127.0.0.1:43210  (Ctrl-C stops it)"
        try:
            if not line:
                raise SystemExit(f"{cloud} did not start")
            yield line.split()[3]
        finally:
            process.terminate()


def ask(address: str, images: tuple[Any, ...], classes: int) -> list[dict[str, float]]:
    """Return what is answered for each encoded image: the scores by label, best first."""
    at = urlsplit(address)
    with closing(http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)) as connection:
        answers = []
        for image in images:
            connection.request("POST", f"/predict?top_k={classes}", image, {"Content-Type": "image/png"})
            answer = json.loads(connection.getresponse().read())
            if "predictions" not in answer:
                raise SystemExit(f"{address} answered {answer}")
            answers.append({score["label"]: score["score"] for score in answer["predictions"]})
    return answers


def compare(answers: list[dict[str, float]], reference: Reference) -> tuple[int, float]:
    """Return how many first classes are the notebook's, and the largest difference of any score."""
    expected = reference.output if reference.scores is None else reference.scores
    assert expected is not None
    same, largest = 0, 0.0
    for answer, scores in zip(answers, expected, strict=True):
        same += next(iter(answer)) == reference.labels[scores.argmax()]
        apart = (abs(answer[label] - score) for label, score in zip(reference.labels, scores, strict=True))
        largest = max(largest, *map(float, apart))
    return same, largest


def main() -> int:
    """Print a line a cloud; return 0 where every answer is the notebook's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("reference")
    parser.add_argument("clouds", nargs="*", default=["aws", "azure", "gcp"])
    given = parser.parse_args()
    reference, agreed = read_reference(given.reference), True
    for cloud in given.clouds:
        with served(cloud, given.model) as address:
            answers = ask(address, reference.images, len(reference.labels))
        same, largest = compare(answers, reference)
        print(f"{cloud:<6} {same} of {len(answers)} first classes as in the notebook, scores within {largest:.0e}")
        agreed &= same == len(answers) and largest <= TOLERANCE
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
