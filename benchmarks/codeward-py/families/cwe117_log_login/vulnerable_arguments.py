def FN(SIGNATURE):
    LOGGER.info("login by %s", MEMBER)
