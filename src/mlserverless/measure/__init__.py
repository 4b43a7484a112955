"""What a function costs in time, memory and money, measured in fresh processes: ``mlserverless bench``.

``spawn`` starts children of which ``child`` is the code; ``cold``, ``warm`` and ``sweep`` ask them and sum up;
``tables``, ``page`` and ``report`` show what came of it. Durations are in milliseconds, sizes in bytes.
"""
