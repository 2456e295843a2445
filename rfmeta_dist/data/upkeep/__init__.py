"""Operations on stored domains: verify, compare, preview, count, forget a person, clean up."""
