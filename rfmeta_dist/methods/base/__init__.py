"""What learning rules are made of: the objective they subclass, inner updates, losses, statistics."""
