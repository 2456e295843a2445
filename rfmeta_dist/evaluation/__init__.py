"""Compute error rates from a model's scores. The threshold is chosen on the source domains."""
