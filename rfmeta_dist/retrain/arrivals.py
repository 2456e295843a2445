"""Define what the checks of new data take and give: domains with marked new samples, and findings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rfmeta_dist.core.about import from_text
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation.scores import as_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.data.shards.manifest import Manifest
    from rfmeta_dist.evaluation.scores import Names

    Mask = NDArray[np.bool_]

Kind = Literal["labels", "duplicates", "subjects", "classes", "cameras", "attacks"]
Severity = Literal["refuse", "warn", "note"]  # stops the attempt; is shown first; is shown
SHOWN = 5  # how many people, pairs or cameras a finding names
DEVICE = "device"  # the name in `about` of what recorded a sample


@dataclass(frozen=True)
class Finding:
    """One thing that was found in new data before training.

    Attributes:
        kind: `labels` that the champion contradicts, `duplicates`, `subjects` of another split, `classes` that
            are missing, `cameras` never seen, or `attacks` of one type that outnumber all others.
        severity: `refuse` if nothing may be trained on this data, `warn` if a person should look at it, `note`
            if it is normal but good to know.
        domain: the domain that the data was added to.
        batch: the batch; "" for data that is in none.
        words: sentences with numbers that say what was found and what to do.
        facts: the numbers, as JSON can hold them.
    """

    kind: Kind
    severity: Severity
    domain: str
    batch: str
    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes by name, as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Arrived:
    """One state of a domain, in which new samples are marked.

    Attributes:
        manifest: the state, of N samples.
        new: N, True for samples that the champion's data did not have.

    Raises:
        DataError: the mask has another length than the table of samples.
    """

    manifest: Manifest
    new: Mask

    def __post_init__(self) -> None:
        if self.new.shape != (self.manifest.samples.num_rows,):
            raise DataError(
                f"domain {self.domain} has {self.manifest.samples.num_rows} samples, but {len(self.new)} marks "
                "of new samples were given",
                "mark the samples of the same manifest",
            )

    @property
    def domain(self) -> str:
        """Return the name of the domain."""
        return self.manifest.domain

    def column(self, name: str) -> Names:
        """Return N texts of a column of the table of samples; "" where the column or a value is missing."""
        import numpy as np

        samples = self.manifest.samples
        if name not in samples.column_names:
            return np.full(samples.num_rows, "", np.object_)
        found = as_names(samples[name])
        return np.array([text or "" for text in found.tolist()], np.object_)

    def batches(self) -> dict[str, Mask]:
        """Return the new samples of each batch, by its name: N marks. "" holds those that are in no batch."""
        batch = self.column("batch")
        return {name: self.new & (batch == name) for name in sorted(set(batch[self.new].tolist()))}

    def devices(self) -> Names:
        """Return the N names of what recorded the samples; "" where that is not known.

        Raises:
            DataError: what is known about a sample cannot be read (see `core.about`).
        """
        import numpy as np

        about = self.column("about")
        known = {text: from_text(text).get(DEVICE, "") for text in set(about.tolist())}
        devices: Names = np.array([known[text] for text in about.tolist()], np.object_)
        return devices


def named(domain: str, batch: str) -> str:
    """Return what new data is called in a sentence: `batch 'x' of domain O`, or `the new data of domain O`."""
    return f"batch '{batch}' of domain {domain}" if batch else f"the new data of domain {domain}"


def listed(names: list[str]) -> str:
    """Return the first names, and how many more there are: `a, b and 3 more`."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
