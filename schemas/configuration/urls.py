"""URLs of destinations: only those that both HTTP clients parse the same way. Pure."""

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
HOST_LENGTH_MAX = 253


def usable_url(url: str) -> str:
    """The URL without a slash at its end; `ValueError` if it cannot be used."""
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        raise ValueError("must be ASCII without spaces: a name in another script begins with xn--")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # A port above 65535, an IPv6 address without its bracket.
        raise ValueError(f"is no URL: {error}") from error
    if "@" in parts.netloc:
        raise ValueError("must not have a user or a password")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or a fragment: paths are added to it")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("its port must be 1 to 65535")
    if not _is_host(parts.hostname or "", is_literal="[" in parts.netloc):
        raise ValueError("its host must be a name or an address")
    steps = parts.path.lower().replace("%2e", ".").split("/")
    if not _PATH.fullmatch(parts.path) or {".", ".."} & set(steps):
        raise ValueError("its path must be plain: letters, digits and .~-_%")
    return url.rstrip("/")


def _is_host(host: str, *, is_literal: bool) -> bool:
    if is_literal:
        return "%" not in host and _is_address(IPv6Address, host)
    labels = host.removesuffix(".").split(".")
    if labels[-1][:1].isdigit():  # A name never ends so: clients read it as an address.
        return _is_address(IPv4Address, host)
    return len(host) <= HOST_LENGTH_MAX and all(map(_is_label, labels))


def _is_address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    try:  # A label in another script must be valid Punycode.
        return label[:4].lower() != "xn--" or label.lower() == _reencoded(label)
    except UnicodeError:
        return False


def _reencoded(label: str) -> str:
    return label.encode().decode("idna").encode("idna").decode()
