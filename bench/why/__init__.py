"""Analyse why the rules of the study differ so little."""
