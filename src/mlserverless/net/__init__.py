"""The guarded connection to a caller's URL: what may be asked, which addresses, how long, how much."""
