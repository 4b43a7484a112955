"""What ``mlserverless convert trained:pipeline`` calls. A joblib file runs what it holds: load only yours."""

import joblib


def pipeline():
    """Return the pipeline that train.py has kept."""
    return joblib.load("build/digits.joblib")
