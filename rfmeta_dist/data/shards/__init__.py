"""Store a domain: pack samples into shards, write and read its manifest, and decode single samples."""
