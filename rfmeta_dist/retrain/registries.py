"""Open the registry that a retraining's configuration names."""

from __future__ import annotations

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.retrain.mlflow import MlflowRegistry
from rfmeta_dist.retrain.registry import Registry
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage.store import open_store


def open_registry(config: Retraining) -> Registry:
    """Return the registry in MLflow if `registry.mlflow` is set, otherwise that in the store.

    Nothing is contacted, and MLflow is not imported, before the first call of a method.
    """
    address = config.registry.mlflow
    return MlflowRegistry(address, config.name) if address else StoreRegistry(open_store(config.registry_place))
