"""RSA signatures eight at a time, with Intel's multi-buffer library (extra `outreach[fast]`), given AVX-512 IFMA.

A signature then costs little more than half. Each is proved with the public key before it leaves: one that a fault of
the machine has spoiled would give the private key away (Boneh, DeMillo, Lipton 1997). Where the library, the processor
or the key does not fit, nothing here is used; a signature has the same bytes either way (RFC 8017, section 8.2).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

LANES: Final = 8
BITS: Final = 2048
_EXPONENT: Final = 65537
_BYTES: Final = BITS // 8
_RUNTIME: Final = ("libintlc.so.5", "libimf.so", "libirng.so", "libsvml.so")
"""What the library asks the linker for, in the order in which they need each other."""

_SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""What says that a digest is one of SHA-256 (RFC 8017, section 9.2, note 1)."""
_PADDED: Final = b"\0\1" + b"\xff" * (_BYTES - 3 - len(_SHA256) - 32) + b"\0" + _SHA256

_Lanes: Final = ctypes.c_void_p * LANES
"""A pointer for each lane; a lane without one is left out."""


class EightAtOnce:
    """Signs with one key. Nothing is kept from call to call, so threads may share it."""

    def __init__(self, library: ctypes.CDLL, key: rsa.RSAPrivateKey) -> None:
        numbers = key.private_numbers()
        halves = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        self._library = library
        *private, modulus = self._kept = [
            *(_limbs(n, BITS // 2) for n in halves),
            _limbs(numbers.public_numbers.n, BITS),
        ]
        self._private = [_Lanes(*[ctypes.addressof(number)] * LANES) for number in private]
        self._modulus = _Lanes(*[ctypes.addressof(modulus)] * LANES)

    def sign(self, digests: Sequence[bytes]) -> list[bytes] | None:
        """PKCS #1 v1.5 signatures of up to eight SHA-256 digests; None if one of them does not prove true."""
        padded = b"".join([_PADDED + digest for digest in digests])
        count = len(digests)
        asked = ctypes.create_string_buffer(padded, len(padded))
        made, back = (ctypes.create_string_buffer(len(padded)) for _ in range(2))
        private, public = self._library.mbx_rsa_private_crt_mb8, self._library.mbx_rsa_public_mb8
        signed = private(_each(asked, count), _each(made, count), *self._private, BITS, None, None)
        proved = public(_each(made, count), _each(back, count), self._modulus, BITS, None, None)
        used = (1 << 4 * count) - 1  # each lane has four bits of the status
        if signed & used or proved & used or back.raw != padded:
            return None
        signatures = made.raw
        return [signatures[at : at + _BYTES] for at in range(0, len(signatures), _BYTES)]


def of(key: rsa.RSAPrivateKey) -> EightAtOnce | None:
    """A faster way to sign with a key, where there is one: for 2048 bits, as `dkim.new_key` makes them."""
    numbers = key.private_numbers()
    fits = numbers.p.bit_length() == numbers.q.bit_length() == BITS // 2 and numbers.public_numbers.e == _EXPONENT
    library = _library() if fits else None
    return EightAtOnce(library, key) if library is not None else None


def available() -> bool:
    """True if this machine and installation can do it; it is still only done for keys of 2048 bits."""
    return _library() is not None


@cache
def _library() -> ctypes.CDLL | None:
    """The library, if it is installed and this processor has what it needs."""
    try:
        for name in _RUNTIME:
            ctypes.CDLL(_installed("intel-cmplr-lib-rt", name), mode=ctypes.RTLD_GLOBAL)
        library = ctypes.CDLL(_installed("ipp-crypto", "libcrypto_mb.so"))
    except (metadata.PackageNotFoundError, OSError):
        return None
    library.mbx_is_crypto_mb_applicable.argtypes = [ctypes.c_uint64]
    if not library.mbx_is_crypto_mb_applicable(0):
        return None
    library.mbx_rsa_private_crt_mb8.argtypes = [*[_Lanes] * 7, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    library.mbx_rsa_public_mb8.argtypes = [*[_Lanes] * 3, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    library.mbx_rsa_private_crt_mb8.restype = library.mbx_rsa_public_mb8.restype = ctypes.c_uint32
    return library


def _installed(package: str, name: str) -> str:
    """Where pip has put a file of a package."""
    for file in metadata.files(package) or ():
        if file.name == name:
            return str(file.locate())
    raise FileNotFoundError(name)


def _limbs(number: int, bits: int) -> ctypes.Array[Any]:
    """A number as the library has it: 64 bits after 64 bits, the lowest first."""
    return (ctypes.c_uint64 * (bits // 64)).from_buffer_copy(number.to_bytes(bits // 8, "little"))


def _each(buffer: ctypes.Array[ctypes.c_char], count: int) -> ctypes.Array[ctypes.c_void_p]:
    """A pointer to each message of a buffer, for as many lanes as there are messages."""
    start = ctypes.addressof(buffer)
    return _Lanes(*range(start, start + count * _BYTES, _BYTES))
