"""The databases that the other tests stand on."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_database(database_url: str, turn: int) -> None:
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE mark (turn INTEGER)"))
            await connection.execute(text("INSERT INTO mark VALUES (:turn)"), {"turn": turn})
            assert (await connection.execute(text("SELECT turn FROM mark"))).scalars().all() == [turn]
    finally:
        await engine.dispose()
