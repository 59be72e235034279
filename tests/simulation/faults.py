"""What may go wrong in a world, and how often."""

from dataclasses import dataclass, fields
from random import Random

OWN_CHANCE = ("unclean", "failure")


@dataclass
class Faults:
    """Swarm testing: each seed has some faults off and the others at odds of their own."""

    # Of the network.
    lost_request: float = 0.0
    lost_reply: float = 0.0
    overtime: float = 0.0  # The client gives up, and the request arrives all the same.
    # Of the far end, for a request.
    unwell: float = 0.0
    throttle_all: float = 0.0  # A 429 that names no user and no device.
    names_first: float = 0.0  # The answer names only the first of the records that failed.
    names_strangers: float = 0.0
    shrink: float = 0.0
    page: float = 0.0  # A 400 with a load balancer's page.
    odd: float = 0.0  # An answer of which the destination's `verdict` makes nothing, or nonsense.
    # For one of its records.
    throttle: float = 0.0
    quota: float = 0.0
    # Phases, which last for some seconds.
    outage: float = 0.0
    wrong_key: float = 0.0
    strange: float = 0.0  # A proxy or a sign-in page answers, with a status nobody documented.
    # Of Kafka and of our processes.
    late_parking: float = 0.0
    late_dead_letter: float = 0.0
    crash: float = 0.0
    rebalance: float = 0.0
    expelled: float = 0.0  # A process lost its partitions, and has not noticed yet.
    retention: float = 0.0  # Parked records are deleted.
    overtaking: float = 0.0  # Records are deleted, whether they were read or not.
    markers: float = 0.0  # A transaction ends, or was aborted: offsets without records.
    replay: float = 0.0  # An operator parks what was delivered or dead, to be sent again.
    clock: float = 0.0  # The wall clock is set; only who starts after that reads it.
    others: float = 0.0  # Parked records of other destinations.
    # Drawn from a random generator of their own, so that the other faults stay as they were.
    failure: float = 0.0  # A worker ends with an unexpected exception, and is started again.
    unclean: float = 0.0  # A log loses its end, and other records get the same offsets.

    @classmethod
    def swarm(cls, random: Random) -> "Faults":
        names = [one.name for one in fields(cls) if one.name not in OWN_CHANCE]
        faults = cls(**{name: random.choice([0, 0, 0.02, 0.1, 0.3]) for name in names})
        for rare in (
            "crash",
            "rebalance",
            "throttle",
            "quota",
            "outage",
            "wrong_key",
            "strange",
            "replay",
            "clock",
        ):
            setattr(faults, rare, getattr(faults, rare) / 20)
        faults.expelled /= 50
        faults.retention = random.choice([0.0, 0.0, 0.0, 0.02])
        faults.overtaking = random.choice([0.0, 0.0, 0.0, 0.005])
        faults.overtime /= 5
        # Where most requests fail, no sender can tell which records are bad.
        if faults.lost_request + faults.unwell + faults.odd > 0.3:
            faults.lost_reply = faults.overtime = faults.odd = 0.0
            faults.unwell = min(faults.unwell, 0.1)
        return faults

    def heal(self) -> None:
        for one in fields(self):
            setattr(self, one.name, 0.0)
