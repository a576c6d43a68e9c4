"""A sound bot, but that SIGTERM does not end."""

import asyncio
import signal
import sys

from tests.proof.bots.python.bot import main


async def stay() -> int:
    bot = asyncio.create_task(main())
    await asyncio.sleep(0)  # its own handler is there now
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    return await bot


sys.exit(asyncio.run(stay()))
