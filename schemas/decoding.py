"""What decoding bytes that somebody else wrote may raise. Pure."""

from typing import Final

import msgspec

NOT_DECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
