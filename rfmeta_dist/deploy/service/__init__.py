"""Answer HTTP requests with the scores of a deployed model: one picture in, one verdict as JSON out."""
