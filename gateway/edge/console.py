"""`/console`: where the console is. It is a process of its own, which no edge needs."""

from html import escape

from schemas.configuration.config import Console

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The console has moved</title>
<h1>The console is a process of its own</h1>
<p>From the machine that runs it, it is at <a href="{url}">{url}</a>.</p>
<p><code>ampgate console</code> starts it.</p>
</html>
"""


def page_of(console: Console) -> str:
    host = "127.0.0.1" if console.host in ("0.0.0.0", "::") else console.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{console.port}/"
    return PAGE.format(url=escape(url))
