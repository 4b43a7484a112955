"""What ``mlserverless bench`` could have measured, small and made up."""

from mlserverless.measure.budget import judge
from mlserverless.measure.cold import Cold, Import
from mlserverless.measure.prices import read
from mlserverless.measure.report import Machine, Report
from mlserverless.measure.sizes import SIZES
from mlserverless.measure.spread import Stage, spread
from mlserverless.measure.sweep import Row, Sweep, choose
from mlserverless.measure.warm import Warm, WarmImage


def stage(name: str, *ms: float) -> Stage:
    return Stage(name, spread(ms))


def cold() -> Cold:
    return Cold(
        total=spread((90, 100, 120)),
        totals=(100.0, 90.0, 120.0),
        phases=(stage("interpreter start", 14, 15), stage("import", 20), stage("first request", 60, 70)),
        inside=(stage("load", 15), stage("download", 20)),
        stages=(stage("interpreter start", 14), stage("import Pillow", 9.04), stage("model: compile <b>", 50)),
        sequence=spread((110, 112)),
        saved=spread((11, 10, 12)),
        cpu=spread((95, 96)),
        peak=spread((49e6, 50e6)),
        modules=189,
        module_bytes=11_600_000,
        imports=(Import("PIL.Image", 2.5, 8.1),),
    )


def warm() -> Warm:
    stages = (stage("download", 0.7, 0.9), stage("invoke", 5, 6), stage("wait", 0.0))
    totals = (9.0, 10.0, 11.0)
    image = WarmImage('a "photo" & more.jpg', 100_000, spread(totals), totals, stages)
    return Warm((image, image._replace(image="12-megapixels.jpg")), ((1, 100.0), (2, 190.5)), 64_000_000)


def sweep(target: float = 20.0) -> Sweep:
    took = (90.0, 30.0, 15.0, 14.0, 16.0)
    cost = (0.9, 0.5, 0.52, 0.6, 0.8)
    rows = [Row(SIZES["aws"][0], told="does not fit: the kernel ended it when 512 MB were used up")]
    for size, ms, million in zip(SIZES["aws"][1:], took, cost, strict=True):
        rows.append(Row(size, spread((200.0,)), spread((ms,)), 50_000_000, million))
    best, front = choose(rows, target)
    return Sweep("aws", tuple(rows), best, front, target, read("aws"), ("What is imitated.",))


def report(budget: float = 80.0) -> Report:
    of = cold()
    machine = Machine("Linux x86_64", "3.13.1", 2, 3.5)
    return Report("cats & dogs", "Predictor", "rocket.jpg", machine, of, warm(), sweep(), judge(of, budget))
