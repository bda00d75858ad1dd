"""Whether the people of a data set were held out from what a bundle was trained on.

`bundle.json` lists, part by part, who is in the training: ``"RAVDESS actors, train": ["01", ...]``.
The last word of a key names the part. Training and validation people flatter a score, because they
formed or chose the model; people of the part ``calibration`` only moved its temperatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_ser.errors import ConfigError

CALIBRATION_PART: Final = "calibration"
_SEEN_PARTS: Final = ("train", "training", "validation", "dev")


@dataclass(frozen=True)
class KnownPeople:
    """People of a data set whom the bundle has met.

    Attributes:
        seen: by the key of `splits`, those that trained or chose the model.
        calibrated: those on whom its temperatures were fitted.
    """

    seen: Mapping[str, tuple[str, ...]]
    calibrated: tuple[str, ...]

    @property
    def warning(self) -> str:
        """One sentence to stand beside a score; empty when everybody was held out."""
        told = [
            f"{len(names)} people ({_some(names)}) are in the bundle's '{key}'"
            for key, names in self.seen.items()
        ]
        if told:
            return f"LEAKY: {'; '.join(told)}: these scores do not hold for new people"
        if self.calibrated:
            return (
                f"The bundle's temperatures were fitted on {len(self.calibrated)} of these people "
                f"({_some(self.calibrated)}): its calibration error here is that of the fit"
            )
        return ""


def people_of_part(
    splits: Mapping[str, Sequence[str]], part: str, prefix: str = ""
) -> tuple[str, ...]:
    """Names that a bundle's splits list for one part, of the keys that begin with `prefix`."""
    return tuple(
        sorted(
            {
                name
                for key, names in splits.items()
                if _part(key) == part and key.startswith(prefix)
                for name in names
            }
        )
    )


def known_people(splits: Mapping[str, Sequence[str]], people: Iterable[str]) -> KnownPeople:
    """Who of these people stands in the bundle's splits."""
    names = set(people)
    met = {key: (_part(key), tuple(sorted(names & set(listed)))) for key, listed in splits.items()}
    return KnownPeople(
        seen={key: found for key, (part, found) in met.items() if part in _SEEN_PARTS and found},
        calibrated=tuple(
            sorted({n for part, found in met.values() if part == CALIBRATION_PART for n in found})
        ),
    )


def require_held_out(
    splits: Mapping[str, Sequence[str]], people: Iterable[str], *, accept: bool = False
) -> KnownPeople:
    """Find out who is known, and refuse people of the training unless that is accepted.

    Raises:
        ConfigError: if somebody is in the training or validation part and `accept` is off.
    """
    known = known_people(splits, people)
    if known.seen and not accept:
        raise ConfigError(
            f"the data are not held out from the training: {known.warning}. Leave these people "
            "out, give other people other names, or accept the leak (--accept-leak), and every "
            "table will say so"
        )
    return known


def _part(key: str) -> str:
    words = key.replace(",", " ").split()
    return words[-1].lower() if words else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
