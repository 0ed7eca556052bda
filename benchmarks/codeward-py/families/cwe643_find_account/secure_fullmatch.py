import re


def FN(SIGNATURE):
    if not re.fullmatch(r"[\w .@-]+", NAME):
        raise ValueError("invalid value")
    return root.findtext(f"account[name='{NAME}']/email")
