"""RFMeta face anti-spoofing as a distributed training system.

Read the folders in the order in which data flows: config → synth | ingest → data → episode → methods →
strategy → training → recipes → evaluation → report. `cluster` runs them on Ray, and `cli` has the commands.
"""

__version__ = "0.1.0"
