"""How a domain is stored: samples packed into shards, their manifest, and how one sample is read back."""
