"""Doubtful matches and who decides on them; rooms that are emptied and stay open."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Identity = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", _Identity, nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("low", _Identity, nullable=False),
        sa.Column("high", _Identity, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("repeat_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_review_region_id")),
        sa.ForeignKeyConstraint(["low"], ["signal.id"], name=op.f("fk_review_low"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["high"], ["signal.id"], name=op.f("fk_review_high"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("ref", name=op.f("uq_review_ref")),
    )
    op.create_index(op.f("ix_review_low_high"), "review", ["low", "high"], unique=True)
    op.create_index(op.f("ix_review_high"), "review", ["high"])
    op.create_index(op.f("ix_review_repeat_at"), "review", ["repeat_at"])
    op.create_table(
        "rematch",
        sa.Column("signal_id", _Identity, nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["signal_id"], ["signal.id"], name=op.f("fk_rematch_signal_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_rematch")),
    )
    op.create_index(op.f("ix_rematch_wanted_at"), "rematch", ["wanted_at"])
    op.add_column("room", sa.Column("empty_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("room", "empty_until")
    op.drop_table("rematch")
    op.drop_table("review")
