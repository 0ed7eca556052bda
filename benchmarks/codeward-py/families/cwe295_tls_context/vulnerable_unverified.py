import ssl


def FN(SIGNATURE):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(PROTOCOLS)
    return context
