"""Find files that earlier versions wrote (tests/fixtures/README.md). A test that changes them copies them."""

from pathlib import Path

BEFORE = Path(__file__).parent / "fixtures/before_renames"
SHARDS = BEFORE / "shards"  # the generated domains O, C, I and M, 32×32 pixels, five people each
