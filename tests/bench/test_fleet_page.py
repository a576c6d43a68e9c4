"""What a fleet costs on paper is what the shipped workers ask in simulation; the page shows both."""

from xml.etree import ElementTree as ET

import pytest

from bench.fleet_page import draw, section
from bench.fleet_traffic import Traffic, on_paper
from bench.fleet_world import FleetRun, simulate_fleet
from hangbot.fleet.lease import LASTS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run() -> FleetRun:
    return simulate_fleet(40, 4)


@pytest.mark.parametrize("part", ["leases", "workers", "looks"])
@pytest.mark.parametrize("what", ["asked", "answered", "bytes_in", "bytes_out"])
def test_what_is_asked_in_simulation_is_what_stands_on_paper(run: FleetRun, part: str, what: str) -> None:
    paper = on_paper(40, 4)[part]

    assert getattr(run.calm[part], what) == pytest.approx(getattr(paper, what), rel=0.1)


def test_nothing_is_asked_that_does_not_stand_on_paper(run: FleetRun) -> None:
    assert set(run.calm) == set(on_paper(40, 4))


def test_of_a_worker_that_is_gone_only_the_rooms_move_and_soon(run: FleetRun) -> None:
    assert run.gone == 1
    assert run.moved == len(run.without_owner_s) > 0
    assert run.without_owner_s[0] > LASTS - 1.7  # it had stored its leases a second before, or less
    assert run.without_owner_s[-1] < LASTS + 1


def test_the_page_has_a_row_and_the_chart_a_dot_for_each_fleet() -> None:
    calm = {part: Traffic(10, 10, 100, 100) for part in ("leases", "looks", "workers")}
    runs = [
        FleetRun(rooms, rooms // 100, 1, 0.1, calm, Traffic(40, 40), (2.5, 3.5), 2) for rooms in (200, 400)
    ]

    text, drawing = section(runs), ET.fromstring(draw(runs))  # noqa: S314  our own text

    for rooms in ("200", "400"):
        assert f"| {rooms} rooms, " in text
    assert "| 400 rooms, 4 workers, 1 gone | 60 | 80 | 3.50 s | 3.50 s | 2 | 2 |" in text
    assert len(drawing.findall(f"{SVG}circle")) == 2 * 3
    assert len(drawing.findall(f"{SVG}polyline")) == 3
