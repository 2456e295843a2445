"""What is stored of a domain: samples packed into shards, their manifest, and how one sample is read back."""
