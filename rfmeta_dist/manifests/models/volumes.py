"""Describe volumes and claims for storage."""

from __future__ import annotations

from typing import Literal

from rfmeta_dist.manifests.models.base import (
    Integer,
    Long,
    Part,
    Quantity,
    Selector,
    TemplateMetadata,
    Unchecked,
)
from rfmeta_dist.manifests.models.containers import FieldOf, ResourceOf


class KeyToPath(Part):
    """A key of a Secret or ConfigMap, and the file in which it stands."""

    key: str
    path: str
    mode: Integer | None = None


class SecretVolume(Part):
    """Files from a Secret."""

    secretName: str | None = None
    items: list[KeyToPath] | None = None
    defaultMode: Integer | None = None
    optional: bool | None = None


class ConfigMapVolume(Part):
    """Files from a ConfigMap."""

    name: str | None = None
    items: list[KeyToPath] | None = None
    defaultMode: Integer | None = None
    optional: bool | None = None


class EmptyDir(Part):
    """An empty folder that lives as long as the pod."""

    medium: str | None = None
    sizeLimit: Quantity | None = None


class HostPath(Part):
    """A folder of the node."""

    path: str
    type: str | None = None


class ClaimVolume(Part):
    """A claim for storage, by its name."""

    claimName: str
    readOnly: bool | None = None


class NfsVolume(Part):
    """A folder of an NFS server."""

    server: str
    path: str
    readOnly: bool | None = None


class DownwardFile(Part):
    """A file with a field of the pod."""

    path: str
    fieldRef: FieldOf | None = None
    resourceFieldRef: ResourceOf | None = None
    mode: Integer | None = None


class Downward(Part):
    """Files with fields of the pod."""

    items: list[DownwardFile] | None = None
    defaultMode: Integer | None = None


class ServiceToken(Part):
    """A token of the service account, with an end."""

    path: str
    audience: str | None = None
    expirationSeconds: Long | None = None


class Keys(Part):
    """Keys of a Secret or ConfigMap in a projected volume."""

    name: str | None = None
    items: list[KeyToPath] | None = None
    optional: bool | None = None


class DownwardFiles(Part):
    """Fields of the pod in a projected volume."""

    items: list[DownwardFile] | None = None


class Projection(Part):
    """One source of a projected volume."""

    secret: Keys | None = None
    configMap: Keys | None = None
    downwardAPI: DownwardFiles | None = None
    serviceAccountToken: ServiceToken | None = None
    clusterTrustBundle: Unchecked | None = None
    podCertificate: Unchecked | None = None


class Projected(Part):
    """Files from several sources."""

    sources: list[Projection] | None = None
    defaultMode: Integer | None = None


class ImageVolume(Part):
    """The files of a container image."""

    reference: str | None = None
    pullPolicy: str | None = None


class CsiVolume(Part):
    """A volume of a CSI driver."""

    driver: str
    fsType: str | None = None
    readOnly: bool | None = None
    volumeAttributes: dict[str, str] | None = None
    nodePublishSecretRef: Unchecked | None = None


class StorageAmounts(Part):
    """How much storage is asked for."""

    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None


class ClaimSpec(Part):
    """A claim for storage."""

    accessModes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]] | None = (
        None
    )
    resources: StorageAmounts | None = None
    storageClassName: str | None = None
    volumeName: str | None = None
    volumeMode: Literal["Filesystem", "Block"] | None = None
    volumeAttributesClassName: str | None = None
    selector: Selector | None = None
    dataSource: Unchecked | None = None
    dataSourceRef: Unchecked | None = None


class ClaimTemplate(Part):
    """A claim that is made with the pod."""

    spec: ClaimSpec
    metadata: TemplateMetadata | None = None


class Ephemeral(Part):
    """Storage that is made with the pod and removed with it."""

    volumeClaimTemplate: ClaimTemplate | None = None


class Volume(Part):
    """A volume of a pod. Of clouds' and older drivers only the name is checked."""

    name: str
    emptyDir: EmptyDir | None = None
    secret: SecretVolume | None = None
    configMap: ConfigMapVolume | None = None
    persistentVolumeClaim: ClaimVolume | None = None
    hostPath: HostPath | None = None
    nfs: NfsVolume | None = None
    projected: Projected | None = None
    downwardAPI: Downward | None = None
    ephemeral: Ephemeral | None = None
    csi: CsiVolume | None = None
    image: ImageVolume | None = None
    awsElasticBlockStore: Unchecked | None = None
    azureDisk: Unchecked | None = None
    azureFile: Unchecked | None = None
    cephfs: Unchecked | None = None
    cinder: Unchecked | None = None
    fc: Unchecked | None = None
    flexVolume: Unchecked | None = None
    flocker: Unchecked | None = None
    gcePersistentDisk: Unchecked | None = None
    gitRepo: Unchecked | None = None
    glusterfs: Unchecked | None = None
    iscsi: Unchecked | None = None
    photonPersistentDisk: Unchecked | None = None
    portworxVolume: Unchecked | None = None
    quobyte: Unchecked | None = None
    rbd: Unchecked | None = None
    scaleIO: Unchecked | None = None
    storageos: Unchecked | None = None
    vsphereVolume: Unchecked | None = None
