"""Where the document is that goes with a card, so that it can be purged when the card is redacted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("document", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "document")
