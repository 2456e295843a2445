"""RFMeta face anti-spoofing as a distributed training system.

Read the folders in the order the data flows: config → synth | ingest → storage → data → episode →
methods → strategy → training → evaluation → report; `cluster` drives them on Ray and `cli` is the door.
"""

__version__ = "0.1.0"
