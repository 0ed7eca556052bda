import os
import pickle


def FN(SIGNATURE):
    if os.path.exists(STORE):
        with open(STORE, "rb") as handle:
            return pickle.load(handle)
    with open(STORE, "wb") as handle:
        pickle.dump(RECORD, handle)
    return RECORD
