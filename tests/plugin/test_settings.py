"""The settings that tests get on the sandbox."""

from hangbot import Settings

TEN_TIMES_SLOWER = 10.0


def test_no_time_out_runs_out_because_a_machine_gives_the_test_no_time(hangfm_settings: Settings) -> None:
    time_outs = (
        hangfm_settings.ack_timeout,
        hangfm_settings.connect_timeout,
        hangfm_settings.welcome_timeout,
    )

    # On such a machine an answer that takes milliseconds has been seen to take more than five seconds.
    assert min(time_outs) > 2 * TEN_TIMES_SLOWER
    assert hangfm_settings.retry_max < 1  # what does not wait for anybody is short all the same
