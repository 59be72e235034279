"""A cohort's file, in any form, whole or cut off, and a job that does not end."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.pulls.amplitude_cohort import POLLS_MAX
from gateway.pulls.pull import Answer, CursorLostError, Item, UnreadableError
from schemas.strictness import Defect
from tests.unit.gateway.pulls.systems import Answering, cohort

READ = '{"request":"r","row":0,"paid":1}'
FOUND = Answer(200, {}, b"")


async def items(file: bytes, directory: Path) -> Sequence[Item]:
    return (await cohort(directory).page(Answering(FOUND, file=file), READ)).items


def members(found: Sequence[Item]) -> list[str]:
    return [json.loads(one.record)["user_id"] for one in found if isinstance(one.record, bytes)]


def table(ids: Sequence[str], line_end: str = "\n", *, quoting: int = csv.QUOTE_ALL) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]  # A constant of csv.
    rows.writerows([["amplitude_id", "user_id"], *([str(n), id_] for n, id_ in enumerate(ids))])
    return text.getvalue().encode()


@given(
    ids=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=6),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    has_mark=st.booleans(),
    is_packed=st.booleans(),
)
async def test_any_ids_are_read_in_any_form_of_the_file(
    ids: list[str],
    line_end: str,
    quoting: int,
    has_mark: bool,
    is_packed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Of the ends of a line, Python's writer quotes only those that it writes (until 3.13).
    assume(quoting == csv.QUOTE_ALL or not any("\r" in id_ for id_ in ids))
    plain = b"\xef\xbb\xbf" * has_mark + table(ids, line_end, quoting=quoting)
    file = gzip.compress(plain) if is_packed else plain
    assert members(await items(file, tmp_path_factory.getbasetemp())) == ids


async def test_a_value_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    """A cohort of computed properties has a column for each; Python's own limit is 131,072."""
    file = b'"user_id","bio"\n"ann","' + b"x" * 500_000 + b'"\n"bob",""\n'
    assert members(await items(file, tmp_path)) == ["ann", "bob"]


async def test_a_packed_file_that_is_cut_off_anywhere_is_not_read(tmp_path: Path) -> None:
    whole = gzip.compress(table([f"user{n}" for n in range(20)]))
    for size in range(len(whole)):
        with pytest.raises(UnreadableError):
            await items(whole[:size], tmp_path)


async def test_a_plain_file_that_is_cut_off_in_a_line_is_not_read(tmp_path: Path) -> None:
    whole = table([f"user{n}" for n in range(20)], "\r\n")
    for size in range(len(whole)):
        if not whole[:size].endswith((b"\n", b"\r")):
            with pytest.raises(UnreadableError):
                await items(whole[:size], tmp_path)


@pytest.mark.parametrize(
    "file",
    [
        *(b"", b"<html></html>\n", b"{}\n", b'"amplitude_id"\n"1"\n', b"\x1f\x8b", b"\x00\n"),
        *(gzip.compress(b"<html></html>\n"), b'"user_id"\n"a\n', b'"user_id"\n"a"b\n'),
        gzip.compress(table(["a", "b"]))[:-9] + b"damaged!!",
        b'"user_id"\n"' + b"a" * 1_000_001 + b'"\n',
    ],
)
async def test_what_is_no_such_file_is_not_read(file: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        await items(file, tmp_path)


async def test_a_row_that_is_odd_harms_no_other(tmp_path: Path) -> None:
    file = (
        b'"amplitude_id","user_id"\n"1","a"\n"2"\n"3","\xff"\n\n"4","b","more"\n"5",""\n"6","c"\n'
    )
    found = await items(file, tmp_path)
    assert members(found) == ["a", "b", "c"]
    assert [one.record for one in found if one.record is None] == [None, None]
    [odd] = [one for one in found if isinstance(one.record, Defect)]
    assert odd.original == b"\xff"


@pytest.mark.parametrize(
    ("answer", "cursor"),
    [
        ((200, "JOB FAILED"), '{"request":"r"}'),
        ((200, ""), '{"request":"r"}'),
        ((202, "JOB INPROGRESS"), json.dumps({"request": "r", "polls": POLLS_MAX})),
    ],
)
async def test_a_job_that_does_not_end_is_asked_for_anew(
    answer: tuple[int, str], cursor: str, tmp_path: Path
) -> None:
    status, said = answer
    body = json.dumps({"request_id": "r", "cohort_id": "c", "async_status": said}).encode()
    with pytest.raises(CursorLostError):
        await cohort(tmp_path).page(Answering(Answer(status, {}, body)), cursor)


async def test_a_job_in_progress_is_asked_after_again(tmp_path: Path) -> None:
    for status in (200, 202):
        answer = Answer(status, {}, b'{"async_status":"JOB INPROGRESS"}')
        page = await cohort(tmp_path).page(Answering(answer), '{"request":"r"}')
        assert page.wait_seconds > 0
        assert page.cursor == '{"request":"r","row":-1,"paid":0,"polls":1}'


class Counting(Answering):
    """Counts the downloads."""

    downloads = 0

    async def download(self, path: str, into: Path) -> Answer:
        self.downloads += 1
        return await super().download(path, into)


async def test_a_page_that_kafka_did_not_take_is_read_again_from_the_file(tmp_path: Path) -> None:
    """A month has 500 downloads; Kafka may be away for long."""
    api, pull = Counting(FOUND, file=table(["a", "b"])), cohort(tmp_path)
    for _ in range(3):
        assert members((await pull.page(api, READ)).items) == ["a", "b"]
    assert api.downloads == 1


async def test_a_file_that_stays_damaged_is_downloaded_less_and_less_often(tmp_path: Path) -> None:
    """Else the month's downloads were used up within two days, and the next month's."""
    api, pull, cursor = Counting(FOUND, file=b""), cohort(tmp_path), READ
    waits: list[float] = []
    for _ in range(20):
        with pytest.raises(UnreadableError):
            await pull.page(api, cursor)
        page = await pull.page(api, cursor)
        assert (page.spends, page.cursor is None) == (1, False)
        cursor, waits = page.cursor or "", [*waits, page.wait_seconds]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] >= 30 * 86_400 / 500
    assert api.downloads == 20


async def test_a_request_whose_id_is_a_number_is_followed(tmp_path: Path) -> None:
    page = await cohort(tmp_path).page(Answering(Answer(202, {}, b'{"request_id":7}')), None)
    assert json.loads(page.cursor or "")["request"] == "7"
