def FN(SIGNATURE):
    if "\r" in MEMBER or "\n" in MEMBER:
        raise ValueError("line break")
    LOGGER.info(f"login by {MEMBER}")
