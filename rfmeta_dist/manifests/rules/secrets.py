"""Find credentials that stand in a manifest. No remark repeats a value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from rfmeta_dist.core.credentials import in_command, in_text, is_secret
from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import clusters, pods, ray_jobs
from rfmeta_dist.manifests.text import first

# A placeholder is not a credential: nothing, a word that asks for a replacement, or a variable.
_PLACEHOLDER = re.compile(
    r"\s*|(replace|change|your|insert|fill|set|placeholder|example|todo)([-_ ].*)?|change-?(me|it)"
    r"|<[^>]*>|\$\{?\w+\}?|\$\(\w+\)|x{3,}|\*{3,}|\.{3}",
    re.IGNORECASE | re.DOTALL,
)
_BY_SECRET = "remove the value, and take it from a Secret: valueFrom.secretKeyRef"


def _placeholder(text: str) -> bool:
    return bool(_PLACEHOLDER.fullmatch(text))


def environment(manifest: Place) -> Iterator[Remark]:
    """Find credentials in the environment of containers, in start parameters of Ray and in Redis settings."""
    for pod in pods(manifest):
        for container in pod.containers():
            yield from _variables(container.at("env"))
    for spec in clusters(manifest):
        yield from _variables(spec.at("autoscalerOptions", "env"))
        yield from _variables(spec.at("historyServerOptions", "collectorOptions", "env"))
        password = spec.at("gcsFaultToleranceOptions", "redisPassword", "value")
        if password.text and not _placeholder(password.text):
            yield password.risk("a password stands in clear", _BY_SECRET)
        start = spec.at("headGroupSpec", "rayStartParams", "redis-password")
        if start.text and not _placeholder(start.text):
            yield start.risk(
                "a password stands in clear", "use gcsFaultToleranceOptions.redisPassword.valueFrom"
            )


def _variables(env: Place) -> Iterator[Remark]:
    for variable in env.items():
        value = variable.at("value")
        if is_secret(variable.at("name").text) and value.given and not _placeholder(str(value.value)):
            yield value.risk("a credential stands in clear in the environment of a container", _BY_SECRET)


def runtime_environment(manifest: Place) -> Iterator[Remark]:
    """Find credentials in the runtime environment and the metadata of a job, which the dashboard shows."""
    for job in ray_jobs(manifest):
        text = job.at("runtimeEnvYAML")
        inner = first(text.text) if text.text else None
        variables = Place(inner.value).at("env_vars") if inner else Place(None)
        for name, value in variables.fields():
            if is_secret(name) and value.given and not _placeholder(str(value.value)):
                yield Remark(
                    (*text.path, "env_vars", name),
                    "a credential stands in a job's runtime environment, which all users of the cluster read",
                    "remove it, and set it in the environment of the cluster's nodes, from a Secret",
                    "risk",
                )
        for name, value in job.at("metadata").fields():
            if is_secret(name) and value.text and not _placeholder(value.text):
                yield value.risk(
                    "a credential stands in a job's metadata, which the dashboard shows", "remove it"
                )


def commands(manifest: Place) -> Iterator[Remark]:
    """Find credentials in commands, which everyone reads who may list processes or jobs."""
    found = [(job.at("entrypoint"), job.at("entrypoint").text) for job in ray_jobs(manifest)]
    containers = [container for pod in pods(manifest) for container in pod.containers()]
    lists = [container.at(name) for container in containers for name in ("command", "args")]
    found += [(words, " ".join(word.text for word in words.items())) for words in lists]
    for place, command in found:
        if (name := in_command(command)) is not None:
            yield place.risk(
                f"the credential {name} stands in clear in a command",
                "take it from the environment, or from a file, which a Secret fills",
            )


def secrets(manifest: Place) -> Iterator[Remark]:
    """Find Secrets whose values are written in the manifest instead of created beside it."""
    if manifest.at("kind").value != "Secret":
        return
    for name in ("stringData", "data"):
        for key, value in manifest.at(name).fields():
            text = _decoded(value.text) if name == "data" else value.text
            if text is None:
                yield value.error(f"the value of {key} is not in base64", "encode it, or use stringData")
            elif text and not _placeholder(text):
                yield value.risk(
                    "a credential stands in clear; base64 hides nothing",
                    "write a placeholder such as replace-me, and create the Secret with kubectl create secret",
                )


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


def anywhere(manifest: Place) -> Iterator[Remark]:
    """Find URLs with a password, and tokens and keys that are known by their form, in any field."""
    if manifest.at("kind").value == "Secret":
        return
    stack = [manifest]
    while stack:
        place = stack.pop()
        stack += [below for _, below in place.fields()] + list(place.items())
        if (what := in_text(place.text)) is not None:
            yield place.risk(f"{what} stands in clear", "remove it, and take it from a Secret")
