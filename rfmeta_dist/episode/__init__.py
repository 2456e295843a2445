"""Choose the domains of each step and the part of each worker, as pure functions of seed, step and rank."""
