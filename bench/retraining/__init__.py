"""Train many challengers of one champion, which differ in their seeds, and show the gate's verdicts."""
