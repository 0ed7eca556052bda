def FN(SIGNATURE):
    return NOTICE.format_map(EVENT)
