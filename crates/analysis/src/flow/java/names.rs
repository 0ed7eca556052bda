//! Names that mean the same, and what types calls return.

use std::rc::Rc;

use crate::flow::value::Value;
use crate::syntax::Constant;

/// Packages whose types go by their simple names.
const PACKAGES: &[&str] = &[
    "java.",
    "javax.",
    "jakarta.",
    "org.springframework.",
    "org.apache.",
    "org.hibernate.",
    "com.fasterxml.",
    "com.thoughtworks.",
    "org.yaml.",
    "org.jdom.",
    "org.jdom2.",
    "org.dom4j.",
    "org.w3c.",
    "org.xml.",
    "io.jsonwebtoken.",
    "com.google.common.",
    "com.google.gson.",
    "org.owasp.",
    "org.mvel2.",
    "ognl.",
    "groovy.",
    "org.bouncycastle.",
    "com.esotericsoftware.",
    "okhttp3.",
    "android.",
    "org.jsoup.",
    "freemarker.",
    "com.auth0.",
    "org.codehaus.",
    "com.alibaba.",
    "com.mongodb.",
    "org.bson.",
    "com.caucho.",
    "com.sun.net.",
    "org.eclipse.jetty.",
    "org.kohsuke.",
    "org.slf4j.",
    "net.lingala.",
    "com.jcraft.",
    "com.unboundid.",
    "io.micronaut.",
    "io.vertx.",
    "org.codelibs.",
    "com.nimbusds.",
    "org.mindrot.",
    "io.undertow.",
];

/// Static methods that return a value of the type they belong to.
const FACTORIES: &[&str] = &[
    "getInstance",
    "newInstance",
    "newFactory",
    "newDefaultInstance",
    "newDefaultFactory",
    "getRuntime",
    "getInstanceStrong",
    "current",
    "compile",
    "newHttpClient",
    "newNSInstance",
    "getDefault",
    "getDefaultType",
    "createDefault",
];

/// What calls return, where the next call matters.
const RETURNED: &[(&str, &str)] = &[
    ("Connection().createStatement", "Statement"),
    ("Connection().prepareStatement", "PreparedStatement"),
    ("Connection().prepareCall", "CallableStatement"),
    ("DriverManager.getConnection", "Connection"),
    ("DataSource().getConnection", "Connection"),
    ("DocumentBuilderFactory().newDocumentBuilder", "DocumentBuilder"),
    ("SAXParserFactory().newSAXParser", "SAXParser"),
    ("SAXParser().getXMLReader", "XMLReader"),
    ("XMLReaderFactory.createXMLReader", "XMLReader"),
    ("TransformerFactory().newTransformer", "Transformer"),
    ("XPathFactory().newXPath", "XPath"),
    ("XPath().compile", "XPathExpression"),
    ("ScriptEngineManager().getEngineByName", "ScriptEngine"),
    ("File().toPath", "Path"),
    ("Paths.get", "Path"),
    ("Path.of", "Path"),
    ("Path().resolve", "Path"),
    ("Path().resolveSibling", "Path"),
    ("Path().normalize", "Path"),
    ("Path().toAbsolutePath", "Path"),
    ("Path().toRealPath", "Path"),
    ("Path().getParent", "Path"),
    ("Path().getFileName", "Path"),
    ("Path().toFile", "File"),
    ("File().getAbsoluteFile", "File"),
    ("File().getCanonicalFile", "File"),
    ("File().getParentFile", "File"),
    ("URL().openConnection", "URLConnection"),
    ("HttpServletResponse().getWriter", "ResponseWriter"),
    ("HttpServletResponse().getOutputStream", "ResponseWriter"),
    ("ServletResponse().getWriter", "ResponseWriter"),
    ("response.getWriter", "ResponseWriter"),
    ("resp.getWriter", "ResponseWriter"),
    ("response.getOutputStream", "ResponseWriter"),
    ("resp.getOutputStream", "ResponseWriter"),
    ("ResponseWriter().append", "ResponseWriter"),
    ("Pattern().matcher", "Matcher"),
    ("LoggerFactory.getLogger", "Logger"),
    ("Logger.getLogger", "Logger"),
    ("LogManager.getLogger", "Logger"),
    ("LogFactory.getLog", "Logger"),
    ("HttpServletRequest().getSession", "HttpSession"),
    ("ESAPI.encoder", "Encoder"),
    ("SSLContext().getSocketFactory", "SSLSocketFactory"),
];

