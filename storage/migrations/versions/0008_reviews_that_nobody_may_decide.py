"""Which reviews wait for somebody who may decide them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review", sa.Column("undecidable", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Which of those of before they are turns out when each is asked about again.


def downgrade() -> None:
    op.drop_column("review", "undecidable")
