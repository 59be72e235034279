"""The lines of a file, whatever is in it."""

from io import BytesIO

from ampgate.send.lines import LINE_BYTES_MAX, BadLine, Line, read_lines


def test_of_a_line_without_end_no_more_is_read_than_a_record_may_have() -> None:
    """As a file that is one JSON array: it would fill the memory."""
    endless = BytesIO(b"[" * (LINE_BYTES_MAX + 3_000_000) + b'\n{"user_id":"a","insert_id":"1"}\n')
    [bad, good] = read_lines(endless)
    assert (bad.number, isinstance(bad, BadLine)) == (1, True)
    assert (good.number, isinstance(good, Line)) == (2, True)
