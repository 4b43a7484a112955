"""The write-ups' function: one global interpreter, which the framework's threads share."""

import functions_framework
from classifier import Classifier

classifier = Classifier()


@functions_framework.http
def predict(request):  # type: ignore[no-untyped-def]
    """Answer the class of the image in the body."""
    return {"index": classifier(request.get_data())}
