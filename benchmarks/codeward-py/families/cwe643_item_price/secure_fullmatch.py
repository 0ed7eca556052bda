import re


def FN(SIGNATURE):
    if not re.fullmatch(r"[\w .@-]+", CODE):
        raise ValueError("invalid value")
    row = root.find(f"item[@code='{CODE}']")
    return float(row.get("price")) if row is not None else None
