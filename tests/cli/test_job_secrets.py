"""Credentials are refused in every part of a job spec, by their names, and never printed."""

from __future__ import annotations

import pytest

CONFIG = 2
PLANTED = "hunter2-planted"
REFUSED = {
    "variable": ("  runtimeEnvYAML: |\n    env_vars: {HF_TOKEN: X}", "HF_TOKEN, a credential"),
    "metadata": ("  metadata: {api_key: X}", "spec.metadata.api_key, a credential"),
    "assignment": (
        "  entrypoint: AWS_SECRET_ACCESS_KEY=X rfmeta train",
        "AWS_SECRET_ACCESS_KEY in spec.entrypoint",
    ),
    "option": ("  entrypoint: main --db-password X", "db-password in spec.entrypoint"),
    "index of pip": (
        "  runtimeEnvYAML: |\n    pip: {packages: ['--extra-index-url https://me:X@host/simple', a]}",
        "spec.runtimeEnvYAML.pip.packages.0 has a URL with a password",
    ),
    "token of git": (
        "  runtimeEnvYAML: |\n    working_dir: https://X@github.com/o/r/archive/main.zip",
        "spec.runtimeEnvYAML.working_dir has a URL",
    ),
    "URL in the command": ("  entrypoint: main --db postgres://me:X@host/db", "spec.entrypoint has a URL"),
    "Redis without a user": ("  entrypoint: main --db redis://:X@host/0", "spec.entrypoint has a URL"),
    "header": ("  entrypoint: 'curl -H \"Authorization: Bearer X\" host'", "spec.entrypoint has a header"),
    "URL in metadata": ("  metadata: {store: 'https://me:X@host'}", "spec.metadata.store has a URL"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_a_credential_is_refused_by_its_name(rfmeta, tmp_path, text, words):
    entry = "" if "entrypoint:" in text else "  entrypoint: main\n"
    path = tmp_path / "job.yaml"
    path.write_text(f"kind: RayJob\nmetadata: {{name: j}}\nspec:\n{entry}{text}\n".replace("X", PLANTED, 1))
    ending = rfmeta("submit", path, "--dry-run")
    assert (ending.code, words in ending.error) == (CONFIG, True), ending.err
    assert PLANTED not in ending.err + ending.out


def test_words_after_the_command_are_searched_too(rfmeta, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("kind: RayJob\nmetadata: {name: j}\nspec: {entrypoint: main}\n")
    ending = rfmeta("submit", path, "--dry-run", "--", "--token", PLANTED)
    assert (ending.code, PLANTED in ending.err) == (CONFIG, False)
