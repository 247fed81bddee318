"""A local stand-in for Salesforce, for tests and demonstrations.

Written from Salesforce's published documentation and importing nothing from the rest of sfexit,
so that it is a second, independent reading of the protocol.
"""

from .doubts import Doubts
from .faults import Fault, FaultPlan
from .org import SimulatedOrg
from .pace import REAL, Pace
from .server import LogEntry, SimulatedServer, serve
from .staff import BLOCKERS, UNSEEN, Employed, Staff
from .strange import Strange
from .visibility import RestrictionRule, SimulatedUser, clerk

__all__ = [
    "BLOCKERS",
    "REAL",
    "UNSEEN",
    "Doubts",
    "Employed",
    "Fault",
    "FaultPlan",
    "LogEntry",
    "Pace",
    "RestrictionRule",
    "SimulatedOrg",
    "SimulatedServer",
    "SimulatedUser",
    "Staff",
    "Strange",
    "clerk",
    "serve",
]
