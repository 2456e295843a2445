"""A search at small scale: what sharing and stopping save, and whether its choices beat the default."""
