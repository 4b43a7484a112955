"""What the image serves: ``gunicorn app:application``."""

from mlserverless.adapters.wsgi import application, warm_up

__all__ = ["application"]

warm_up()  # before the first request
