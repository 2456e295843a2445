"""Manifests of each kind without any finding, into which the tests plant mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rfmeta_dist.manifests.check import Finding, Purpose, findings

DIGEST = "sha256:" + "0123456789abcdef" * 4
_SAFE = """
              securityContext:
                runAsNonRoot: true
                allowPrivilegeEscalation: false
                capabilities: {drop: [ALL]}
                seccompProfile: {type: RuntimeDefault}"""

CLUSTER = f"""\
apiVersion: ray.io/v1
kind: RayCluster
metadata:
  name: faces
  labels: {{app: faces}}
spec:
  rayVersion: "2.60.0"
  authOptions:
    mode: token
    secretName: ray-token
  enableInTreeAutoscaling: true
  autoscalerOptions:
    version: v2
    idleTimeoutSeconds: 60
    securityContext:
      runAsNonRoot: true
      allowPrivilegeEscalation: false
      capabilities: {{drop: [ALL]}}
      seccompProfile: {{type: RuntimeDefault}}
  headGroupSpec:
    rayStartParams:
      num-cpus: "0"
    template:
      spec:
        restartPolicy: Never
        volumes:
          - name: ray
            emptyDir: {{}}
        containers:
          - name: head
            image: registry.local/faces@{DIGEST}
            env:
              - name: AWS_SECRET_ACCESS_KEY
                valueFrom:
                  secretKeyRef: {{name: store, key: secret}}
            ports:
              - name: dashboard
                containerPort: 8265
            resources:
              requests: {{cpu: 2, memory: 4Gi}}
              limits: {{cpu: 2, memory: 4Gi}}
            volumeMounts:
              - name: ray
                mountPath: /tmp/ray{_SAFE.replace("              ", "            ")}
  workerGroupSpecs:
    - groupName: cpu
      replicas: 2
      minReplicas: 1
      maxReplicas: 4
      idleTimeoutSeconds: 120
      template:
        spec:
          containers:
            - name: worker
              image: registry.local/faces@{DIGEST}
              resources:
                requests: {{memory: 4Gi}}
                limits: {{cpu: "2", memory: 4Gi}}{_SAFE}
"""


def _inside(text: str, spaces: int) -> str:
    """Return the spec of CLUSTER, indented further."""
    spec = text.partition("spec:\n")[2]
    return "".join(" " * spaces + line for line in spec.splitlines(keepends=True))


_JOB_SPEC = f"""\
  entrypoint: rfmeta leave-one-out jobs/demo.yaml
  entrypointNumCpus: 0
  entrypointResources: '{{"slot": 1}}'
  backoffLimit: 2
  activeDeadlineSeconds: 86400
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: 600
  submissionMode: K8sJobMode
  runtimeEnvYAML: |
    working_dir: .
    env_vars:
      OMP_NUM_THREADS: "1"
  metadata:
    purpose: nightly
  rayClusterSpec:
{_inside(CLUSTER, 2)}"""

JOB = f"apiVersion: ray.io/v1\nkind: RayJob\nmetadata:\n  name: leave-one-out\nspec:\n{_JOB_SPEC}"

SUBMITTED = """\
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: nightly
spec:
  clusterSelector:
    ray.io/cluster: faces
  entrypoint: rfmeta retrain retrain.yaml
  backoffLimit: 0
  runtimeEnvYAML: |
    working_dir: .
"""

RAY_CRON = f"""\
apiVersion: ray.io/v1
kind: RayCronJob
metadata:
  name: nightly
spec:
  schedule: "15 2 * * *"
  timeZone: Etc/UTC
  jobTemplate:
{"".join("  " + line for line in _JOB_SPEC.splitlines(keepends=True))}"""

CRON = f"""\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: nightly
spec:
  schedule: "15 2 * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: submit
              image: registry.local/faces@{DIGEST}
              args: [rfmeta, submit, jobs/retrain.yaml]
              env:
                - name: RAY_AUTH_TOKEN
                  valueFrom:
                    secretKeyRef: {{name: ray-token, key: auth_token}}
              resources:
                requests: {{memory: 512Mi}}
                limits: {{memory: 512Mi}}{_SAFE}
"""

CORE = f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: faces}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: faces}}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Secret
metadata: {{name: ray-token}}
type: Opaque
stringData: {{auth_token: replace-me}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{level: info}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: "faces:read"}}
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: faces}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: "faces:read"}}
subjects:
  - {{kind: ServiceAccount, name: faces}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: ray}}
spec:
  podSelector: {{matchLabels: {{ray.io/cluster: faces}}}}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector: {{}}
        - ipBlock: {{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
      ports: [{{port: 8265, protocol: TCP}}, {{port: metrics}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: head}}
spec:
  maxUnavailable: 0
  selector: {{matchLabels: {{ray.io/node-type: head}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 10Gi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: redis}}
spec:
  selector: {{app: redis}}
  ports: [{{port: 6379, targetPort: redis}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: redis}}
spec:
  serviceName: redis
  replicas: 1
  selector: {{matchLabels: {{app: redis}}}}
  template:
    metadata: {{labels: {{app: redis}}}}
    spec:
          containers:
            - name: redis
              image: registry.local/redis@{DIGEST}
              readinessProbe: {{tcpSocket: {{port: redis}}, periodSeconds: 5}}
              resources: {{requests: {{memory: 1Gi}}, limits: {{memory: 1Gi}}}}
              volumeMounts: [{{name: data, mountPath: /data}}]{_SAFE}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {{requests: {{storage: 1Gi}}}}
"""

QUEUES = """\
apiVersion: kueue.x-k8s.io/v1beta1
kind: ResourceFlavor
metadata: {name: cpu}
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: ClusterQueue
metadata: {name: faces}
spec:
  namespaceSelector: {}
  resourceGroups:
    - coveredResources: [cpu, memory]
      flavors:
        - name: cpu
          resources:
            - {name: cpu, nominalQuota: 64}
            - {name: memory, nominalQuota: 256Gi}
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: LocalQueue
metadata: {name: faces}
spec: {clusterQueue: faces}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: ray}
spec:
  selector: {matchLabels: {ray.io/cluster: faces}}
  podMetricsEndpoints: [{port: metrics, interval: 15s}]
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: alerts}
spec:
  groups:
    - name: runs
      rules:
        - alert: Stalled
          expr: increase(steps_total[10m]) == 0
          for: 10m
          labels: {severity: page}
"""

ALL = {
    "cluster": CLUSTER,
    "job": JOB,
    "submitted": SUBMITTED,
    "ray_cron": RAY_CRON,
    "cron": CRON,
    "core": CORE,
    "queues": QUEUES,
}


@dataclass
class Planted:
    """What is found in a manifest after one of its lines was changed.

    Attributes:
        line: the line that was changed, from 1.
        found: all findings.
    """

    line: int
    found: list[Finding]

    def at(self, field: str) -> Finding:
        """Return the only finding about a field."""
        (one,) = [finding for finding in self.found if finding.field == field]
        return one


def plant(text: str, old: str, new: str, purpose: Purpose = "apply") -> Planted:
    """Replace the first occurrence of `old`, and return the findings."""
    before, separator, after = text.partition(old)
    assert separator, f"{old!r} does not occur"
    blank = len(new) - len(new.lstrip("\n "))
    line = (before + new[:blank]).count("\n") + 1
    return Planted(line, findings(before + new + after, "test.yaml", purpose))


MISTAKES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text(encoding="utf-8"))
