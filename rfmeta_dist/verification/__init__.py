"""Proofs that run on the user's machine: golden figures, and that W workers compute what one does."""
