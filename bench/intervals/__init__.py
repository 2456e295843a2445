"""Measure how often 95 % intervals of several methods contain the true figure, by simulation."""
