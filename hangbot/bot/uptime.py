"""What ``/uptime`` is answered with. PURE."""

__all__ = ["uptime"]


def uptime(name: str | None, seconds: float) -> str:
    """Say how long the bot has been up; parts that are zero are left out."""
    minutes, rest = divmod(max(0, int(seconds)), 60)  # the clock may have been set back meanwhile
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
    return f"{name or 'This bot'} has been up for {shown}."
