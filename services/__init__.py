"""The four services. Each owns its schema and its topics; between them there is only Kafka."""
