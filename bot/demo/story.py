"""`wenk demo`."""


async def demo(*, keep: bool) -> int:
    """Play the story."""
    raise NotImplementedError
