def FN(SIGNATURE):
    LOGGER.info(f"login by {MEMBER}")
