"""How fast: each figure measured beside a floor or a peer, in the same run, held to its bar."""
