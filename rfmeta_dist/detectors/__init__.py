"""Detectors, which score faces, and the packages that store them; without the code that trains them."""
