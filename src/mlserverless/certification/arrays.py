"""The type of every array here; its shape and dtype are told where it is taken."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
