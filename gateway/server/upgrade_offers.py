"""Ignore the offer of another protocol, which Java's client makes.

httptools would leave the body of that request, and all later requests, unread.
"""

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def feed(connection: HttpToolsProtocol, data: bytes | memoryview) -> None:
    """Parse it for the connection; `HttpParserError` where it is no HTTP."""
    while data:
        try:
            connection.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            _feed_without_offer(connection)
            data = memoryview(data)[upgrade.args[0] :]
        else:
            break


def _feed_without_offer(connection: HttpToolsProtocol) -> None:
    offer = (b"upgrade", b"http2-settings")  # `connection` may ask to close, too.
    lines = [b": ".join(header) for header in connection.headers if header[0] not in offer]
    offered = connection.parser
    version = offered.get_http_version().encode()
    first = b"%b %b HTTP/%b" % (offered.get_method(), connection.url, version)
    connection.parser = HttpRequestParser(connection)
    # As uvicorn does.
    connection.parser.set_dangerous_leniencies(lenient_data_after_close=True)
    connection.parser.feed_data(b"\r\n".join([first, *lines, b"", b""]))
