"""Whatever happens to a spool in whatever order, its events reach the store exactly once."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from outreach.events import Kind
from outreach.store import tables
from outreach.store.database import Store
from tracking import forms
from tracking.loader import Loader
from tracking.spool import Hit, Spool

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=8)),
        st.tuples(st.sampled_from(["load", "another loader", "crash", "ship twice"]), st.none()),
    ),
    max_size=12,
)


@given(STEPS)
def test_every_recorded_event_is_loaded_exactly_once(steps: list[tuple[str, list[Kind] | None]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in empty_databases().items():
            (folder / file).write_bytes(content)
        store = Store.open(f"sqlite:///{folder}/outreach.db")
        recorded = asyncio.run(play(folder / "spool", store, steps))
        Loader(store, folder / "spool").run_once()
        with store.read() as main, store.read_events() as events:
            found = [
                *main.execute(select(tables.feedback.c.subscriber_id)).scalars(),
                *events.execute(select(tables.event.c.subscriber_id)).scalars(),
            ]
        store.close()
    assert sorted(found) == recorded


@cache
def empty_databases() -> dict[str, bytes]:
    """The files of a store without rows: making the tables anew would take longer than all the rest."""
    with tempfile.TemporaryDirectory() as name:
        store = Store.open(f"sqlite:///{name}/outreach.db")
        tables.main.create_all(store.main)
        tables.events.create_all(store.events)
        store.close()
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


async def play(folder: Path, store: Store, steps: list[tuple[str, list[Kind] | None]]) -> list[int]:
    """Do the steps; the numbers of the subscribers whose events were acknowledged."""
    spool = Spool(folder)
    loader = Loader(store, folder)
    number = 0
    for step, kinds in steps:
        if kinds is not None:
            for kind in kinds:
                number += 1
                await spool.record(Hit(kind, 0, 1, number))
        elif step == "load":
            loader.run_once()
        elif step == "another loader":
            loader = Loader(store, folder)
        elif step == "crash":
            await spool.close()
            spool = Spool(folder)
        else:  # the same file comes again, as after restoring a replica's folder
            ship_twice(folder, spool.id)
    await spool.close()
    return list(range(1, number + 1))


def ship_twice(folder: Path, spool_id: str) -> None:
    source = sqlite3.connect(folder / f"{spool_id}.spool")
    copy = sqlite3.connect(folder / f"{spool_id}.9.spool")
    source.backup(copy)
    source.close()
    copy.close()


@given(content=st.binary(max_size=400), content_type=st.one_of(st.binary(max_size=80), st.sampled_from([
    b"multipart/form-data; boundary=cut", b"application/x-www-form-urlencoded", b"multipart/form-data",
    b'multipart/form-data; boundary="', b"multipart/form-data; boundary=cut; charset=\xff",
])))  # fmt: skip
def test_reading_a_form_never_raises(content: bytes, content_type: bytes) -> None:
    assert all(isinstance(value, str) for value in forms.fields(content, content_type).values())


@given(name=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), value=st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), max_size=40))  # fmt: skip
def test_multipart_and_urlencoded_say_the_same(name: str, value: str) -> None:
    multipart = f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--cut--\r\n'.encode()
    assert forms.fields(multipart, b"multipart/form-data; boundary=cut") == {name: value}
