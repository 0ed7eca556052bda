import xml.etree.ElementTree as ET


def FN(SIGNATURE):
    if "<!DOCTYPE" in ORDER:
        raise ValueError("document type refused")
    root = ET.fromstring(ORDER)
    return sum(int(item.text) for item in root.iter("item"))
