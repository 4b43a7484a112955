"""Say as JSON what one model costs in this process, in milliseconds and MiB. Usage: MODEL PHOTO WARM"""

import json
import resource
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from mlserverless import Predictor

folder, data, warm = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3])
predictor = Predictor(folder)


def spent(work):
    start = perf_counter()
    work()
    return 1000 * (perf_counter() - start)


told = {"model_mb": (folder / "model.tflite").stat().st_size / 1e6, "load": spent(predictor.load)}
told["first"] = spent(lambda: predictor.predict(data))
told["warm"] = median(spent(lambda: predictor.predict(data)) for _ in range(warm))
told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(told), flush=True)
