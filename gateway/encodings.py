"""Content encodings: gzip, deflate, br and zstd, undone within a limit. Pure."""

import zlib
from collections.abc import Callable, Mapping

import brotli
import zstandard

ENCODINGS_MAX = 3
MEMBERS_MAX = 1_000  # Of one gzip or zstd body: each costs, however little is in it.
ZSTD_WINDOW_BYTES = 2**23  # What RFC 8878 asks a decoder to support.
_STEP = 65_536


class EncodingError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def decompressed(body: bytes, encoding: bytes, limit: int) -> bytes | None:
    """Undo the encodings, the last one first; None as soon as one gives more than the limit."""
    names = [name.strip().lower() for name in encoding.split(b",")]
    if len(names) > ENCODINGS_MAX:
        raise EncodingError(415, f"more than {ENCODINGS_MAX} content encodings")
    for name in reversed(names):
        if name in (b"", b"identity"):
            continue
        undo = _DECODERS.get(name)
        if undo is None:
            raise EncodingError(415, "content encodings are gzip, deflate, br and zstd")
        try:
            body = undo(body, limit)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise EncodingError(400, f"the body is not {name.decode()}: {error}") from error
        if len(body) > limit:
            return None
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    """All members of it: `cat a.gz b.gz` is gzip, too."""
    plain, view, members = bytearray(), memoryview(body), 0
    while members == 0 or view:
        if members == MEMBERS_MAX:
            raise EOFError(f"it has more than {MEMBERS_MAX} members")
        members += 1
        read = _inflate(view, plain, limit, 16 + zlib.MAX_WBITS)
        if len(plain) > limit:
            break
        view = view[read:]
    return bytes(plain)


def _deflate(body: bytes, limit: int) -> bytes:
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):  # Some send it without zlib's header.
        plain = bytearray()
        try:
            read = _inflate(memoryview(body), plain, limit, bits)
        except zlib.error:
            if bits < 0:
                raise
            continue
        break
    if len(plain) <= limit and read < len(body):
        raise EOFError("something follows its end")
    return bytes(plain)


def _inflate(body: memoryview, plain: bytearray, limit: int, bits: int) -> int:
    """Add one stream's text to `plain`, at most one byte beyond the limit; how much was read."""
    decoder = zlib.decompressobj(bits)
    for start in range(0, len(body), _STEP):
        piece: bytes | memoryview = body[start : start + _STEP]
        while piece and len(plain) <= limit:
            plain += decoder.decompress(piece, limit + 1 - len(plain))
            piece = decoder.unconsumed_tail
        if len(plain) > limit:
            return len(body)
        if decoder.eof:
            return min(start + _STEP, len(body)) - len(decoder.unused_data)
    raise EOFError("it ends too early")


def _brotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    plain = bytearray(decoder.process(body, output_buffer_limit=limit + 1))
    while len(plain) <= limit and not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=_STEP)
        if not piece and not decoder.is_finished():
            raise EOFError("it ends too early")
        plain += piece
    return bytes(plain)


def _zstd(body: bytes, limit: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    plain = bytearray()
    with decoder.stream_reader(body, read_across_frames=True) as reader:
        while len(plain) <= limit and (piece := reader.read(_STEP)):
            plain += piece
    if len(plain) <= limit:
        # The reader is silent about a body cut short; by now a second look is known to be small.
        _require_whole_frames(decoder, body)
    return bytes(plain)


def _require_whole_frames(decoder: zstandard.ZstdDecompressor, body: bytes) -> None:
    for _ in range(MEMBERS_MAX):
        frame = decoder.decompressobj()
        frame.decompress(body)
        if not frame.eof:
            raise EOFError("it ends too early")
        body = frame.unused_data
        if not body:
            return
    raise EOFError(f"it has more than {MEMBERS_MAX} frames")


_DECODERS: Mapping[bytes, Callable[[bytes, int], bytes]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
