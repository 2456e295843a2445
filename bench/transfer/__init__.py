"""Whether what is learned from some kinds of recapture holds for others: leave one physics out."""
