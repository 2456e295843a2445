"""Measure how often the gate of a retraining promotes or refuses, on data whose truth is known."""
