"""Check what no description of fields can say: rules of KubeRay's and Kubernetes' code, and safe practice."""
