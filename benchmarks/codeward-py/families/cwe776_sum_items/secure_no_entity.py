from xml.dom import minidom


def FN(SIGNATURE):
    if "<!ENTITY" in ORDER:
        raise ValueError("entity refused")
    document = minidom.parseString(ORDER)
    items = document.getElementsByTagName("item")
    return sum(int(item.firstChild.data) for item in items)
