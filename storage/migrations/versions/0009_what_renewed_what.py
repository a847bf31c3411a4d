"""Signals that renewed each other are known as such: what is wrong is erased with what it was renewed from.

What was renewed before is not known: nothing in clear says it. Those are withdrawn one by one, as they were.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signal", sa.Column("chain", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_signal_chain"), "signal", ["chain"])


def downgrade() -> None:
    op.drop_index(op.f("ix_signal_chain"), "signal")
    op.drop_column("signal", "chain")
