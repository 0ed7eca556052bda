import xml.etree.ElementTree as ET


def FN(SIGNATURE):
    root = ET.fromstring(ORDER)
    return sum(int(item.text) for item in root.iter("item"))
