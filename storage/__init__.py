"""What Wenk keeps: tables, repositories, the unit of work, encryption at rest and the audit log."""
