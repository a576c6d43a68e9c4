"""What a report is drawn and counted from: pure functions."""

import base64
import re
from itertools import chain
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot import Settlement, Step
from pytest_hangfm.reporting.failure import as_html, headline, picture, said_once
from pytest_hangfm.reporting.labels import labels_of
from pytest_hangfm.reporting.metrics import Measures, measures_of, percentile
from pytest_hangfm.reporting.run_info import executor
from pytest_hangfm.reporting.table import event_table
from pytest_hangfm.reporting.timeline import MOST_ROWS, MOST_STEPS, duration, timeline
from tests.cases import cases

SVG = "{http://www.w3.org/2000/svg}"
T0 = 1_800_000_000.0
GIVEN_UP = Settlement("failed", 3, 2, "given up after 2 attempts: no answer in 10 s")
DELIVERED = Settlement("delivered", 1, 1)


STORY = [
    *("m-1", "accepted", "sent +0 ms", "10 s", "AckTimeout", "waits", "1.1 s"),
    *("asked: it did not arrive", "retry 1 +11.1 s", "failed · tier 3"),
]


def tier_3(key: str = "m-1") -> list[Step]:
    return [
        Step(key, T0, "accepted"),
        Step(key, T0, "attempt", 1),
        Step(key, T0 + 10, "answer", 1, "AckTimeout: no answer in 10 s", 10.0),
        Step(key, T0 + 10, "waiting", 1, seconds=1.1),
        Step(key, T0 + 11.1, "asked", 1, "it did not arrive"),
        Step(key, T0 + 11.1, "attempt", 2),
        Step(key, T0 + 21.1, "answer", 2, "AckTimeout: no answer in 10 s", 10.0),
        Step(key, T0 + 21.1, "settled", 2, "given up", settlement=GIVEN_UP),
    ]


def tier_1(key: str = "m-1", seconds: float = 0.004) -> list[Step]:
    return [
        Step(key, T0, "attempt", 1),
        Step(key, T0 + seconds, "answer", 1, "acknowledged", seconds),
        Step(key, T0 + seconds, "settled", 1, "tier 1", settlement=DELIVERED),
    ]


def words(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  our own


@cases(
    "steps said",
    ("what was sent, awaited, asked, and how it ended", tier_3(), STORY),
    ("no end yet", tier_1()[:1], ["sent +0 ms", "not ended"]),
    ("taken up again by hand", [*tier_3(), *tier_1()], ["failed · tier 3", "delivered · tier 1"]),
    (
        "too many to be drawn",
        [*chain(*map(tier_1, map(str, range(MOST_ROWS + 5))))],
        ["… and 5 more messages"],
    ),
)
def test_a_timeline_says_what_became_of_each_message(steps: list[Step], said: list[str]) -> None:
    found = words(timeline(steps))

    assert [word for word in said if word not in found] == []


def test_a_message_that_is_tried_for_ever_ends_in_a_picture_of_bounded_width() -> None:
    steps = [Step("m-1", T0 + number, "attempt", number) for number in range(10 * MOST_STEPS)]
    end = Step("m-1", T0 + 1000, "settled", 9, settlement=GIVEN_UP)

    drawn = ET.fromstring(timeline([*steps, end]))  # noqa: S314  our own

    assert float(drawn.attrib["width"]) < 5000
    assert "failed · tier 3" in words(timeline([*steps, end]))


def test_without_a_step_the_picture_is_empty() -> None:
    assert ET.fromstring(timeline([])).tag == f"{SVG}svg"  # noqa: S314  our own


def test_a_run_by_hand_has_no_link() -> None:
    assert executor({}) == {"name": "by hand", "type": "local", "reportName": "hangbot"}


kinds = st.sampled_from(["accepted", "attempt", "answer", "waiting", "asked", "settled"])
steps_of_all_kinds = st.lists(
    st.builds(
        Step,
        id=st.sampled_from(["a", "<b>&\"'", "ü" * 60]),
        at=st.floats(T0, T0 + 1e6),
        kind=kinds,
        attempt=st.integers(0, 9),
        detail=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
        seconds=st.floats(0, 1e5),
        settlement=st.sampled_from([None, GIVEN_UP, DELIVERED]),
    ),
    max_size=30,
)


@given(steps_of_all_kinds)
def test_whatever_is_told_the_picture_is_well_formed_and_nothing_stands_outside(steps: list[Step]) -> None:
    drawn = ET.fromstring(timeline(steps))  # noqa: S314  our own

    width = float(drawn.attrib["width"])
    assert all(0 <= float(box.attrib["x"]) <= width for box in drawn.iter(f"{SVG}rect"))
    assert event_table(steps).count("<tr>") == len(steps) + 1


def test_what_a_message_says_cannot_break_the_table() -> None:
    page = event_table([Step("<script>", T0, "answer", 1, "<img src=x>", 0.5)])

    assert "<script>" not in page
    assert "<img" not in page
    assert "500 ms" in page


@cases(
    "seconds shown",
    ("nothing", 0.0, "0 ms"),
    ("milliseconds", 0.0034, "3 ms"),
    ("seconds", 1.1, "1.1 s"),
    ("round", 10.0, "10 s"),
    ("minutes", 125.0, "2 min 5 s"),
)
def test_a_duration_is_as_short_as_it_can_be_read(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_run_is_measured_over_all_its_tests() -> None:
    run = Measures()
    run.add(measures_of(tier_1(seconds=0.004)))
    run.add(measures_of(tier_1(seconds=0.010)))
    run.add(measures_of([Step("m-9", T0, "settled", settlement=Settlement("delivered", 2, 1))]))
    run.add(measures_of(tier_3()))

    acks = {"hangfm.ack.p50": 4.0, "hangfm.ack.p95": 10.0, "hangfm.ack.max": 10.0}
    assert run.values() == acks | {"hangfm.first_try": 66.7, "hangfm.delivered": 3}


def test_a_planned_fault_and_a_clock_that_is_moved_count_neither_way() -> None:
    run = Measures()
    run.add(measures_of(tier_3(), disturbed=True))
    run.add(measures_of(tier_1(seconds=0.0), disturbed=True))

    assert run.values() == {}


@cases("share value", ("0", 0.0, 1.0), ("50", 0.5, 5.0), ("95", 0.95, 10.0), ("100", 1.0, 10.0))
def test_a_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(10, 0, -1)], share) == value


