from hangbot.delivery.counting import count_steps
from hangbot.delivery.record import Settlement, Step
from hangbot.figures import MOST_SERIES, Counter, Figures, Histogram, Moment


def test_steps_of_delivery_become_figures() -> None:
    figures = Figures()
    count = count_steps(figures, "chat")
    story = [
        Step("m", 0.0, "accepted"),
        Step("m", 0.0, "attempt", 1),
        Step("m", 0.0, "answer", 1, "AckTimeout: no answer", 10.0, cause="AckTimeout"),
        Step("m", 0.0, "waiting", 1, "1.0 s", 1.0, cause="AckTimeout"),
        Step("m", 0.0, "waiting", 1, "held up by the rate"),
        Step("m", 0.0, "attempt", 2),
        Step("m", 0.0, "answer", 2, "acknowledged", 0.3),
        Step("m", 0.0, "settled", 2, settlement=Settlement("delivered", 2, 2)),
        Step("n", 0.0, "settled", 1, settlement=Settlement("uncertain", None, 1)),
    ]

    for step in story:
        count(step)

    assert figures.accepted.values()[()] == 1
    assert figures.attempts.values() == {("chat",): 2, ("room",): 0}
    assert figures.retries.values() == {("chat", "AckTimeout"): 1}
    settled = {labels: count for labels, count in figures.settled.values().items() if count}
    assert settled == {("chat", "2"): 1, ("chat", "uncertain"): 1}
    ((labels, counts, total),) = figures.ack_seconds.values()
    assert (labels, sum(counts), total) == (("chat",), 1, 0.3)


def test_a_time_falls_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram("x_seconds", "X.", buckets=(0.1, 1.0))

    for seconds in (0.05, 0.1, 0.5, 2.0):
        histogram.observe(seconds)

    assert list(histogram.values()) == [((), [2, 1, 1], 2.65)]


def test_the_age_of_what_never_was_is_not_known() -> None:
    moment = Moment("x_age_seconds", "X.", "path")

    moment.mark(10.0, "room")

    assert moment.ages(12.5) == {("room",): 2.5}


def test_labels_without_end_take_no_room_without_end() -> None:
    counter, moment = Counter("x_total", "X.", "reason"), Moment("x_age_seconds", "X.", "reason")
    histogram = Histogram("x_seconds", "X.", "reason", buckets=(1.0,))

    for number in range(MOST_SERIES + 5):
        counter.count(str(number))
        moment.mark(1.0, str(number))
        histogram.observe(0.5, str(number))

    assert (len(counter.values()), counter.values()["other",]) == (MOST_SERIES + 1, 5)
    assert len(moment.ages(1.0)) == len(list(histogram.values())) == MOST_SERIES + 1
