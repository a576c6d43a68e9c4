"""A headless Chromium, spoken to over its DevTools protocol: just enough to look at a page and to click."""

import asyncio
import base64
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.bounds import WITHIN

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_OPTIONS: Final = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking no-proxy-server "
    "disable-component-update disable-sync remote-debugging-port=0 remote-debugging-address=127.0.0.1 "
    "window-size=1280,1000"
)
_ARGUMENTS: Final = tuple(f"--{option}" for option in _OPTIONS.split())


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def _ask(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        await self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await asyncio.wait_for(self._connection.recv(), WITHIN))
            if answer.get("id") == number:
                result: dict[str, Any] = answer.get("result", {})  # an error while the page is loaded
                return result

    async def evaluate(self, script: str) -> Any:  # noqa: ANN401  a value of JavaScript
        """Return what an expression comes to; a promise is waited for."""
        found = await self._ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found.get("result", {}).get("value")

    async def until(self, script: str) -> Any:  # noqa: ANN401  a value of JavaScript
        """Return the expression's value as soon as it is true; while the page is loaded it is not."""
        async with asyncio.timeout(WITHIN):
            while not (value := await self.evaluate(script)):  # noqa: ASYNC110  another process: no event
                await asyncio.sleep(0.05)
        return value

    async def look(self, *, dark: bool = False, width: int = 1280, height: int = 1000) -> None:
        """Have the page shown in a scheme and a size."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self._ask("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < _PHONE}
        await self._ask("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        found = await self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    async def press(self, key: str, text: str = "") -> None:
        """Press a key and let it go; ``text`` is what it types."""
        code = _CODES.get(key, 0)
        down = {"type": "keyDown" if text else "rawKeyDown", "key": key, "windowsVirtualKeyCode": code}
        await self._ask("Input.dispatchKeyEvent", **down, **({"text": text} if text else {}))
        await self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self._ask("Input.insertText", text=text)


_PHONE: Final = 600
_CODES: Final = {"Tab": 9, "Enter": 13, "Escape": 27}


@asynccontextmanager
async def open_page(url: str, profile: Path) -> AsyncIterator[Page]:
    """Open an address in a browser of its own, which ends with the block."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *_ARGUMENTS,
        f"--user-data-dir={profile}",
        url,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WITHIN):
            while not (port := _port(profile)):  # noqa: ASYNC110  a file of another process: no event
                await asyncio.sleep(0.05)
        async with httpx.AsyncClient(trust_env=False) as client:
            tabs = (await client.get(f"http://127.0.0.1:{port}/json", timeout=WITHIN)).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with connect(address, proxy=None, max_size=None) as connection:
            yield Page(connection)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), WITHIN)


def _port(profile: Path) -> str:
    try:
        return (profile / "DevToolsActivePort").read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""