@cases(
    "nodeid markers place",
    ("check", "checks/test_chat.py::test_x", {"preflight"}, ("Preflight", "Chat", "", "blocker")),
    ("wheel", "pytest_hangfm/checks/test_chat.py::t", {"preflight"}, ("Preflight", "Chat", "", "blocker")),
    ("stage", "stages/test_ack_retry.py::test_x[a::b]", {"stage"}, ("Stages", "ACK retry", "", "critical")),
    ("test", "tests/sandbox/room/test_roles.py::t", set(), ("Tests", "Sandbox / Room", "Roles", "normal")),
    ("no-folder", "test_bot.py::test_x", {"live"}, ("Tests", "Bot", "", "normal")),
)
def test_a_test_stands_where_its_marks_say(nodeid: str, markers: set[str], place: tuple[str, ...]) -> None:
    found = labels_of(nodeid, markers)

    assert (found.epic, found.feature, found.story, found.severity) == place


TRACE = """    async def test_it(hangfm_acks):
>       hangfm_acks.assert_delivered("m-1", tier=1)
E       Failed: m-1 was to be delivered in tier 1
E            +0.000 s  accepted
E            +0.081 s  settled: tier 2

test_it.py:9: Failed"""
MESSAGE = """Failed: m-1 was to be delivered in tier 1
     +0.000 s  accepted
     +0.081 s  settled: tier 2"""


def test_an_error_is_said_once_its_place_stays_and_its_deliveries_are_left_to_the_picture() -> None:
    trace = said_once(MESSAGE, TRACE)

    assert headline(MESSAGE) == "Failed: m-1 was to be delivered in tier 1"
    assert "tier=1)" in trace
    assert trace.endswith("test_it.py:9: Failed")
    assert "was to be" not in trace
    assert "settled" not in trace


def test_what_an_error_does_not_say_itself_stays_in_its_traceback() -> None:
    first = "E   ValueError: another before it"
    trace = f">   assert 1 == 2\nE   assert 1 == 2\n{first}\nEnd of it"

    kept = said_once("AssertionError: assert 1 == 2", trace)

    assert kept == f">   assert 1 == 2\n{first}\nEnd of it"
    assert headline("     +0.000 s  accepted") == "     +0.000 s  accepted"  # nothing else is left to show


@pytest.mark.parametrize("deliveries", [1, 3, 8])
def test_a_picture_holds_the_timeline_and_is_never_smaller_than_drawn(deliveries: int) -> None:
    drawn = timeline([step for _ in range(deliveries) for step in tier_3()])

    image = picture(drawn)

    held = re.search('base64,([^"]+)', image)
    assert held is not None
    assert base64.b64decode(held[1]).decode() == drawn
    shown, own = (int(re.findall(r'width="(\d+)"', each)[0]) for each in (image, drawn))
    assert shown == max(own, min(round(own * 1.25), 800))


def test_a_description_on_a_page_is_escaped_but_for_what_is_bold() -> None:
    page = as_html(["**If it fails:** ask <b>them</b>", "", "and\nwait"])

    assert "<b>If it fails:</b> ask &lt;b&gt;them" in page
    assert page.count("<p ") == 2
    assert "and\nwait" in page
