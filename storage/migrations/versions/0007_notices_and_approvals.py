"""Who of a family must be told no longer stands in clear; what a second coordinator agrees with.

Of a signal of before, nobody had been told yet: nothing could be ticked. So its notice says nothing, and whom one must
tell follows from the child, who is sealed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_Identity = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _of_signal() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["signal_id"], ["signal.id"], name=op.f("fk_notice_signal_id"), ondelete="CASCADE")


def upgrade() -> None:
    op.drop_table("notice")
    op.create_table(
        "notice",
        sa.Column("signal_id", _Identity, nullable=False),
        sa.Column("look_on", sa.Date(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        _of_signal(),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_notice")),
    )
    # Looked at by the first sweep, which finds out when to ask.
    op.execute("INSERT INTO notice (signal_id, look_on) SELECT id, placed_on FROM signal")
    op.create_index(op.f("ix_notice_look_on"), "notice", ["look_on"])
    op.create_table(
        "approval",
        sa.Column("id", _Identity, nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_approval_region_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["person.user_id"], name=op.f("fk_approval_asked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sa.UniqueConstraint("ref", name=op.f("uq_approval_ref")),
    )
    op.create_index(op.f("ix_approval_lapses_at"), "approval", ["lapses_at"])


def downgrade() -> None:
    op.drop_table("approval")
    op.drop_table("notice")
    op.create_table(
        "notice",
        sa.Column("signal_id", _Identity, nullable=False),
        sa.Column("addressee", sa.Text(), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=True),
        _of_signal(),
        sa.PrimaryKeyConstraint("signal_id", "addressee", name=op.f("pk_notice")),
    )
