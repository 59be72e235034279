"""The proxy for a URL, from the environment, for both HTTP clients. Pure.

`HTTPS_PROXY` or `HTTP_PROXY` by the URL's scheme, else `ALL_PROXY`; `NO_PROXY` names hosts without
a proxy. Lower-case names come first, as in curl. The clients read no environment themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from schemas.configuration.config import ConfigError

SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None; `ConfigError` for one that cannot be used."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    for variable in (f"{parts.scheme}_proxy", "all_proxy"):
        proxy = _value(variable, environment)
        if proxy:
            if any(one.matches(host, port) for one in _exceptions(environment)):
                return None
            return _usable(proxy, variable)
    return None


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of `NO_PROXY`: `*`, a network, an address or a name; perhaps of one port only."""

    host: str
    network: IPv4Network | IPv6Network | None
    port: int | None

    def matches(self, host: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.host == "*":
            return True
        try:
            address = ip_address(host)
        except ValueError:
            name = host.lower().rstrip(".")
            return self.network is None and (name == self.host or name.endswith(f".{self.host}"))
        return self.network is not None and address in self.network


def _exceptions(environment: Mapping[str, str]) -> Iterator[_Exception]:
    for entry in _value("no_proxy", environment).replace(",", " ").split():
        host, port = _host_and_port(entry.lower())
        try:
            network = ip_network(host, strict=False)
        except ValueError:
            network = None
        host = host if host == "*" else host.removeprefix("*").strip(".")
        if host:
            yield _Exception(host, network, port)


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """`example.com:8080`, `[::1]:8080`, `::1`, `10.0.0.0/8`."""
    host, colon, port = entry.rpartition(":")
    is_bare_ipv6 = ":" in host and not host.endswith("]")
    if not colon or is_bare_ipv6 or not (port.isascii() and port.isdecimal() and len(port) < 6):
        return entry.strip("[]"), None
    return host.strip("[]"), int(port)


def _usable(proxy: str, variable: str) -> str:
    """With its scheme: without one, `http` is meant."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:  # It may hold a password, so the error does not quote it.
        schemes = ", ".join(SCHEMES)
        raise ConfigError(f"{variable.upper()}: no URL of a proxy; its scheme is one of {schemes}")
    return url


def _value(variable: str, environment: Mapping[str, str]) -> str:
    return (environment.get(variable) or environment.get(variable.upper()) or "").strip()
