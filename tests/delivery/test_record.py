import pytest

from hangbot.delivery.record import Step, notify_all


def test_each_listener_is_given_each_step_whatever_another_does(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(step: Step) -> None:
        raise ValueError(step.kind)

    notify = notify_all(
        lambda step: heard.append(f"first {step.kind}"), broken, lambda _: heard.append("last")
    )
    notify(Step("m", 0.0, "accepted"))

    assert heard == ["first accepted", "last"]
    assert caplog.messages == ["[ERROR] a listener failed on a step of m"]
