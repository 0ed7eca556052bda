from xml.dom import minidom


def FN(SIGNATURE):
    document = minidom.parseString(ORDER)
    items = document.getElementsByTagName("item")
    return sum(int(item.firstChild.data) for item in items)
