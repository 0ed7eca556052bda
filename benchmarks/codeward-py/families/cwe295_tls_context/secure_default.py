import ssl


def FN(SIGNATURE):
    context = ssl.create_default_context()
    context.set_alpn_protocols(PROTOCOLS)
    return context
