"""Mutants in what follows from an answer: verdicts, pace, rates, settling."""

from collections.abc import Sequence

from tests.simulation.mutant import Mutant

MUTANTS: Sequence[Mutant] = (
    Mutant(
        "a hold is not taken to heart",
        "delivery.settling",
        "            self._waits.hold(identity, hold.until(now), hold.reason, now)\n"
        "        answered = None",
        "            pass\n        answered = None",
    ),
    Mutant(
        "resent counts as delivered",
        "delivery.settling",
        "            case Resend():\n                return (entry,)",
        "            case Resend():\n                self._stock.done(lane.offsets, (entry,))\n"
        "                return ()",
    ),
    Mutant(
        "a lone split goes again for ever",
        "delivery.settling",
        "            case Split(reason, detail) if is_alone:",
        "            case Split(reason, detail) if False:",
    ),
    Mutant(
        "revoked entries settle",
        "delivery.settling",
        "            if lane.offsets.is_ours:\n                if answered",
        "            if True:\n                if answered",
    ),
    Mutant(
        "sums are lost in a merge",
        "destinations.amplitude.property_merge",
        "    total = terms[0] + terms[1]",
        "    total = terms[1]",
        "identify",
    ),
    Mutant(
        "a merged record's hold is forgotten",
        "delivery.settling",
        "        if isinstance(outcome, Hold):\n",
        "        if False:\n",
        "identify",
    ),
    Mutant(
        "a Retry-After is ignored",
        "delivery.pace",
        "                self._wait.until = max(self._wait.until, now + (seconds or 0.0))",
        "                pass",
    ),
    Mutant(
        "a success ends the wait that was asked for",
        "delivery.pace",
        "            return  # It was sent before we were told to wait.",
        "            self._wait.until = 0.0",
    ),
    Mutant(
        "an unknown status is the record's fault",
        "destinations.answers",
        '        return Verdict(Pause(f"status_{status}", may_be_content=True))',
        '        return Verdict(Reject(f"status_{status}"))',
        also=(("import Pause, Retry, Verdict", "import Pause, Reject, Retry, Verdict"),),
    ),
    Mutant(
        "a sign-in page counts as Amplitude's success",
        "destinations.amplitude.answers",
        "            return code == 200\n    return False",
        "            return code == 200\n    return True",
    ),
    Mutant(
        "a failure in the body counts as Amplitude's success",
        "destinations.amplitude.answers",
        "            return code == 200\n",
        "            return True\n",
    ),
    Mutant(
        "a sign-in page counts as Aampe's success",
        "destinations.aampe.answers",
        "            return found is not NOT_JSON",
        "            return True",
        "aampe-events",
    ),
    Mutant(
        "one refused record is probed for ever",
        "delivery.settling",
        "                self._let_others_go_first(entry, outcome, answered.now)",
        "                pass",
    ),
    Mutant(
        "a lone failure counts though nobody else succeeds",
        "delivery.settling",
        "        entry.lone_failures += is_usual and 0 <= entry.failed_after < deliveries",
        "        entry.lone_failures += 1",
    ),
    Mutant(
        "rates are not kept",
        "delivery.rates",
        "                if due > latest:",
        "                if False:",
    ),
    Mutant(
        "too many rejects are nobody's concern",
        "delivery.pace",
        "        is_enough = self._rejected >= self._policy.rejects_min",
        "        is_enough = False",
    ),
    Mutant(
        "a success is sent again after many rejects",
        "delivery.pace",
        "        return rejected > 0 and is_enough",
        "        return is_enough",
        "identify",
    ),
    Mutant(
        "halves are forgotten while they wait",
        "delivery.settling",
        "            lane.seek(len(left))",
        "            pass",
    ),
    Mutant(
        "what encode raises ends the worker",
        "delivery.border",
        "        return unprocessable(error)",
        "        raise",
    ),
    Mutant(
        "what is raised where many are encoded ends the worker",
        "delivery.border",
        "            encoded = ()",
        "            raise",
    ),
    Mutant(
        "who shares a batch with an unsendable record dies with it",
        "delivery.border",
        "            return Verdict(Split(UNPROCESSABLE, detail))",
        "            return Verdict(Reject(UNPROCESSABLE, detail))",
    ),
    Mutant(
        "an answer that cannot be judged ends the worker",
        "delivery.border",
        '                return Verdict(Retry("unreadable_answer"))',
        "                raise",
    ),
    Mutant(
        "an impossible answer is believed",
        "delivery.border",
        '            return verdict if is_possible else Verdict(Retry("impossible_answer"))',
        "            return verdict",
    ),
    Mutant(
        "a merge that raises ends the worker",
        "delivery.border",
        "    except Exception:  # noqa: BLE001  See above.\n        return None",
        "    except ZeroDivisionError:\n        return None",
        "identify",
    ),
)
