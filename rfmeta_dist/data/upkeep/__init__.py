"""Care for what is stored: verify, compare, preview, count, forget a person, clean up."""
