import re


def FN(SIGNATURE):
    if not re.fullmatch(r"[\w .@-]+", GROUP):
        raise ValueError("invalid value")
    return f"(&(objectClass=group)(cn={GROUP}))"
