import xml.etree.ElementTree as ET


def FN(SIGNATURE):
    root = ET.fromstring(FEED)
    return root.findtext("title")
