"""Define detectors, which score faces, and read and write their packages. No code here trains a detector."""
