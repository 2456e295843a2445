"""MLflow's server, in an environment of its own: it needs an older pyarrow than training does."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra.stack.service import clean_environment

ROOT = Path(__file__).parents[2]
USER = "admin"
_ENVIRONMENT = ROOT / "build/tracking"
# The versions of its client in pyproject.toml. Its login needs Flask-WTF.
_WANTED = ("mlflow>=3.17,<4", "Flask-WTF")


def installed(say: Callable[[str], None]) -> Path | None:
    """Return the program `mlflow`, which is installed on first use; None if it cannot be had, which is said."""
    program, ready = _ENVIRONMENT / "bin/mlflow", _ENVIRONMENT / ".ready"
    if ready.exists():
        return program
    say(f"installing MLflow's server in {_ENVIRONMENT} (about 700 MB on disk, once)")
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)],
        [str(_ENVIRONMENT / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *_WANTED],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            say(f"MLflow's server cannot be installed ({reason}); going on without tracking")
            return None
    ready.touch()
    return program


def command(program: Path, folder: Path, port: int) -> list[str]:
    """Return the command that serves a folder's runs and models on loopback, with a login.

    Args:
        program: from `installed`.
        folder: holds database and files; they are kept when the server ends.
        port: port on 127.0.0.1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        str(program),
        "server",
        "--app-name=basic-auth",
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
        f"--backend-store-uri=sqlite:///{folder}/mlflow.db",
        f"--artifacts-destination={folder}/files",
    ]


def environment(temp: Path, password: str) -> dict[str, str]:
    """Return the environment of the server, which lets in `admin` with the password alone.

    Args:
        temp: folder for the settings, which contain the password, and the database of users. It is removed when
            the stack ends.
        password: at least 12 characters.
    """
    settings = temp / "login.ini"
    settings.touch(mode=0o600)
    settings.write_text(
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{temp}/users.db\n"
        f"admin_username = {USER}\n"
        f"admin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return clean_environment() | {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves eight processes that nothing here uses
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TMPDIR": str(temp),
        "PATH": f"{_ENVIRONMENT / 'bin'}:/usr/bin:/bin",
    }


def variables(port: int, password: str) -> dict[str, str]:
    """Return what the nodes need to reach the server: address, user and password."""
    return {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": password,
    }
