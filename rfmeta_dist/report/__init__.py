"""Make pages and tables that show a run's figures to people."""
