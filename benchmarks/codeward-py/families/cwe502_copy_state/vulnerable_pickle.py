import pickle


def FN(SIGNATURE):
    LINK.put(pickle.dumps(STATE))
    return pickle.loads(LINK.get())
