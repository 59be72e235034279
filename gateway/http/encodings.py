"""Content encodings: gzip, deflate, br and zstd, decoded piece by piece. Pure.

The output of each encoding is limited while it is produced; the work is linear in input and output.
A decoder takes and returns `_STEP` bytes at a time, so that none buffers, or copies repeatedly,
input that it has not read yet.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, cast

import brotli
import zstandard

ENCODINGS_MAX = 2
MEMBERS_MAX = 1_000  # In one gzip body: each needs a new decoder, even if it is empty.
ZSTD_WINDOW_BYTES = 2**23  # What RFC 8878 asks a decoder to support.
# A decoder of brotli fills its window before the first byte of output: 40 bytes cost 33 ms with the
# largest window, 16 MB, and 10 ms with this one, which is the default of encoders.
BROTLI_WINDOW_BYTES = 2**22
EXPANDED_BYTES_MIN = 1_000_000  # Allowed output of any body, however short.
_STEP = 32_768
_ENDED_EARLY = "it ends too early"


class EncodingError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def encodings_of(header: bytes) -> Sequence[bytes]:
    """The encodings of a body in the order of decoding."""
    names = [name.strip().lower() for name in header.split(b",", 16)]
    names = [name for name in reversed(names) if name not in (b"", b"identity")]
    if any(name not in _DECODERS for name in names):
        raise EncodingError(415, "content encodings are gzip, deflate, br and zstd")
    if len(names) > ENCODINGS_MAX:
        raise EncodingError(415, f"more than {ENCODINGS_MAX} content encodings")
    return names


def window_bytes(encodings: Sequence[bytes]) -> int:
    """Memory of the decoders besides the output."""
    return BROTLI_WINDOW_BYTES * encodings.count(b"br")


def expanded_max(size: int, max_expansion: int, max_body_bytes: int) -> int:
    """How long the output of a body of this size may be, also between two encodings."""
    return min(max_body_bytes, max(size * max_expansion, EXPANDED_BYTES_MIN))


def unpacked(body: bytes, encodings: Sequence[bytes], limit: int) -> Iterator[bytes]:
    """The decoded body in pieces, some of them empty; 413 as soon as it is over the limit."""
    view = memoryview(body)
    pieces: Iterable[bytes] = (
        bytes(view[start : start + _STEP]) for start in range(0, len(body), _STEP)
    )
    for name in encodings:
        pieces = _within(limit, _named(name, _DECODERS[name](pieces)))
    return iter(pieces)


def short_gzip(header: bytes, body: bytes | bytearray, limit: int) -> bytes | None:
    """The text of one whole member, if it has at most so many bytes; of all else `unpacked` tells.

    A body of a few events, as SDKs send them, is decoded in two thirds of the time.
    """
    if _DECODERS.get(header.strip().lower()) is not _gzip:
        return None
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = decoder.decompress(body, limit)
    except zlib.error:
        return None
    return text if decoder.eof and not decoder.unused_data else None


def _within(limit: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise EncodingError(413, f"decompressed, the body is larger than {limit} bytes")
        yield piece


def _named(name: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
        raise EncodingError(400, f"the body is not {name.decode()}: {error}") from error


def _gzip(packed: Iterable[bytes]) -> Iterator[bytes]:
    """All members of it: `cat a.gz b.gz` is gzip, too."""
    decoder, members = None, 0
    for piece in packed:
        rest = piece
        while rest:
            if decoder is None:
                members += 1
                if members > MEMBERS_MAX:
                    raise EOFError(f"it has more than {MEMBERS_MAX} members")
                decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield from _inflated(decoder, rest)
            rest = decoder.unused_data
            if decoder.eof:
                decoder = None
    if decoder is not None or not members:
        raise EOFError(_ENDED_EARLY)


def _deflate(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Deflate with zlib's header, as RFC 9110 says, or without it, as some clients send it."""
    pieces = iter(packed)
    first = next(pieces, b"")
    decoder = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(first) else -zlib.MAX_WBITS)
    for piece in chain([first], pieces):
        if decoder.eof:
            raise EOFError("something follows its end")
        yield from _inflated(decoder, piece)
        if decoder.unused_data:
            raise EOFError("something follows its end")
    if not decoder.eof:
        raise EOFError(_ENDED_EARLY)


def _has_zlib_header(start: bytes) -> bool:
    """RFC 1950 §2.2; without it these bits were a stored block's padding, which is zero."""
    return start[:1] == b"\x78" or (
        len(start) > 1 and start[0] & 15 == 8 and (start[0] << 8 | start[1]) % 31 == 0
    )


def _inflated(decoder: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
    """The output for this piece; there may be more even if all input was taken."""
    text = decoder.decompress(piece, _STEP)
    yield text
    while not decoder.eof and (decoder.unconsumed_tail or len(text) == _STEP):
        text = decoder.decompress(decoder.unconsumed_tail, _STEP)
        yield text


def _brotli(packed: Iterable[bytes]) -> Iterator[bytes]:
    decoder, pieces = brotli.Decompressor(), iter(packed)
    first = next(pieces, b"")
    if first and first[0] & 15 in _BROTLI_WIDE:
        raise EOFError(f"its window is larger than {BROTLI_WINDOW_BYTES} bytes")
    for piece in chain([first], pieces):
        if decoder.is_finished():
            raise EOFError("something follows its end")
        yield decoder.process(piece, output_buffer_limit=_STEP)
        while not decoder.is_finished() and (
            (text := decoder.process(b"", output_buffer_limit=_STEP))
            or not decoder.can_accept_more_data()
        ):
            yield text
    if not decoder.is_finished():
        raise EOFError(_ENDED_EARLY)


_BROTLI_WIDE = (13, 15)  # 2**23 and 2**24 (RFC 7932 §9.1).


def _zstd(packed: Iterable[bytes]) -> Iterator[bytes]:
    """All frames of it. The reader does not report a frame that was cut short: then the output of
    the frame that we add at the end is missing."""
    pieces = iter(packed)
    first = next(pieces, b"")
    if not first:
        raise EOFError(_ENDED_EARLY)
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    # The stubs want a whole file; only `read` is called.
    source = cast("IO[bytes]", _Source(_with_end(chain([first], pieces))))
    held = b""
    with decoder.stream_reader(source, read_size=_STEP, read_across_frames=True) as reader:
        while text := reader.read(_STEP):
            text = held + text
            held = text[-len(_END) :]
            yield text[: -len(_END)]
    if held != _END:
        raise EOFError(_ENDED_EARLY)


_END = b"\0the end of a body\0"
_END_FRAME = zstandard.ZstdCompressor(write_checksum=True).compress(_END)


def _with_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The frame at the end comes with the last byte before it: of a header cut short, libzstd may
    forget what it has read once its next input is a whole frame (`ZSTD_decompressStream`, where a
    frame is undone in one pass)."""
    last = b""
    for piece in filter(None, pieces):
        yield last
        last = piece
    yield last[:-1]
    yield last[-1:] + _END_FRAME


class _Source:
    """A file of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int) -> bytes:
        """The next piece, which is never longer than a step; empty only at the end."""
        return next(filter(None, self._pieces), b"")


_DECODERS: Mapping[bytes, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
