"""What every server here does for an answer, without the server: all PHOTOs, one after the other. Usage: PHOTO…"""

import sys
from pathlib import Path

from again import again
from classifier import Classifier

classifier = Classifier()
photos = [Path(name).read_bytes() for name in sys.argv[1:]]


def answer() -> int:
    return sum(classifier(photo) for photo in photos)


first = answer()
print(first, flush=True)
again(answer, first)
