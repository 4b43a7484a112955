"""This project, with every check it makes. Usage: MODEL URL"""

import sys

from mlserverless import predict

print(predict(sys.argv[2], top_k=1).predictions[0].index)
