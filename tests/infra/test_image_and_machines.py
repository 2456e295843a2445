"""The Dockerfile copies files that exist; the files for `ray up` are what Ray accepts, and open no port."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MACHINES = sorted((ROOT / "infra/ray_up").glob("*.yaml"))


def copied() -> list[str]:
    lines = (ROOT / "infra/image/Dockerfile").read_text(encoding="utf-8").splitlines()
    words = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    return [name for names in words for name in names]


def test_what_the_dockerfile_copies_exists_and_reaches_the_builder():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "nothing reaches the builder unless it is listed"
    listed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    for name in copied():
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in listed), name
    built = yaml.safe_load((ROOT / "jobs/synth.yaml").read_text())["spec"]
    assert "working_dir: .\n" in built["runtimeEnvYAML"]
    assert "jobs" in copied(), "a job's working directory is the image's"


def test_the_image_runs_as_the_user_of_the_pods_and_keeps_home_where_it_is_mounted():
    text = (ROOT / "infra/image/Dockerfile").read_text(encoding="utf-8")
    base = yaml.safe_load((ROOT / "infra/kubernetes/base/cluster/raycluster.yaml").read_text())
    pod = base["spec"]["headGroupSpec"]["template"]["spec"]
    user = pod["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in text
    assert f"useradd --uid {user} " in text
    assert "/home/rfmeta" in [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert text.rstrip().rpartition("USER")[2].count("\n") == 1, "nothing but the command follows"


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_ray_accepts_the_file_and_nothing_listens_to_strangers(path):
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    validate_config(config)
    validate_config(prepare_config(config))
    (head,) = [line for line in config["head_start_ray_commands"] if "--head" in line]
    starts = [head, *[line for line in config["worker_start_ray_commands"] if "ray start" in line]]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in line for line in starts)
    assert "--dashboard-host=127.0.0.1" in head
    mounts = {
        key.removeprefix("/home/ubuntu").removeprefix("~"): value
        for key, value in config["file_mounts"].items()
    }
    assert mounts["/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 ~/.ray/auth_token" in config["setup_commands"][0]


def test_the_machines_on_aws_bring_their_own_group_and_no_keys():
    text = (ROOT / "infra/ray_up/aws.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    for kind in config["available_node_types"].values():
        machine = kind["node_config"]
        assert machine["SecurityGroupIds"], "Ray's own group opens SSH to everybody"
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert machine["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
        assert machine["IamInstanceProfile"]
    assert config["provider"]["use_internal_ips"] is True
    assert "AWS_" not in text
