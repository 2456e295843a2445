"""Submit jobs to a running Ray cluster through its Jobs API, follow them, list them and stop them.

- manifest: find the RayJob in a file, apply --set (no ray)
- checking: check a manifest by KubeRay's rules (no ray)
- spec: read and check a job spec (no ray)
- address: the URL of a cluster's Jobs API (no ray)
- upload: what a working directory would upload
- plan: what a submission would do, for --dry-run
- client: Ray's client, with time limits and errors that name a remedy
- following: follow one job's log and status
- submission: hand over a job, retry it, stop it at its deadline
- control: find, list, stop and wait for jobs
"""
