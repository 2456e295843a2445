"""Check on the user's machine that the step gives the reference figures, with any number of workers."""
