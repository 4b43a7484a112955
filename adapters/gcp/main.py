"""What Google Cloud Functions loads: ``predict`` answers HTTP, ``event`` takes events, ``scheduled`` timers."""

from mlserverless.adapters.gcp import event, image_finalized, predict, scheduled, warm_up

__all__ = ["event", "image_finalized", "predict", "scheduled"]

warm_up()  # before the first request: the instance starts with the full CPU
