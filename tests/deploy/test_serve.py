"""`rfmeta serve` gives the scores of `Scorer` over HTTP, refuses what is no picture, and counts what it did."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.deploy.package import read
from rfmeta_dist.deploy.rows import outcome
from rfmeta_dist.deploy.scorer import Scorer
from rfmeta_dist.storage.store import open_store
from tests.deploy.serving import Service, served
from tests.deploy.small_package import POINTS, THRESHOLDS, write_package
from tests.ingest.clips import scene
from tests.lighter import absent, rfmeta


def encoded(picture: np.ndarray, ending: str = ".jpg") -> bytes:
    return cv2.imencode(ending, np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def lit(factor: float) -> np.ndarray:
    return np.clip(scene((0, 140, 60)) * factor, 0, 255).astype(np.uint8)


PICTURES = {
    "live": encoded(lit(1.2)),
    "attack": encoded(lit(0.7)),
    "refused": encoded(np.full((90, 120, 3), 110, np.uint8)),
    "refused, two faces": encoded(scene((0, 20, 60), (1, 250, 60)), ".png"),
}


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


NO_PICTURES = {
    "nothing": (b"", 400, "empty"),
    "text": (b"this is a letter", 415, "not a picture"),
    "a web page": (b"<html>", 415, "web page"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(20), 415, "HEIC"),
    "a GIF": (b"GIF89a" + bytes(20), 415, "GIF"),
    "cut short": (PICTURES["live"][:3000], 422, "cannot be read"),
    "a head alone": (b"\xff\xd8\xff\xe0", 422, "cannot be read"),
    "noise behind a head": (b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200)), 413, "claims to be"),
    "a decompression bomb": (bomb(40_000, 40_000), 413, "40000×40000"),
    "above the service's own limit": (bomb(8000, 8000), 413, "8000×8000"),
    "below it, and without pixels": (bomb(3000, 3000), 422, "cannot be read"),
}


@pytest.fixture(scope="module")
def service(package: Path) -> Iterator[Service]:
    with served(package, "--threads", 4) as found:
        yield found


@pytest.mark.parametrize("name", PICTURES)
def test_an_answer_is_the_result_of_scorer(service: Service, package: Path, name: str):
    answer = service.ask("/score", PICTURES[name])
    assert answer.status == 200
    assert answer.json == {"unit": "frame", **outcome(Scorer(package).score(PICTURES[name]))}
    assert answer.json["verdict"] == name.partition(",")[0]
    assert answer.headers["cache-control"] == "no-store"


def test_an_answer_has_the_fields_that_the_command_line_prints(service: Service, package: Path, tmp_path: Path):
    for name, data in PICTURES.items():
        (tmp_path / name).write_bytes(data)
    printed = rfmeta(absent(), "score", package, tmp_path, "--json").stdout
    rows = {row.pop("video"): row for row in map(json.loads, printed.splitlines())}
    assert rows.keys() == PICTURES.keys()
    for name, data in PICTURES.items():
        assert rows[name].pop("frame") == 0
        assert service.ask("/score", data).json == rows[name]


def test_eight_clients_at_once_get_what_one_gets(service: Service):
    alone = [service.ask("/score", data).json for data in PICTURES.values()]
    with ThreadPoolExecutor(8) as clients:
        together = list(
            clients.map(lambda _: [service.ask("/score", data).json for data in PICTURES.values()], range(8))
        )
    assert together == [alone] * 8


@pytest.mark.parametrize(("data", "status", "words"), NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_is_refused_with_a_reason_and_a_remedy(service, data, status, words):
    answer = service.ask("/score", data)
    assert (answer.status, set(answer.json)) == (status, {"error", "remedy"})
    assert words in answer.json["error"]


def test_a_form_is_told_to_send_the_bytes_alone(service: Service):
    answer = service.ask("/score", b"--x\r\n\r\n", Content_Type="multipart/form-data; boundary=x")
    assert (answer.status, "form" in answer.json["error"]) == (415, True)


def test_pictures_may_come_in_chunks_of_any_length(service: Service):
    data = PICTURES["live"]
    for size in (7, 1000, len(data)):
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        assert service.ask("/score", pieces).json == service.ask("/score", data).json


def test_the_facts_of_the_package_are_told(service: Service, package: Path):
    facts, stored = service.ask("/package").json, read(open_store(str(package)))
    assert (facts["name"], facts["sha256"], facts["scorer"]) == ("small", stored.sha256, stored.scorer)
    assert {unit: found["value"] for unit, found in facts["thresholds"].items()} == THRESHOLDS
    assert facts["operating_points"] == {unit: {"bpcer@apcer1": value} for unit, value in POINTS.items()}
    assert facts["decision"]["threshold"] == THRESHOLDS["frame"]


def test_other_addresses_and_methods_are_answered_with_those_that_exist(service: Service):
    assert service.ask("/health").json == {"live": True, "ready": True}
    assert (service.ask("/").status, service.ask("/score").status) == (404, 405)
    assert "POST /score" in service.ask("/").json["remedy"]
    assert service.ask("/health", b"x").status == 405


def test_metrics_add_up_and_name_no_sample(package: Path):
    asked: Counter[str] = Counter()
    with served(package, "--threads", 2) as fresh:
        for data in [*PICTURES.values(), *PICTURES.values(), *(data for data, *_ in NO_PICTURES.values())]:
            answer = fresh.ask("/score", data)
            asked[answer.json.get("verdict", "invalid")] += 1
        found, text = fresh.metrics(), fresh.ask("/metrics").body.decode()
    counted: Counter[str] = Counter()
    for name, value in found.items():
        if name.startswith("rfmeta_requests_total"):
            counted[name.split('outcome="')[1].partition('"')[0]] += int(value)
    assert counted == asked
    assert found["rfmeta_request_seconds_count"] == sum(asked.values())
    assert found["rfmeta_score_count"] == asked["live"] + asked["attack"]
    refused = {name: value for name, value in found.items() if name.startswith("rfmeta_refused_total")}
    assert refused == {
        'rfmeta_refused_total{reason="no_face"}': 2,
        'rfmeta_refused_total{reason="several_faces"}': 2,
    }
    assert found["rfmeta_pictures_in_work"] == found["rfmeta_pictures_waiting"] == 0
    assert 'rfmeta_package{name="small",sha256="' in text
    assert "127.0.0.1" not in text


def test_an_operating_point_is_the_one_that_is_applied(package: Path):
    with served(package, "--threads", 1, "--operating-point", "bpcer@apcer1") as strict:
        found = strict.ask("/score", PICTURES["live"]).json
    assert (found["verdict"], found["operating_point"], found["threshold"]) == (
        "attack",
        "bpcer@apcer1",
        POINTS["frame"],
    )


def test_a_lying_face_is_turned_unless_all_pictures_are_said_to_be_upright(service: Service, package: Path):
    lying = encoded(np.rot90(lit(1.0)).copy())
    assert service.ask("/score", lying).json["turned"] == 90
    with served(package, "--threads", 1, "--upright") as upright:
        assert upright.ask("/score", lying).json["verdict"] == "refused"
        assert upright.ask("/package").json["upright"] is True


def test_a_model_whose_score_is_no_probability_is_a_failure_of_the_service(tmp_path: Path, faces: object):
    # The blank picture that is scored at the start has no face, so the model itself runs at the first request.
    with served(write_package(tmp_path / "package", gain=10.0), "--threads", 1) as broken:
        answer = broken.ask("/score", PICTURES["live"])
        assert (answer.status, "not a number from 0 to 1" in answer.json["error"]) == (500, True)
        assert broken.ask("/score", PICTURES["refused"]).status == 200
        assert broken.metrics()['rfmeta_requests_total{outcome="failed",status="500"}'] == 1
