def FN(SIGNATURE):
    return NOTICE.format(**EVENT)
