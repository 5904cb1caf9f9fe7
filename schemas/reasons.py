"""Reasons: slug -> words of every fact that decides a user's status, or is passed on the way to the one that does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "organization_off": "the organization is switched off",
        "off_manual": "switched off by hand",
        "off_other": "switched off",
        "off_authorization": "switched off after refused authorization",
        "off_throttling": "switched off after throttling",
        "removed": "no longer in the directory",
        "past_limit": "the newest session runs longer than it may",
        "overdue": "the next session is overdue",
        "never_ran": "no session ever ended, and the first one is overdue",
        "agent_silent": "the next session is overdue, and the agent is silent",
        "session_errors": "the last session ended in errors",
        "session_timed_out": "the last session was given up: nothing was heard of it any more",
        "session_issues": "the last session finished with issues",
        "issues_missing": "the last session finished, but not all of its issues have arrived",
        "session_finished": "the last session finished",
        "nothing_ended": "no session has ended yet",
    }
)
"""Every value of `user_status.reason`, and of `reason` in a status change of a user."""

PASSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "organization_on": "the organization is switched on",
        "user_on": "the user is switched on",
        "not_by_hand": "not switched off by hand",
        "not_blocked": "not switched off after an error",
        "none_running": "no session is running",
        "newest_ended": "the newest session has ended",
        "within_limit": "a session is running within its limit",
        "not_due": "not overdue yet",
        "push_only": "runs only when something changes: never due",
        "late_held": "overdue, but our own view may have been cut off: not judged yet",
        "not_failed": "the last session did not fail",
        "not_partial": "the last session left no issues",
        "reports_arriving": "the last session finished, its issues are still arriving",
    }
)
"""What the chain of facts says where a fact does not decide."""

HEALTH_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "organization_off": "the organization is switched off",
        "half_touched": "half or more of its users are failing, stuck, late or switched off by an error",
        "some_touched": "some of its users are failing, stuck, late or switched off by an error",
        "all_off": "it has no users, or all of them are switched off by hand",
        "all_well": "none of its users needs attention",
    }
)
"""Every `reason` in a change of an organization's health."""


def reason_words(slug: str) -> str:
    """Return the words for a reason or a passed fact; one that is not listed is shown as it is."""
    return REASONS.get(slug) or PASSED.get(slug) or HEALTH_REASONS.get(slug) or slug
