"""Say in which tables of the RFMeta paper each method stands, by its title (Shao, Lan, Yuen, AAAI 2020)."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.methods import METHODS

PAPERS_OWN = "rfmeta"  # the method that the paper proposes, which the others are compared with
LIMITED_SOURCES = ("M", "I")  # the two sources of the protocol with limited sources
# The paper's tables and its figure of the ablation, in its order.
TABLES: Mapping[str, tuple[str, ...]] = {
    "Table 1": (
        "MS LBP",
        "Binary CNN",
        "IDA",
        "Color Texture",
        "LBP-TOP",
        "Auxiliary (depth only)",
        "Auxiliary (all)",
        "MMD-AAE",
        "MADDG",
        "RFMeta",
    ),
    "Table 2": ("Reptile", "MLDG", "MetaReg", "RFMeta"),
    "Table 3": ("RFMeta, aggregated", "RFMeta, first-order", "RFMeta"),
    "Figure 5": ("RFMeta without meta-learning", "RFMeta without depth", "RFMeta"),
}
CAPTIONS: Mapping[str, str] = {
    "Table 1": "methods of face anti-spoofing",
    "Table 2": "methods of meta-learning",
    "Table 3": "ways to compute the meta-learning step",
    "Figure 5": "parts of the method left out",
}
# Methods of the paper's tables that this version lacks, each with the reason.
LACKING: Mapping[str, str] = {
    "LBP-TOP": "it needs clips of consecutive frames, which this version does not read",
    "Auxiliary (all)": "it needs clips of consecutive frames, which this version does not read",
}


def titles() -> list[str]:
    """Return the titles of all methods of the paper, in its order, and then those of the other methods here."""
    last = METHODS[PAPERS_OWN].title
    found = [title for table in TABLES.values() for title in table if title != last]
    others = [title_of(name) for name in METHODS if title_of(name) not in (*found, last)]
    return [*found, last, *others]


def in_order() -> list[str]:
    """Return the names of all methods of this version, in the order of `titles`."""
    named = {title_of(name): name for name in METHODS}
    return [named[title] for title in titles() if title in named]


def title_of(name: str) -> str:
    """Return the title of a method; its name if it has none."""
    facts = METHODS.get(name)
    return facts.title if facts and facts.title else name
