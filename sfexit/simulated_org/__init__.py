"""A local stand-in for Salesforce, for tests and demonstrations.

Written from Salesforce's published documentation and importing nothing from the rest of sfexit,
so that it is a second, independent reading of the protocol.
"""

from .faults import Fault, FaultPlan
from .org import SimulatedOrg
from .pace import Pace
from .server import LogEntry, SimulatedServer, serve

__all__ = ["Fault", "FaultPlan", "LogEntry", "Pace", "SimulatedOrg", "SimulatedServer", "serve"]
