"""Figures of what it is like to use it: the page, the contract, the batch, the signals, the docs."""
