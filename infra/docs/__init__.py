"""Build the documentation site and its generated reference pages; see __main__.py for the commands."""
