"""The Matrix side and the process: session, trust, rooms, delivery, schedule, web, command line."""
