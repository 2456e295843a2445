"""Files that earlier versions made (tests/fixtures/README.md). A test that writes into them makes a copy."""

from pathlib import Path

BEFORE = Path(__file__).parent / "fixtures/before_renames"
SHARDS = BEFORE / "shards"  # the generated domains O, C, I and M, 32×32 pixels, five people each
