from xml.dom import minidom


def FN(SIGNATURE):
    document = minidom.parseString(FEED)
    return document.getElementsByTagName("title")[0].firstChild.data
