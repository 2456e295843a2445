"""Run a cluster with everything around it on one machine, without containers: `infra/local`."""
