"""What holds of Section 5, claim by claim: CLAIMS[id] has a verdict, and the numbers behind it.

Each function here computes by how much its claim is missed, and says so in a sentence; its
docstring is the claim. One more claim is one more function. None takes more than about a second.
"""

from localbias.book.claims import attention, growth, invariance, stairs
from localbias.book.claims.claim import (
    CONDITION,
    FAILS,
    HOLDS,
    VERDICTS,
    Claim,
    Claims,
    Evidence,
    checks_in,
    number,
    source,
)

# In the book's order: those on Section 5, then those that go beyond it.
SECTION_5 = Claims(invariance.CLAIMS | growth.CLAIMS | stairs.CLAIMS)
CLAIMS = Claims(SECTION_5 | attention.CLAIMS)

__all__ = [
    "CLAIMS",
    "CONDITION",
    "FAILS",
    "HOLDS",
    "SECTION_5",
    "VERDICTS",
    "Claim",
    "Claims",
    "Evidence",
    "attention",
    "checks_in",
    "growth",
    "invariance",
    "number",
    "source",
    "stairs",
]
