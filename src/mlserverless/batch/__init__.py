"""Many images, one result file: sources read lazily, an engine that answers them, a work file that survives kills.

:mod:`run` composes the rest: an :class:`~mlserverless.batch.engine.Engine` answers the items of a source in their
order, and the work file keeps each answer as one line of JSON. Never reaches a function.
"""
