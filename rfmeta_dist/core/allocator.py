"""Environment variables that make glibc keep freed memory in a training process instead of returning it."""

# Without them, glibc requests every block above 32 MB from the kernel and returns it when it is freed, and the
# kernel clears each page again. On a CPU that takes longer than the elementwise half of a training step
# (docs/speed.md). The variables must be set before the process starts. Other C libraries ignore them.
KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
