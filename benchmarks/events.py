"""Events as SDKs send them: about 600 bytes, of a million users, without an `ip`.

With few users a key's partition would be known already, and with an `ip` nothing would have to be
added to an event: both flatter.
"""

import time

KEY = "bench"
USERS = 1_000_000
STEP = 7919  # From one event's user to the next one's.
TEMPLATE = (
    '{"user_id":"user-%06d@example.org","device_id":"%s","event_type":"Product Viewed",'
    '"time":%d,"insert_id":"00000000-0000-0000-0000-%012x","session_id":%d,'
    '"event_id":%d,"platform":"Web","os_name":"Chrome",'
    '"os_version":"131","language":"en-US","country":"Germany",'
    '"app_version":"4.12.1","library":"amplitude-ts/2.11.1","event_properties":{'
    '"product_id":"sku-%d","category":"shoes/running","price":%d.95,"currency":"EUR",'
    '"in_stock":true,"page":"/shop/shoes/running?sort=price","colors":["red","blue"]},'
    '"user_properties":{"plan":"premium","cohort":"2026-w03"}}'
)


def event(number: int, users: int = USERS) -> tuple[bytes, bytes]:
    """The record's key and the event; no two numbers give the same `insert_id`."""
    user = number * STEP % users
    now = int(time.time() * 1000)
    device = f"6f1c2d3e-0000-4000-8000-{user:012d}"
    ids = (now, number, now - 60_000, number)
    text = TEMPLATE % (user, device, *ids, number % 5000, number % 200)
    return b"user-%06d@example.org" % user, text.encode()
