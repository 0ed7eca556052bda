import re


def FN(SIGNATURE):
    if not re.fullmatch(r"[\w .@-]+", UID):
        raise ValueError("invalid value")
    return f"(uid={UID})"
