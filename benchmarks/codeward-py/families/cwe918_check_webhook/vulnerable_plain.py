def FN(SIGNATURE):
    return POSTER(HOOK) == 200
