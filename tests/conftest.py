"""What every test has: hypothesis without a stopwatch."""

from hypothesis import settings

# The machine is shared and slow now and then: an example's time says nothing about the rule it tests.
settings.register_profile("wenk", deadline=None)
settings.load_profile("wenk")
