"""The authority of ``hangbot sandbox --tls``: the file with its own certificate, and what to do with it."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.cli.marked_file import MarkedFile
from hangbot.errors import HangbotError, UsageError
from hangbot.sandbox import TRUST, certify, host_names

__all__ = ["Authority", "advice", "authority"]

_MARK: Final = "# The authority of a sandbox; made by `hangbot sandbox --tls`, and made anew by the next one."
_NAME: Final = "sandbox.ca.pem"
_READABLE: Final = 0o644
"""A bot of another user, for example in a container, has to read the file; it holds no key."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority, and a server context that it certified.

    Attributes:
        context: The sandbox's TLS context.
        certificate: Its own certificate, PEM.
    """

    context: ssl.SSLContext
    certificate: str
    _file: MarkedFile

    @property
    def path(self) -> Path:
        """The file with its certificate, for bots to trust."""
        return self._file.path.absolute()

    def publish(self) -> None:
        """Write the file.

        Raises:
            HangbotError: It cannot be written, or another file has appeared in its place.
        """
        self._file.write(self.certificate)


@contextmanager
def authority(beside: Path | None, *, force: bool) -> Iterator[Authority]:
    """Make an authority and reserve its file, which outlives the process only beside a configuration.

    Args:
        beside: The configuration, or ``None``.
        force: Whether to replace a file that another program made.

    Raises:
        UsageError: The extra is missing, or another program made the file.
        HangbotError: The file cannot be written.
    """
    try:
        made = certify()
    except ModuleNotFoundError:
        raise UsageError(
            "--tls makes its certificate with the library trustme, which is not installed",
            remedy="Install it (`pip install 'hangbot[tls]'`), or give --tls-cert and --tls-key.",
        ) from None
    with ExitStack() as stack:
        if beside is None:
            folder = stack.enter_context(_temporary())
            path, option = folder / _NAME, "TMPDIR"
        else:
            name = beside.name.removesuffix(".env") or beside.name
            path, option = beside.parent / f"{name}.ca.pem", "--env-out"
        file = stack.enter_context(MarkedFile(path, _MARK, option, force=force, mode=_READABLE))
        yield Authority(made.context, made.authority, file)


@contextmanager
def _temporary() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="hangbot-sandbox-")
    except OSError as exc:
        raise HangbotError(
            f"no temporary folder for the authority: {exc.strerror or exc}",
            remedy="Let TMPDIR name a folder that can be written, or give --env-out.",
        ) from None
    with folder as name:
        Path(name).chmod(0o755)
        yield Path(name)


def advice(path: Path, app_id: str, port: int) -> str:
    """Return what a bot with Hang.fm's addresses in its code needs, as lines for the operator's own files."""
    names = host_names(app_id)
    lines = [
        "A bot with Hang.fm's addresses in its code runs here, too.",
        "In /etc/hosts, until the sandbox ends:",
        f"127.0.0.1 {' '.join(names[:3])}",
        f"127.0.0.1 {' '.join(names[3:])}",
        "In the bot's environment:",
        *(f"{name}={path}" for name in TRUST),
    ]
    if port != _HTTPS:
        lines.append(f"Such a bot calls port {_HTTPS}, and this is {port}: lead the one to the other.")
    return "\n".join(lines)


_HTTPS: Final = 443
