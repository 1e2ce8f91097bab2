"""What Triton compiles from its `driver.c`, in Python: for a PC that has no C compiler.

It calls the driver's own library, and does what that file does for kernels as ours are: launched
as a plain grid, their arguments pointers, numbers and tuples of them. It stands for one `driver.c`
alone, the one of Triton 3.7.1, known by its digest. A launch takes the processor about ten
microseconds more; replayed graphs have none.

Names and numbers of the driver's interface: cuda.h, which comes with Triton.
"""

from __future__ import annotations

import ctypes
import hashlib
import operator
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

DRIVER_C = "835f068cf517d237dc62be91275261e260c2bae985a9242fd28866303c1e5a60"  # its SHA-256
LIBRARY = "libcuda.so.1"

CONSTEXPR, KERNEL, TUPLE = range(3)  # what an argument is to a kernel
_WARP = 32  # threads
_STATIC_SHARED = 49152  # bytes that a block may use without being asked for
_INVALID_VALUE = 1
_DEVICE_POINTER, _PRINTF_FIFO_SIZE, _PREFER_SHARED = 3, 1, 1
_MOST_SHARED_OF_BLOCK, _MOST_SHARED_OF_PROCESSOR = 97, 81
_PROPERTIES = {
    "max_shared_mem": _MOST_SHARED_OF_BLOCK,
    "max_num_regs": 12,
    "multiprocessor_count": 16,
    "warpSize": 10,
    "sm_clock_rate": 13,
    "mem_clock_rate": 36,
    "mem_bus_width": 37,
}
_MOST_THREADS, _STATIC_SIZE, _LOCAL_SIZE, _REGISTERS, _DYNAMIC_SIZE = 0, 1, 3, 4, 8

Pack = Callable[[Any], int]  # an argument as the bits of its place, at most 64


def stands_for(source: str) -> bool:
    """Whether `source` is the `driver.c` that this module stands for."""
    return hashlib.sha256(source.encode()).hexdigest() == DRIVER_C


class KernelArgument(NamedTuple):
    nested_tuple: Sequence[KernelArgument] | None
    type: int


class TensorMap:
    """A tensor's description for the GPU's copying unit. No kernel of ours wants one."""


class _Launch(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("attribute_count", ctypes.c_uint),
    )


