"""What chapter 6 trains: how many strings, which depth, and what was tried against the bias.

All of it on ±1 scalars, where a run takes a minute or two.
"""

from typing import Any

from localbias.experiments.recipes import PARITY_8, SCALARS_AT, Recipe, Scalars, Variant
from localbias.training import Penalty

LONG_AT = (1000, 2000, 4000, 8000, 12_000, 16_000, 22_000, 32_000, 45_000, 60_000)
CHECK: dict[str, Any] = dict(name="check", length=8, order=5)

# How many of the 128 strings of Parity(8) a network must see before it hallucinates; of 64 it is
# `parity-8-scalars`.
LADDER: dict[str, Recipe] = {
    f"parity-8-scalars-n{n}": Scalars(PARITY_8, SCALARS_AT, probing="check scalars", n_train=n)
    for n in (8, 16, 24, 32, 40, 48, 96, 112)
}
COUNTS = {
    n: "parity-8-scalars" if n == 64 else f"parity-8-scalars-n{n}"
    for n in (8, 16, 24, 32, 40, 48, 64, 96, 112)
}  # training strings -> experiment

# Dyck words of length 12, half of those that are nested no deeper.
DEPTHS = {2: 16, 3: 44, 4: 61, 6: 66}
NESTED: dict[str, Recipe] = {
    f"dyck-12-depth-{depth}-scalars": Scalars(
        dict(name="dyck", length=12, deepest=depth), SCALARS_AT, probing="dyck scalars", n_train=n
    )
    for depth, n in DEPTHS.items()
}

# The more a depth allows, the more words there are; here as many of each are trained on.
ALIKE = 16
NESTED |= {
    f"dyck-12-depth-{depth}-scalars-n{ALIKE}": Scalars(
        dict(name="dyck", length=12, deepest=depth),
        SCALARS_AT,
        probing="dyck scalars",
        n_train=ALIKE,
    )
    for depth, n in DEPTHS.items()
    if n != ALIKE
}

# What may be done against the bias, on a rule that is not learned in this time and on one that is.
CURES: dict[str, dict[str, Any]] = {
    "focus": dict(training=dict(focus=(0.7, 0.9))),
    "ldr-rule": dict(training=dict(penalty=Penalty(1.0))),
    "ldr-rule-pooled": dict(training=dict(penalty=Penalty(1.0, pooled=True))),
    "ldr-high": dict(training=dict(penalty=Penalty(1.0, aim=1.0))),
    "ldr-low": dict(training=dict(penalty=Penalty(1.0, aim=0.0))),
    "flips": dict(n_train=128),  # flips that keep the rule make 64 strings into all 128
}
BASES: dict[str, Recipe] = {
    "parity-8": Scalars(PARITY_8, SCALARS_AT, probing="check scalars"),
    "check-5": Scalars(CHECK, SCALARS_AT, probing="check scalars"),
}
TREATED: dict[str, Recipe] = {
    f"{rule}-treated-{cure}": Variant(BASES[rule], fields)
    for cure, fields in CURES.items()
    for rule in BASES
}
TREATED |= {
    f"{rule}-treated-large": Scalars(
        grammar, SCALARS_AT, probing="check scalars", network=dict(kind="mlp", gain=3.0)
    )
    for rule, grammar in (("parity-8", PARITY_8), ("check-5", CHECK))
}
# All places alike: parity is a rule of that kind, a check of five of eight symbols is not.
TREATED["parity-8-treated-equivariant"] = Scalars(
    PARITY_8, SCALARS_AT, probing="check scalars", network=dict(kind="equivariant", width=128)
)
# Rule -> what was done, in words -> experiment; where nothing was, it is another chapter's.
TREATMENTS: dict[str, dict[str, str]] = {
    rule: {"nothing": f"{rule}-scalars"}
    | {
        words: f"{rule}-treated-{cure}"
        for cure, words in {
            "focus": "half of the batch at √ᾱ .7–.9",
            "ldr-rule": "LDR held at the rule's",
            "ldr-rule-pooled": "ratio of means held there",
            "ldr-high": "LDR pulled to 1",
            "ldr-low": "LDR pulled to 0",
            "flips": "flips that keep the rule",
            "large": "initial weights × 3",
            "equivariant": "all places alike",
        }.items()
        if f"{rule}-treated-{cure}" in TREATED
    }
    for rule in BASES
}
LONG: dict[str, Recipe] = {
    "parity-8-scalars-long": Scalars(PARITY_8, LONG_AT, probing="check scalars"),
}
BEYOND: dict[str, Recipe] = LADDER | NESTED | TREATED | LONG
