"""Find credentials that stand in a manifest. No remark repeats a value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from rfmeta_dist.core.credentials import masked
from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import clusters, pods, ray_jobs
from rfmeta_dist.manifests.text import first

_NAME = re.compile(
    r"SECRET|TOKEN(?!IZ)|PASSWORD|PASSWD|ACCESS_?KEY|API_?KEY|PRIVATE_?KEY|CREDENTIAL|CONNECTION_?STRING|(^|_)AUTH$"
)
# Names that contain such a word, and whose value is a place or a setting.
_HARMLESS = re.compile(
    r"(_PATH|_FILE|_DIR|_NAME|_MODE|_URL|_ENDPOINT|_REF|_TTL|_LIFETIME|_EXPIRY|_SECONDS)$|^RAY_ENABLE_|MAX_"
)
# A placeholder is not a credential: nothing, a word that asks for a replacement, or a variable.
_PLACEHOLDER = re.compile(
    r"\s*|(replace|change|your|insert|fill|set|placeholder|example|todo)([-_ ].*)?|change-?(me|it)"
    r"|<[^>]*>|\$\{?\w+\}?|\$\(\w+\)|x{3,}|\*{3,}|\.{3}",
    re.IGNORECASE | re.DOTALL,
)
_SHAPES = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bhf_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)
_BY_SECRET = "remove the value, and take it from a Secret: valueFrom.secretKeyRef"


def credential_name(name: str) -> bool:
    """Return True if a variable or field of this name holds a credential, such as AWS_SECRET_ACCESS_KEY."""
    upper = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).upper().replace("-", "_").replace(".", "_")
    return bool(_NAME.search(upper)) and not _HARMLESS.search(upper)


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
        if credential_name(variable.at("name").text) and value.given and not _placeholder(str(value.value)):
            yield value.risk("a credential stands in clear in the environment of a container", _BY_SECRET)


def runtime_environment(manifest: Place) -> Iterator[Remark]:
    """Find credentials in the runtime environment and the metadata of a job, which the dashboard shows."""
    for job in ray_jobs(manifest):
        text = job.at("runtimeEnvYAML")
        inner = first(text.text) if text.text else None
        variables = Place(inner.value).at("env_vars") if inner else Place(None)
        for name, value in variables.fields():
            if credential_name(name) and value.given and not _placeholder(str(value.value)):
                yield Remark(
                    (*text.path, "env_vars", name),
                    "a credential stands in a job's runtime environment, which all users of the cluster read",
                    "remove it, and set it in the environment of the cluster's nodes, from a Secret",
                    "risk",
                )
        for name, value in job.at("metadata").fields():
            if credential_name(name) and value.text and not _placeholder(value.text):
                yield value.risk(
                    "a credential stands in a job's metadata, which the dashboard shows", "remove it"
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
    """Find URLs with a password, and texts that have the form of a known kind of key, in any field."""
    if manifest.at("kind").value == "Secret":
        return
    stack = [manifest]
    while stack:
        place = stack.pop()
        stack += [below for _, below in place.fields()] + list(place.items())
        if masked(place.text) != place.text and not _placeholder_url(place.text):
            yield place.risk("a URL with a user's name or password stands in clear", "take it from a Secret")
        elif _SHAPES.search(place.text):
            yield place.risk("a text has the form of a key or token", "remove it, and take it from a Secret")


def _placeholder_url(text: str) -> bool:
    # $(NAME) and $NAME are replaced in the pod, by variables that may come from a Secret.
    return masked(re.sub(r"\$\(?\{?\w+\}?\)?@", "", text)) == re.sub(r"\$\(?\{?\w+\}?\)?@", "", text)
