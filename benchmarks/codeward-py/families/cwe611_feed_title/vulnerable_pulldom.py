import xml.sax
from xml.dom import pulldom
from xml.sax.handler import feature_external_ges


def FN(SIGNATURE):
    parser = xml.sax.make_parser()
    parser.setFeature(feature_external_ges, True)
    document = pulldom.parseString(FEED, parser)
    for event, node in document:
        if event == "START_ELEMENT" and node.tagName == "title":
            document.expandNode(node)
            node.normalize()
            return node.firstChild.data
