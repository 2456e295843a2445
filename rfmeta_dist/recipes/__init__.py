"""Fit and load detectors. A recipe, which fits a detector, gets only the source domains."""
