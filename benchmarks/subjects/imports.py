"""Import modules and say how many there are. Usage: MODULE…"""

import sys
from importlib import import_module

for name in sys.argv[1:]:
    import_module(name)
print(len(sys.argv) - 1, flush=True)
