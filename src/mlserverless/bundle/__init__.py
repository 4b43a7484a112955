"""Packages that fit: made for one target, slimmed, proven by running them, and checked before any upload.

:mod:`~mlserverless.bundle.build` puts the steps together; each step is a module of its own. Nothing here reaches a
deployed function.
"""
