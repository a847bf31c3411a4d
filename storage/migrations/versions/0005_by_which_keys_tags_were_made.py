"""By which keys and scheme the tags of a signal were made, and under which keys everything is to be."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who migrates has no keys, so no child can be opened: the tags of all these are made anew at the next start.
    op.add_column("signal", sa.Column("tag_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index(op.f("ix_signal_tag_generation_id"), "signal", ["tag_generation", "id"])
    op.create_index(op.f("ix_signal_key_version_id"), "signal", ["key_version", "id"])
    op.create_table(
        "rotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("tag_generation", sa.BigInteger(), nullable=False),
        sa.Column("masters", sa.Text(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation")),
    )


def downgrade() -> None:
    op.drop_table("rotation")
    op.drop_index(op.f("ix_signal_key_version_id"), table_name="signal")
    op.drop_index(op.f("ix_signal_tag_generation_id"), table_name="signal")
    op.drop_column("signal", "tag_generation")
