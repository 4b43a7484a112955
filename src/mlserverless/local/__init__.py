"""The providers' real runtimes on this machine, each behind HTTP: one module a cloud, no account, no Docker."""
