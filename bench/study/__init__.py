"""The comparison of learning rules on generated domains: run with `python -m bench.study` (see __main__.py)."""
