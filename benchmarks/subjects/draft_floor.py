"""The bare draft decode of benchmarks/bare.py in a process, the root on the path. Usage: MODEL URL [again]"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import bare

model, origin, path = bare.Model(Path(sys.argv[1])), bare.Origin(sys.argv[2]), urlsplit(sys.argv[2]).path
first = bare.predict(model, origin, path)
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(lambda: bare.predict(model, origin, path), first)