/// Types that say less of a value than what made it.
const LOOSE_TYPES: &[&str] = &[
    "Object",
    "String",
    "CharSequence",
    "List",
    "Map",
    "Set",
    "Collection",
    "Iterable",
    "Iterator",
    "Enumeration",
    "Optional",
    "Comparable",
    "Serializable",
    "T",
    "Closeable",
    "AutoCloseable",
    "Runnable",
];

/// The usual name of what a path names.
pub(super) fn canonical(path: &str) -> Rc<str> {
    let path = if path.contains(").") { path.strip_prefix("new ").unwrap_or(path) } else { path };
    let bare = if path.starts_with(|first: char| first.is_lowercase())
        && PACKAGES.iter().any(|package| path.starts_with(package))
        && let Some(at) = path
            .split('.')
            .scan(0, |at, part| {
                let start = *at;
                *at += part.len() + 1;
                Some((start, part))
            })
            .find(|(_, part)| part.starts_with(|first: char| first.is_uppercase()))
            .map(|(at, _)| at)
    {
        &path[at..]
    } else {
        path
    };
    let Some(end) = bare.rfind("().") else { return bare.into() };
    let (made, rest) = (&bare[..end], &bare[end + 3..]);
    if let Some((_, kind)) = RETURNED.iter().find(|(call, _)| *call == made) {
        return format!("{kind}().{rest}").into();
    }
    if let Some(step) = made.strip_prefix("HttpSecurity().").or_else(|| made.strip_prefix("HttpSecurityPart()."))
        && !matches!(step, "csrf" | "frameOptions")
    {
        // Long chains of settings: `and` comes back to the start.
        let kind = if step == "and" { "HttpSecurity" } else { "HttpSecurityPart" };
        return format!("{kind}().{rest}").into();
    }
    match made.split_once('.') {
        Some((kind, method)) if FACTORIES.contains(&method) => format!("{kind}().{rest}").into(),
        _ => bare.into(),
    }
}

/// The simple name of a value's type, as far as it is known; otherwise nothing.
pub(crate) fn kind_of(value: &Value) -> String {
    let path = value.path_text();
    let next = canonical(&format!("{path}._"));
    let kind = next.strip_suffix("()._").unwrap_or_default();
    if kind.contains(['.', '(']) { String::new() } else { kind.to_owned() }
}

/// Whether the type of a declaration says more of a value than the path of what made it.
pub(super) fn type_decides(made: &str, kind: &str) -> bool {
    let kind = kind.trim_end_matches("()");
    !made.starts_with("new ")
        && !made.starts_with("HttpServletResponse()")
        && !made.starts_with("resp")
        && !made.starts_with("self")
        && !kind.ends_with(']')
        && !LOOSE_TYPES.contains(&kind)
}

/// The value of a named constant of the library.
pub(super) fn constant(path: &str) -> Option<Constant> {
    let text = |text: &str| Some(Constant::Text(text.into()));
    match path {
        "File.separator" | "File.separatorChar" => text("/"),
        "Boolean.TRUE" => Some(Constant::Boolean(true)),
        "Boolean.FALSE" => Some(Constant::Boolean(false)),
        "Integer.MAX_VALUE" => Some(Constant::Integer(i64::from(i32::MAX))),
        "XMLConstants.FEATURE_SECURE_PROCESSING" => text("http://javax.xml.XMLConstants/feature/secure-processing"),
        "XMLConstants.ACCESS_EXTERNAL_DTD" => text("http://javax.xml.XMLConstants/property/accessExternalDTD"),
        "XMLConstants.ACCESS_EXTERNAL_STYLESHEET" => {
            text("http://javax.xml.XMLConstants/property/accessExternalStylesheet")
        }
        "XMLConstants.ACCESS_EXTERNAL_SCHEMA" => text("http://javax.xml.XMLConstants/property/accessExternalSchema"),
        "XMLInputFactory.SUPPORT_DTD" => text("javax.xml.stream.supportDTD"),
        "XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES" => text("javax.xml.stream.isSupportingExternalEntities"),
        "Cipher.ENCRYPT_MODE" | "Context.MODE_WORLD_READABLE" | "MODE_WORLD_READABLE" => Some(Constant::Integer(1)),
        "Cipher.DECRYPT_MODE" | "Context.MODE_WORLD_WRITEABLE" | "MODE_WORLD_WRITEABLE" => Some(Constant::Integer(2)),
        "MessageDigestAlgorithms.MD5" => text("MD5"),
        "MessageDigestAlgorithms.MD2" => text("MD2"),
        "MessageDigestAlgorithms.SHA_1" => text("SHA-1"),
        _ => None,
    }
}
