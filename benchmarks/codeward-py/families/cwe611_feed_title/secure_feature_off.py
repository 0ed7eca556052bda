import xml.sax
from xml.dom import minidom
from xml.sax.handler import feature_external_ges


def FN(SIGNATURE):
    parser = xml.sax.make_parser()
    parser.setFeature(feature_external_ges, False)
    document = minidom.parseString(FEED, parser)
    document.normalize()
    return document.getElementsByTagName("title")[0].firstChild.data
