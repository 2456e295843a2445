"""Check job specs and Kubernetes manifests without a cluster, against our own description of their fields."""
