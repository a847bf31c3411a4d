"""The bot, whose minutes last two seconds: `python -m tests.matrix.hasty` in the place of `python -m bot`."""

from datetime import timedelta

import bot.schedule
from bot.cli import main

if __name__ == "__main__":
    bot.schedule.TICK = timedelta(seconds=2)
    main()
