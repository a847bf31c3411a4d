"""Which signals their professionals were asked to renew or let go."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signal", sa.Column("reminded", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Signals of before were to be looked at later than on the day of their reminder. There is no harm in looking once
    # more: whoever looks writes down the right day.
    op.execute("UPDATE signal SET look_on = placed_on WHERE state = 'active'")


def downgrade() -> None:
    op.drop_column("signal", "reminded")
