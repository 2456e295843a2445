"""Define what learning rules share: the objective that they subclass, inner updates, losses, statistics."""
