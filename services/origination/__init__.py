"""Origination: parties and their vault, applications, decisions, offers, contracts. It owns the schemas `origination`
(what a replay recomputes) and `origination_api`, and writes parties, applications, contracts and disbursements."""
