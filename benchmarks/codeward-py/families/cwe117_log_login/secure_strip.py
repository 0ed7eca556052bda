def FN(SIGNATURE):
    value = MEMBER.replace("\r", "").replace("\n", "")
    LOGGER.info(f"login by {value}")
