"""HTTP servers under load: started and ended with all their processes, asked by a client of our own, watched."""
