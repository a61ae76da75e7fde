"""The words for what becomes of a claim, of the theory as of the experiments."""

HOLDS = "holds"  # the numbers support it
CONDITION = "holds in part"  # under a condition, or in some of the runs
FAILS = "does not hold"  # as printed, or found otherwise at a comparable setting
NOT_REACHED = "not reached"  # found otherwise by runs that are shorter than the paper's
NOT_MEASURED = "not measured"
VERDICTS = (HOLDS, CONDITION, FAILS, NOT_REACHED, NOT_MEASURED)
