"""Describe the device, measure its peak, and take times and memory on it."""

from __future__ import annotations

import gc
import platform
import re
import resource
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from bench.gpu.sections import Teller
from bench.gpu.settings import Settings
from rfmeta_dist.core.errors import ConfigError

T = TypeVar("T")

# Dense bf16 TFLOP/s of tensor cores, from NVIDIA's data sheets. Where a sheet gives the figure with sparsity
# (1,979 for the H200), this is half of it. A part of a card (MIG) has no entry.
PEAKS = {
    r"NVIDIA B200": 2250.0,
    r"NVIDIA (H200|H200 SXM|GH200 \w+|H100 80GB HBM3|H100 SXM5 80GB)": 989.0,
    r"NVIDIA (H100|H200) NVL": 835.0,
    r"NVIDIA H100 PCIe": 756.0,
    r"NVIDIA A100[ -][\w -]+": 312.0,
    r"NVIDIA A30": 165.0,
    r"NVIDIA A10": 125.0,
    r"NVIDIA L40S": 362.0,
    r"NVIDIA L4": 121.0,
}


def bf16_peak(name: str) -> float | None:
    """Return the dense bf16 TFLOP/s of a card by its name; None if it is not in the table."""
    if "MIG" in name:
        return None
    return next((peak for pattern, peak in PEAKS.items() if re.fullmatch(pattern, name)), None)


def require(device: str) -> None:
    """Check that torch can use the device.

    Raises:
        ConfigError: there is no GPU that torch can use.
    """
    if device == "cpu" or torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        raise ConfigError(
            f"torch {torch.__version__} was built without CUDA, so it cannot use a GPU",
            "install a build with CUDA as https://pytorch.org/get-started says, or test the script itself with "
            "--device cpu --tiny",
        )
    raise ConfigError(
        f"torch {torch.__version__}, built for CUDA {torch.version.cuda}, finds no GPU",
        "check that `nvidia-smi` lists one, that its driver is new enough for this CUDA, and that "
        "CUDA_VISIBLE_DEVICES does not hide it; or test the script itself with --device cpu --tiny",
    )


def describe(settings: Settings, tell: Teller) -> None:
    """Tell the device's name, the versions of libraries, and the peak of a bf16 matrix product."""
    device = settings.place
    facts: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version()}
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "name": name,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "bf16_peak_tflops": bf16_peak(name),
        }
    else:
        facts |= {"name": f"CPU {platform.machine()}", "bf16_peak_tflops": None}
    tell("card", facts | {"matmul_tflops": matmul_peak(device, 256 if settings.tiny else 8192)})


def matmul_peak(device: torch.device, side: int) -> float:
    """Return the TFLOP/s of bf16 products of square matrices of this side, in the best of five blocks."""
    a, b = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    for _ in range(3):
        a @ b
    seconds = min(timed(lambda: a @ b, 10, device) for _ in range(5))
    return round(2 * side**3 / seconds / 1e12, 3)


def timed(work: Callable[[], Any], times: int, device: torch.device) -> float:
    """Return the seconds that one of several calls in a row takes, until the device has finished them."""
    synchronise(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    synchronise(device)
    return (time.perf_counter() - started) / times


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """Return the result of `work`, and by how many MiB the memory at its peak is above that at its start.

    On a CPU this is the growth of the process's largest memory, so it is 0 if earlier work needed more.
    """
    if device.type == "cpu":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = work()
        return result, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    used = torch.cuda.memory_allocated(device)
    result = work()
    synchronise(device)
    return result, (torch.cuda.max_memory_allocated(device) - used) / 2**20


def fitting(images: int, work: Callable[[int], T]) -> tuple[int, T]:
    """Call `work` with a number of images, and with half of it as often as the memory is too small.

    Returns:
        The largest number that fits, and the result of `work`.

    Raises:
        torch.OutOfMemoryError: not even two images fit.
    """
    while True:
        try:
            return images, work(images)
        except torch.OutOfMemoryError:
            if images <= 2:
                raise
        # Outside of `except`, because the error's traceback keeps the tensors of the failed call.
        images = max(2, images // 4 * 2)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
