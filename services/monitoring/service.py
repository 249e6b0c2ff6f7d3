"""Monitoring as the platform sees it: its inbox, its fold, its tables."""

from pathlib import Path

from services.monitoring.fold import MonitoringFold
from shared.streams.subject_service import SubjectService
from shared.topics import MARKET, MONITORING_INBOX

SERVICE = SubjectService(
    name="monitoring",
    inbox=MONITORING_INBOX,
    fold=MonitoringFold,
    migrations=Path(__file__).with_name("migrations"),
    everywhere=(MARKET,),
)
