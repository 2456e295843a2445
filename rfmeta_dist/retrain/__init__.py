"""Decide when to train a challenger, judge it against the champion, and keep the registry. No Ray, no torch."""
