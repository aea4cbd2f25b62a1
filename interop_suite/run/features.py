"""What a CSMS claims to support (`--features FILE`): which cases of the certification list apply to it.

Cases of our own are about every CSMS of a version, and are never left out by a claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from drivers.base import operation_for
from evidence.run_model import CaseResult, Claims
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case
from interop_suite.claims.certification import NO_PROFILE, certification_list, profiles_of
from interop_suite.drive.mqtt_wire import LACKS
from ocppj.errors import as_usage_error
from ocppj.versions import Version

__all__ = ["OPTIONAL_FEATURES", "Features", "features_template", "held_against_claim", "load_features", "unclaimed"]

Features = Mapping[Version, Claims]
"""By version; one that is not there is not claimed at all."""

OPTIONAL_FEATURES: Mapping[str, str] = {
    "C-11": "UnlockConnector, for stations with a detachable cable",
    "C-13": "Reset of one EVSE",
    "C-14": "CustomerInformation by customerIdentifier",
    "C-15": "firmware updates at a time in the future",
    "C-16": "GetTransactionStatus",
    "C-17": "GetBaseReport of the ConfigurationInventory",
    "C-29.1": "TriggerMessage of MeterValues",
    "C-29.2": "TriggerMessage of TransactionEvent",
    "C-29.3": "TriggerMessage of LogStatusNotification",
    "C-29.4": "TriggerMessage of FirmwareStatusNotification",
    "C-29.5": "TriggerMessage of StatusNotification",
    "C-44": "boots that are Pending before they are accepted",
    "C-45": "several variables in one GetVariables",
    "C-46": "several variables in one SetVariables",
    "C-50.2": "GetBaseReport of the FullInventory, when the operator asks for it",
}
"""Optional features of a CSMS on which test cases depend, by their ids in OCPP 2.0.1 Part 5 §3.2, in our words."""


@as_usage_error(ConfigError)
def load_features(path: str | None) -> Features | None:
    """Read what a CSMS claims; None without a file. Raises `UsageError` for one that cannot be read or names nothing.

    It maps versions to `profiles` and `features`, of which `all` stands for every one.
    """
    if path is None:
        return None
    document, location = read_yaml(Path(path), "file of features")
    claims = convert({} if document is None else document, dict[str, Claims], location)
    if not claims:
        raise location.error("expected the versions that the CSMS claims; plugstorm interop --features-template shows")
    found = {}
    for name, claim in claims.items():
        known = [str(version) for version in Version]
        if name not in known:
            raise location.below(name).error(f"{name} is no version of OCPP; {hint(name, known)}")
        version = Version(name)
        choices = {"profiles": profiles_of(version), "features": features_of(version)}
        for field, words in choices.items():
            for index, word in enumerate(getattr(claim, field)):
                if word not in (*words, "all"):
                    where = location.below(name, field, index)
                    raise where.error(f"{word} is none of the {field}; {hint(word, words)}")
        found[version] = Claims(
            **{
                field: words if "all" in getattr(claim, field) else [w for w in words if w in getattr(claim, field)]
                for field, words in choices.items()
            }
        )
    return found


def features_of(version: Version) -> list[str]:
    """List the optional features on which ids of a version depend."""
    used = {row.feature for row in certification_list().values() if row.version is version}
    return [feature for feature in OPTIONAL_FEATURES if feature in used]


def features_template() -> str:
    """Write a file of features that claims everything, with what each line stands for."""
    return "\n".join(_template_lines()) + "\n"


def _template_lines() -> Iterator[str]:
    yield "# What this CSMS claims to support, for plugstorm interop --features FILE."
    yield "# Take out what it does not claim: those cases are NOT_APPLICABLE. What is claimed and cannot be driven is"
    yield "# INCONCLUSIVE, with the operation that the driver lacks. A version that is not here is not claimed."
    for version in Version:
        rows = [row for row in certification_list().values() if row.version is version and not row.withdrawn]
        yield f'"{version}":'
        yield "  profiles:"
        for profile in profiles_of(version):
            yield f"    - {profile:<28}# {sum(row.profile == profile for row in rows)} ids of the list"
        features = features_of(version)
        if features:
            yield "  features:                       # optional ones, by their ids in OCPP 2.0.1 Part 5 §3.2"
        for feature in features:
            ids = " ".join(row.id.removesuffix("_CSMS") for row in rows if row.feature == feature)
            yield f"    - {feature:<8}# {OPTIONAL_FEATURES[feature]} ({ids})"


def unclaimed(features: Features | None, case: Case) -> str | None:
    """Say why a case is about something that the CSMS does not claim; None where it is to be run."""
    row = case.listed
    if features is None or row is None:
        return None
    claims = features.get(case.ocpp)
    if claims is None:
        return f"not claimed: the file of features says nothing of OCPP {case.ocpp}"
    if row.profile != NO_PROFILE and row.profile not in claims.profiles:
        return f"not claimed: certification profile {row.profile}"
    if row.feature and row.feature not in claims.features:
        return f"not claimed: optional feature {row.feature}, {OPTIONAL_FEATURES[row.feature]}"
    return None


def _missing(lacking: str | None) -> str:
    """Name the operation of the driver that lacks; an option of the command line is named in the reason already."""
    operation = None if lacking is None else operation_for(lacking)
    return "" if operation is None else f"; missing driver operation: {operation}"


def held_against_claim(result: CaseResult, features: Features | None, case: Case, lacking: str | None) -> CaseResult:
    """Turn what did not apply although it is claimed into INCONCLUSIVE; `lacking` is the need that was not met."""
    row = case.listed
    if (
        features is None
        or row is None
        or row.withdrawn
        or row.profile == NO_PROFILE
        or result.verdict is not Verdict.NOT_APPLICABLE
        or unclaimed(features, case) is not None
        # What no CSMS behind a broker can show, its claim does not promise there.
        or result.reason in LACKS.values()
    ):
        return result
    what = f"{row.profile}, {row.feature}" if row.feature else row.profile
    reason = f"claimed ({what}), but {result.reason}{_missing(lacking)}"
    return msgspec.structs.replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)
