"""Describe containers: image, environment, resources, probes and permissions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import Integer, IntOrText, Long, Part, Port, Quantity, Unchecked

Pull = Literal["Always", "IfNotPresent", "Never"]


class KeyOf(Part):
    """A key of a Secret or ConfigMap."""

    key: str
    name: str | None = None
    optional: bool | None = None


class FieldOf(Part):
    """A field of the pod itself."""

    fieldPath: str
    apiVersion: str | None = None


class ResourceOf(Part):
    """A request or limit of a container."""

    resource: str
    containerName: str | None = None
    divisor: Quantity | None = None


class FileKeyOf(Part):
    """A key of an environment file in a volume."""

    key: str
    path: str
    volumeName: str
    optional: bool | None = None


class EnvSource(Part):
    """Where the value of an environment variable comes from."""

    secretKeyRef: KeyOf | None = None
    configMapKeyRef: KeyOf | None = None
    fieldRef: FieldOf | None = None
    resourceFieldRef: ResourceOf | None = None
    fileKeyRef: FileKeyOf | None = None


class Env(Part):
    """An environment variable."""

    name: Annotated[str, Field(min_length=1)]
    value: str | None = None
    valueFrom: EnvSource | None = None


class EnvReference(Part):
    """A Secret or ConfigMap whose keys all become environment variables."""

    name: str | None = None
    optional: bool | None = None


class EnvFrom(Part):
    """A source of several environment variables."""

    secretRef: EnvReference | None = None
    configMapRef: EnvReference | None = None
    prefix: str | None = None


class ContainerPort(Part):
    """A port on which a container listens."""

    containerPort: Port
    name: str | None = None
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None
    hostPort: Integer | None = None
    hostIP: str | None = None


class Claim(Part):
    """A device that the pod claims."""

    name: str
    request: str | None = None


class Resources(Part):
    """What a container is given at least (requests) and at most (limits)."""

    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None
    claims: list[Claim] | None = None


class Mount(Part):
    """A volume as a folder of a container."""

    name: str
    mountPath: str
    readOnly: bool | None = None
    recursiveReadOnly: str | None = None
    subPath: str | None = None
    subPathExpr: str | None = None
    mountPropagation: str | None = None


class Device(Part):
    """A volume as a block device of a container."""

    name: str
    devicePath: str


class Exec(Part):
    """A command in the container."""

    command: list[str] | None = None


class Header(Part):
    """A header of an HTTP request."""

    name: str
    value: str


class HttpGet(Part):
    """An HTTP request to the container."""

    port: IntOrText
    path: str | None = None
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] | None = None
    httpHeaders: list[Header] | None = None


class TcpSocket(Part):
    """A TCP connection to the container."""

    port: IntOrText
    host: str | None = None


class Grpc(Part):
    """A gRPC health check of the container."""

    port: Integer
    service: str | None = None


class Sleep(Part):
    """A pause."""

    seconds: Long


class Probe(Part):
    """How Kubernetes finds out whether a container works."""

    exec: Exec | None = None
    httpGet: HttpGet | None = None
    tcpSocket: TcpSocket | None = None
    grpc: Grpc | None = None
    initialDelaySeconds: Integer | None = None
    periodSeconds: Integer | None = None
    timeoutSeconds: Integer | None = None
    successThreshold: Integer | None = None
    failureThreshold: Integer | None = None
    terminationGracePeriodSeconds: Long | None = None


class Handler(Part):
    """What happens after the start or before the stop of a container."""

    exec: Exec | None = None
    httpGet: HttpGet | None = None
    tcpSocket: TcpSocket | None = None
    sleep: Sleep | None = None


class Lifecycle(Part):
    """Handlers of a container's start and stop."""

    postStart: Handler | None = None
    preStop: Handler | None = None
    stopSignal: str | None = None


class Capabilities(Part):
    """Rights of the root user that a process keeps or loses."""

    add: list[str] | None = None
    drop: list[str] | None = None


class Profile(Part):
    """A seccomp or AppArmor profile."""

    type: str
    localhostProfile: str | None = None


class Security(Part):
    """Permissions of a container."""

    runAsNonRoot: bool | None = None
    runAsUser: Long | None = None
    runAsGroup: Long | None = None
    allowPrivilegeEscalation: bool | None = None
    privileged: bool | None = None
    readOnlyRootFilesystem: bool | None = None
    capabilities: Capabilities | None = None
    seccompProfile: Profile | None = None
    appArmorProfile: Profile | None = None
    procMount: str | None = None
    seLinuxOptions: Unchecked | None = None
    windowsOptions: Unchecked | None = None


class Container(Part):
    """A container of a pod."""

    name: Annotated[str, Field(min_length=1)]
    image: str | None = None
    imagePullPolicy: Pull | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    workingDir: str | None = None
    ports: list[ContainerPort] | None = None
    env: list[Env] | None = None
    envFrom: list[EnvFrom] | None = None
    resources: Resources | None = None
    resizePolicy: list[Unchecked] | None = None
    restartPolicy: str | None = None
    restartPolicyRules: list[Unchecked] | None = None
    volumeMounts: list[Mount] | None = None
    volumeDevices: list[Device] | None = None
    livenessProbe: Probe | None = None
    readinessProbe: Probe | None = None
    startupProbe: Probe | None = None
    lifecycle: Lifecycle | None = None
    securityContext: Security | None = None
    terminationMessagePath: str | None = None
    terminationMessagePolicy: str | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    tty: bool | None = None
