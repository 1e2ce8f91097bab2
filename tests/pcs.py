"""PCs that this one is not: example facts, judged by the real doctor."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor import Facts, TritonFacts, judge
from engine.messages import Gpu, Hardware, MemoryHolder

GIB = 1 << 30
_RTX_4090 = Gpu(
    name="NVIDIA GeForce RTX 4090",
    memory_total=24564 << 20,
    memory_free=23010 << 20,
    driver="580.95.05",
    capability=(8, 9),
    is_usable=True,
)
_GAME = MemoryHolder(name="game.exe", size=int(9.2 * GIB))
_BASE = Facts(
    system="Linux 6.14.0",
    is_known_system=True,
    python="3.12.11",
    cores=16,
    memory_total=64 * GIB,
    memory_free=51 * GIB,
    disk_free=412 * GIB,
    torch="2.13.0+cu130",
    cuda="13.0",
    threads=8,
    gpus=(_RTX_4090,),
    triton=TritonFacts(version="3.7.1"),
)
_NO_GPU = replace(_BASE, gpus=(), torch="2.13.0+cpu", cuda="", memory_total=16 * GIB,
                  memory_free=9 * GIB, disk_free=58 * GIB, cores=8)  # fmt: skip
_RTX_3060 = replace(
    _RTX_4090,
    name="NVIDIA GeForce RTX 3060",
    memory_total=12288 << 20,
    memory_free=11420 << 20,
    capability=(8, 6),
)
_GTX_1080 = replace(
    _RTX_4090,
    name="NVIDIA GeForce GTX 1080",
    memory_total=8192 << 20,
    memory_free=7600 << 20,
    capability=(6, 1),
    is_usable=False,
)
FACTS = {
    "rtx_4090": _BASE,
    "rtx_5090": replace(
        _BASE,
        gpus=(
            replace(
                _RTX_4090,
                name="NVIDIA GeForce RTX 5090",
                memory_total=32607 << 20,
                memory_free=31110 << 20,
                capability=(12, 0),
            ),
        ),
    ),
    "busy_4090": replace(
        _BASE, gpus=(replace(_RTX_4090, memory_free=13400 << 20, holders=(_GAME,)),)
    ),
    "rtx_3060": replace(_BASE, gpus=(_RTX_3060,), memory_total=32 * GIB, memory_free=22 * GIB),
    "no_gpu": _NO_GPU,
    "old_gpu": replace(_BASE, gpus=(_GTX_1080,)),
    "cpu_build": replace(_BASE, gpus=(replace(_RTX_4090, is_usable=False),), cuda="",
                         torch="2.13.0+cpu"),
    "no_compiler": replace(_BASE, triton=TritonFacts(version="3.7.1", has_compiler=False)),
    "little_disk": replace(_BASE, disk_free=11 * GIB),
    "no_disk": replace(_BASE, disk_free=-1),
}  # fmt: skip
PCS: dict[str, Hardware] = {name: judge(facts) for name, facts in FACTS.items()}
