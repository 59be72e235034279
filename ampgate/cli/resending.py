"""What both kinds of replay say of a record that cannot be sent again."""

from ampgate.cli.printing import errors, printable
from ampgate.resend.parking import Outgoing


def say_refused(record: Outgoing, why: str) -> None:
    said = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    origin = said.get("origin") or said.get("letter") or record.topic
    errors.print(printable(f"{origin}: not sent again: {why}"), style="red", markup=False)
