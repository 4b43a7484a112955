"""On a runtime's path: its function fails on URLs with /fault in them, and its errors repeat them."""

from security_leak import install

install()
