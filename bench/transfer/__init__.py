"""Test whether what is learned from some kinds of recapture holds for others, by leaving one kind out."""
