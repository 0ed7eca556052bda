import ssl


def FN(SIGNATURE):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(PROTOCOLS)
    return context
