import json
from pathlib import Path

from hangbot.journal import SILENT, Journal, Snapshot, rows
from hangbot.redact import MASK, Redactor
from tests.rng import FixedRng


def _kept(journal: Journal, *secrets: str) -> list[dict[str, object]]:
    return list(rows(journal.read(), Redactor(secrets)))


def test_what_is_kept_is_bounded_and_begins_with_how_things_stood() -> None:
    now = [0.0]
    journal = Journal(lambda: now[0], largest=64_000)
    journal.snapshot = lambda: Snapshot({"allUsers": [{"uuid": str(now[0])}]}, {"group_g": int(now[0])})
    journal.opened(7, "room")

    sizes = []
    for second in range(2_000):
        now[0] = float(second)
        journal.add("in", 7, json.dumps({"context": "user", "second": second, "room": "x" * 100}))
        sizes.append(journal.size)
    first, *others = _kept(journal)

    assert max(sizes) <= 64_000
    assert journal.size > 32_000
    begun = others[0]["json"]["second"]  # type: ignore[index]  # a frame of above
    assert first["heard"] == {"group_g": begun}
    assert first["room"] == {"allUsers": [{"uuid": f"{begun}.0"}]}
    assert first["open"] == ["room"]
    assert first["lost"] == begun + 1  # with the opening
    assert others[-1]["json"]["second"] == 1_999  # type: ignore[index]  # see above


def test_what_is_older_than_ten_minutes_goes_but_the_answers_that_a_start_needs() -> None:
    now = [0.0]
    journal = Journal(lambda: now[0])
    journal.add("request", 1, "chat", "GET", b"/v3.0/me", b"")
    journal.add("answer", 1, 200, {}, b'{"data":{}}')
    journal.add("request", 2, "chat", "POST", b"/v3.0/messages", b"{}")
    journal.add("answer", 2, 201, {}, b'{"data":{}}')

    for now[0] in (90.0, 180.0, 800.0):
        journal.add("chance", "room", now[0])

    assert [(row["kind"], row.get("before"), row.get("target")) for row in _kept(journal)[1:]] == [
        ("request", True, "/v3.0/me"),
        ("answer", True, None),
        ("chance", None, None),
        ("chance", None, None),
    ]


def test_of_what_is_no_longer_kept_the_messages_that_had_not_ended_are() -> None:
    now = [0.0]
    journal = Journal(lambda: now[0])
    for key in ("ends-at-once", "ends-later", "does-not-end"):
        journal.said(key, "group", f"says {key}", direct=False)
    journal.add("step", "ends-at-once", "settled", 1, "", "delivered", 1)
    now[0] = 90.0
    journal.add("step", "ends-later", "settled", 1, "", "delivered", 1)

    for now[0] in (650.0, 720.0):
        journal.add("began")
    before_the_end = [row["id"] for row in _kept(journal) if row.get("before")]
    now[0] = 1_300.0
    journal.add("began")
    after_it = [row["id"] for row in _kept(journal) if row.get("before")]

    assert before_the_end == ["ends-later", "does-not-end"]
    assert after_it == ["does-not-end"]


def test_what_cannot_be_packed_is_kept_all_the_same() -> None:
    journal = Journal(lambda: 0.0, largest=64_000)
    journal.add("acted", "updateRoom", {"design": Path("stage")})

    for number in range(20):
        journal.add("in", 1, str(number))

    acted, *frames = _kept(journal)[1:]
    assert acted["params"] == {"design": Path("stage")}
    assert [row["json"] for row in frames] == list(range(20))


def test_a_message_is_said_once_and_a_frame_larger_than_all_the_rest_is_named_by_its_length() -> None:
    journal = Journal(lambda: 0.0, largest=10_000)

    journal.said("m-1", "group", "hello", direct=False)
    journal.said("m-1", "group", "hello", direct=False)
    journal.add("in", 1, "x" * 20_000)

    said, large = _kept(journal)[1:]
    assert said["kind"] == "said"
    assert large["text"] == "<20000 characters, too many to keep>"


def test_large_frames_push_out_what_was_before_and_never_more_is_kept_than_may_be() -> None:
    journal = Journal(lambda: 0.0, largest=64_000)

    sizes = []
    for number in range(40):
        journal.add("in", 1, str(number) + "x" * (30_000 if number % 3 == 0 else 1_000))
        sizes.append(journal.size)
    kept = [str(row["text"]).partition("x")[0] for row in _kept(journal)[1:]]

    assert max(sizes) <= 64_000
    assert kept == [str(number) for number in range(40 - len(kept), 40)]
    assert len(kept) > 1


def test_a_connection_that_was_closed_is_not_open_in_what_is_kept_later() -> None:
    now = [0.0]
    journal = Journal(lambda: now[0])
    journal.opened(1, "room")
    journal.opened(2, "chat")

    journal.closed(1, theirs=True, code=1001, reason="")
    now[0] = 700.0
    journal.add("began")
    now[0] = 1_400.0
    journal.add("began")

    assert _kept(journal)[0]["open"] == ["chat"]


def test_secrets_are_masked_when_it_is_read() -> None:
    journal = Journal(lambda: 0.0)
    secret = "hunter2-hunter2"
    journal.add("request", 1, "chat", "GET", f"/v3.0/me?authToken={secret}".encode(), b"")
    journal.add(
        "answer", 1, 200, {"x-echo": secret}, json.dumps({"data": {"jwt": "a.b.c", "t": secret}}).encode()
    )
    journal.add("in", 2, f"not JSON: {secret}")
    journal.add("out", 2, json.dumps({"type": "auth", "body": {"auth": "of-no-known-shape"}}))

    written = json.dumps(_kept(journal, secret))

    assert secret not in written
    assert "of-no-known-shape" not in written
    assert written.count(MASK) == 6


def test_a_silent_journal_keeps_nothing() -> None:
    SILENT.add("in", 1, "a frame")
    SILENT.said("m-1", "group", "hello", direct=False)

    assert _kept(SILENT)[1:] == []


def test_what_was_drawn_can_be_drawn_again() -> None:
    journal = Journal(lambda: 0.0)
    chance = journal.noted(journal.noted(FixedRng(0.25), "other"), "room")

    drawn = chance.random(), chance.getrandbits(128)

    rows = _kept(journal)[1:]
    assert [(row["whose"], row.get("number"), row.get("hex")) for row in rows] == [
        ("room", drawn[0], None),
        ("room", None, f"{drawn[1]:032x}"),
    ]
