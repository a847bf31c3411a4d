"""`python -m bot`: the same as `wenk`."""

from bot.cli import main

main()
