"""Embedded PostgreSQL and Apache Kafka for one machine, and what makes them ready: roles, schemas, secrets, topics."""