class CudaUtils:
    """The face of the module `cuda_utils` that Triton's NVIDIA driver wants.

    RuntimeError where the driver refuses, with its words; NotImplementedError for what is left out.
    """

    PyCUtensorMap = TensorMap
    PyKernelArg = KernelArgument
    ARG_CONSTEXPR, ARG_KERNEL, ARG_TUPLE = CONSTEXPR, KERNEL, TUPLE

    def __init__(self, library: str = LIBRARY) -> None:
        """Raises OSError where there is no driver."""
        self._cuda = ctypes.CDLL(library)
        self._packs = _packs(self._pointer)

    def get_device_properties(self, device: int) -> dict[str, int]:
        handle = ctypes.c_int()
        self._cuda.cuDeviceGet(ctypes.byref(handle), device)
        return {name: self._attribute(each, handle) for name, each in _PROPERTIES.items()}

    def load_binary(
        self, name: str, data: bytes, shared: int, device: int
    ) -> tuple[int, int, int, int, int]:
        """Handles of the module and its function, then registers, spills and most threads.

        shared: bytes of a block's shared memory.
        """
        self._need_context(device)
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), data)
        self._call("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
        registers = self._of_function(_REGISTERS, function)
        spills = self._of_function(_LOCAL_SIZE, function) // 4
        threads = self._of_function(_MOST_THREADS, function)
        most = self._attribute(_MOST_SHARED_OF_BLOCK, ctypes.c_int(device))
        if min(shared, most) > _STATIC_SHARED:
            self._call("cuFuncSetCacheConfig", function, _PREFER_SHARED)
            self._attribute(_MOST_SHARED_OF_PROCESSOR, ctypes.c_int(device))
            room = most - self._of_function(_STATIC_SIZE, function)
            self._call("cuFuncSetAttribute", function, _DYNAMIC_SIZE, room)
        return module.value or 0, function.value or 0, registers, spills, threads

    def build_signature_metadata(self, signature: Iterable[str]) -> tuple[Pack, ...]:
        """How each argument is packed; `launch` gets it back."""
        found = []
        for kind in signature:
            pack = self._packs.get("*" if kind.startswith("*") else kind)
            if pack is None:
                raise NotImplementedError(f"arguments of the type {kind} want a C compiler")
            found.append(pack)
        return tuple(found)

    def launch(
        self,
        grid_x: int,
        grid_y: int,
        grid_z: int,
        stream: int,
        function: int,
        is_cooperative: bool,
        is_dependent: bool,
        metadata: tuple[int, int, int],
        launch_metadata: object,
        enter: Callable[[object], object] | None,
        leave: Callable[[object], object] | None,
        scratch: object,
        profile: object,
        annotations: Sequence[KernelArgument],
        packs: Sequence[Pack],
        arguments: Sequence[object],
    ) -> None:
        """metadata: warps, blocks of a cluster, bytes of shared memory."""
        self._need_context(0)
        if enter is not None:
            enter(launch_metadata)
        warps, cluster, shared = metadata
        if is_cooperative or is_dependent or cluster != 1:
            raise NotImplementedError("launches that are not a plain grid want a C compiler")
        given = _flat(annotations, arguments)
        values = [pack(argument) for pack, argument in zip(packs, given, strict=True)]
        values += [self._pointer(scratch), self._pointer(profile)]
        if grid_x * grid_y * grid_z > 0:
            slots = (ctypes.c_uint64 * len(values))(*values)
            first = ctypes.addressof(slots)
            places = (ctypes.c_void_p * len(values))(*range(first, first + 8 * len(values), 8))
            how = _Launch((grid_x, grid_y, grid_z), (_WARP * warps, 1, 1), shared, stream, None, 0)
            where = ctypes.c_void_p(function)
            self._call("cuLaunchKernelEx", ctypes.byref(how), where, places, None)
        if leave is not None:
            leave(launch_metadata)

    def set_printf_fifo_size(self, size: int) -> None:
        if size < 0:
            raise ValueError("fifo size must be non-negative")
        self._need_context(0)
        before = ctypes.c_size_t()
        self._call("cuCtxGetLimit", ctypes.byref(before), _PRINTF_FIFO_SIZE)
        if before.value != size:
            self._call("cuCtxSetLimit", _PRINTF_FIFO_SIZE, ctypes.c_size_t(size))

    def cuOccupancyMaxActiveClusters(self, *_: object) -> int:  # noqa: N802  (Triton's name)
        raise NotImplementedError("clusters of blocks want a C compiler")

    def fill_tma_descriptor_tiled(self, *_: object) -> TensorMap:
        raise NotImplementedError("tensor descriptors want a C compiler")

    fill_tma_descriptor_im2col = fill_tma_descriptor_tiled

    def _call(self, name: str, *arguments: object) -> None:
        """Raises RuntimeError in the words that Triton has for it, which engine.faults reads."""
        if code := getattr(self._cuda, name)(*arguments):
            words = ctypes.c_char_p()
            self._cuda.cuGetErrorString(code, ctypes.byref(words))
            raise RuntimeError(f"Triton Error [CUDA]: {(words.value or b'').decode()}")

    def _need_context(self, device: int) -> None:
        """A thread that never used the GPU gets the context that torch uses, too."""
        context = ctypes.c_void_p()
        self._call("cuCtxGetCurrent", ctypes.byref(context))
        if not context:
            self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
            self._call("cuCtxSetCurrent", context)

    def _attribute(self, which: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), which, device)
        return value.value

    def _of_function(self, which: int, function: ctypes.c_void_p) -> int:
        value = ctypes.c_int()
        self._call("cuFuncGetAttribute", ctypes.byref(value), which, function)
        return value.value

    def _pointer(self, argument: Any) -> int:
        """The address on the GPU of a number, a tensor or None."""
        if argument is None:
            return 0
        if isinstance(argument, int):
            return _unsigned(argument, 64)
        if not hasattr(argument, "data_ptr"):
            raise TypeError("Pointer argument must be either uint64 or have data_ptr method")
        address = ctypes.c_uint64(argument.data_ptr())
        if address.value:
            place = ctypes.byref(address)
            code = self._cuda.cuPointerGetAttribute(place, _DEVICE_POINTER, address)
            if code == _INVALID_VALUE:
                raise ValueError("Pointer argument cannot be accessed from Triton (cpu tensor?)")
            if code:
                self._call("cuPointerGetAttribute", place, _DEVICE_POINTER, address)
        return address.value


def _flat(annotations: Sequence[KernelArgument], arguments: Sequence[Any]) -> Iterator[object]:
    """Without constants, and with the parts of tuples one by one."""
    for annotation, argument in zip(annotations, arguments, strict=False):
        if annotation.type == TUPLE:
            yield from _flat(annotation.nested_tuple or (), argument)
        elif annotation.type == KERNEL:
            yield argument


def _packs(pointer: Pack) -> dict[str, Pack]:
    found: dict[str, Pack] = {"*": pointer}
    for name, bits in {"1": 32, "8": 8, "16": 16, "32": 32, "64": 64}.items():
        found[f"i{name}"] = partial(_signed, bits=bits)
        found[f"u{name}"] = partial(_unsigned, bits=bits)
    return found | {
        "fp16": _float16,
        "bf16": lambda x: _float32(x) >> 16,
        "fp32": _float32,
        "f32": _float32,
        "fp64": lambda x: int.from_bytes(bytes(ctypes.c_double(x)), "little"),
    }


def _signed(number: Any, bits: int) -> int:
    """As C does: a number of 64 bits, of which the lowest are taken."""
    value = operator.index(number)
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError("Python int too large to convert to C long")
    return value & ((1 << bits) - 1)


def _unsigned(number: Any, bits: int) -> int:
    value = operator.index(number)
    if not 0 <= value < 1 << 64:
        raise OverflowError("Python int does not fit into an unsigned C long")
    return value & ((1 << bits) - 1)


def _float16(x: float) -> int:
    """Rounded to the nearest; OverflowError beyond 65504, where the others become infinite."""
    return int.from_bytes(struct.pack("<e", ctypes.c_double(x).value), "little")


def _float32(x: float) -> int:
    return int.from_bytes(bytes(ctypes.c_float(x)), "little")
