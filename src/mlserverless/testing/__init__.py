"""The conformance suite: what an adapter, or a deployed function, has to do to be one of these.

It is the specification, and it runs: against an adapter in its own process, against a provider's runtime on this
machine, against an endpoint in the cloud (``mlserverless conform``). An adapter needs a harness of some fifty
lines:

- for HTTP an ``ask`` (:class:`~mlserverless.testing.http.Ask`), which carries a request there and the answer back;
  then :func:`~mlserverless.testing.http.check` holds for each of :func:`~mlserverless.testing.http.cases`;
- for each event trigger a :class:`~mlserverless.testing.events.Trigger`, which makes the platform's own event of
  messages and reads from the reply which of them the platform counts as done; then
  :func:`~mlserverless.testing.cases.check` holds for each of :data:`~mlserverless.testing.cases.CASES`.

:class:`~mlserverless.testing.world.World` is what both need around them: images to fetch, origins that fail, a
folder for results. It needs no test framework.
"""
