"""A lender's life, seeded: borrowers with trades, seasons and shocks, and the people who serve them (the model, pure);
and the driver that lets them act through the real APIs and topics of a running platform."""
