"""One module a provider, which maps that provider's triggers onto the seam. None imports another."""
