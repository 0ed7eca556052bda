//! Names that mean the same.

use std::rc::Rc;

use crate::syntax::Constant;

/// Other names of what has a usual one.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("this", "self"),
    ("window.", ""),
    ("globalThis.", ""),
    ("global.", ""),
    ("document.location", "location"),
    ("top.location", "location"),
    ("parent.location", "location"),
    ("fs-extra", "fs"),
    ("graceful-fs", "fs"),
    ("fs.promises", "fs"),
    ("https.", "http."),
    ("mysql2", "mysql"),
    ("mysql.promise", "mysql"),
    ("path.posix", "path"),
    ("path.win32", "path"),
    ("url.URL", "URL"),
    ("bcryptjs", "bcrypt"),
    ("node-fetch", "fetch"),
    ("cross-fetch", "fetch"),
    ("isomorphic-fetch", "fetch"),
    ("_", "lodash"),
    ("underscore", "lodash"),
    ("$", "jquery"),
    ("jQuery", "jquery"),
    ("koa-router", "Router"),
    ("express.Router", "Router"),
    ("res.status()", "res"),
    ("res.code()", "res"),
    ("res.type()", "res"),
    ("res.set()", "res"),
    ("res.header()", "res"),
    ("res.cookie()", "res"),
    ("res.clearCookie()", "res"),
    ("res.contentType()", "res"),
    ("res.attachment()", "res"),
    ("ctx.response.", "ctx."),
    ("buffer.Buffer", "Buffer"),
    ("crypto.webcrypto", "crypto"),
    ("crypto.default", "crypto"),
    ("js-yaml", "yaml"),
    ("libxmljs2", "libxmljs"),
];

/// The usual name of what a path names.
pub(super) fn canonical(path: &str) -> Rc<str> {
    let path = path.strip_prefix("node:").unwrap_or(path);
    for (other, usual) in OTHER_NAMES {
        if let Some(rest) = path.strip_prefix(other)
            && (other.ends_with('.') || rest.is_empty() || rest.starts_with(['.', '(']))
        {
            return if other.ends_with('.') {
                canonical(&format!("{usual}{rest}"))
            } else {
                format!("{usual}{rest}").into()
            };
        }
    }
    path.into()
}

/// The value of a named constant of the library.
pub(super) fn constant(path: &str) -> Option<Constant> {
    Some(match path {
        "undefined" => Constant::None,
        "NaN" => Constant::Float(f64::NAN),
        "Infinity" => Constant::Float(f64::INFINITY),
        "path.sep" => Constant::Text("/".into()),
        "os.EOL" => Constant::Text("\n".into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_objects_have_one_name() {
        for (path, usual) in [
            ("node:fs", "fs"),
            ("fs.promises.readFile", "fs.readFile"),
            ("window.document.location.href", "location.href"),
            ("res.status().send", "res.send"),
            ("_.merge", "lodash.merge"),
            ("pathology", "pathology"),
        ] {
            assert_eq!(canonical(path).as_ref(), usual);
        }
    }
}
