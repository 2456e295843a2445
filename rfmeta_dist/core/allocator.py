"""Environment in which a training process keeps the memory it has."""

# glibc maps every block above 32 MB afresh and gives it back when freed, and the system clears each page again:
# on a CPU that takes longer than the elementwise half of a training step (docs/speed.md). With these, freed
# blocks stay with the process. They must be set before it starts; other C libraries ignore them.
KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
