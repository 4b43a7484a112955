"""This project, with every check it makes. Usage: MODEL URL [again]"""

import sys

from mlserverless import predict

url = sys.argv[2]
first = predict(url, top_k=1).predictions[0].index
print(first, flush=True)

if len(sys.argv) > 3:
    from again import again

    again(lambda: predict(url, top_k=1).predictions[0].index, first)
