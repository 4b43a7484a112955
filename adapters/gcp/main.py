"""What Google Cloud Functions loads: ``predict`` answers HTTP, ``image_finalized`` takes Cloud Storage events."""

from mlserverless.adapters.gcp import image_finalized, predict, warm_up

__all__ = ["image_finalized", "predict"]

warm_up()  # before the first request: the instance starts with the full CPU
