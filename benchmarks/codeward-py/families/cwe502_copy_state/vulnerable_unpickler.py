import io
import pickle


def FN(SIGNATURE):
    LINK.put(pickle.dumps(STATE))
    handle = io.BytesIO(LINK.get())
    return pickle.Unpickler(handle).load()
