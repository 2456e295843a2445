"""Run work on Ray: sessions, domain actors, Ray Train workers, Tune trials and jobs."""
