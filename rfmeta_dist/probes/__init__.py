"""Test a data set for cues that reveal the label although they have nothing to do with liveness."""
