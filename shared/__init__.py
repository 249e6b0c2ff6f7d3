"""What two or more services must agree on: events, topics, money, time, streaming, storage, telemetry, access."""
