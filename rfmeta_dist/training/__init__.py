"""Train networks: one step, the loop over steps, and checkpoints from which a run resumes."""
