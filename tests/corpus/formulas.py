"""Texts and how a spreadsheet gets them: the same in files, in what is copied, and in what the page saves."""

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
RUN = tuple(f"{quotes}{start}cmd" for quotes in ("", "'", "''") for start in BEGINNINGS)
KEPT = ("", "'", "cmd", " =cmd", "a=b", "a\n=b", "'quoted'", "−5", "1-2", "é", "_x", "\u00a0=")
CASES = {text: f"'{text}" for text in RUN} | {text: text for text in KEPT}
