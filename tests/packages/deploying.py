"""The providers' own tools: what they say of the templates, and what they make of the packages."""

from helpers.figures import Figure, Scale
from packages import buildpack, lambdas, templates


def measure(scale: Scale) -> list[Figure]:
    """Return the figures of the templates, of Google's build and of a deployment to Lambda's API."""
    del scale  # it is quick enough to run whole
    return [*templates.figures(), *buildpack.figures(), *lambdas.figures()]
