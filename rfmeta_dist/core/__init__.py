"""What every layer shares: plain types, errors and seeded randomness. Imports nothing of the project."""
