"""How far the crypto store was, so that an old copy of it is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("progress", sa.Column("device_id", sa.Text(), nullable=True))
    op.add_column("progress", sa.Column("batches", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("progress", "batches")
    op.drop_column("progress", "device_id")
