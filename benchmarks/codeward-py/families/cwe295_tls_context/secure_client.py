import ssl


def FN(SIGNATURE):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.set_alpn_protocols(PROTOCOLS)
    return context
