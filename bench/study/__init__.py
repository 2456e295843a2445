"""Compare learning rules on generated domains. Run `python -m bench.study`; see __main__.py for options."""
