//! Names that mean the same.

use std::rc::Rc;

/// Names that old code uses for what now has another name.
const OLD_NAMES: &[(&str, &str)] = &[
    ("builtins.", ""),
    ("__builtin__.", ""),
    ("__builtins__.", ""),
    ("io.open", "open"),
    ("codecs.open", "open"),
    ("posixpath.", "os.path."),
    ("ntpath.", "os.path."),
    ("posix.", "os."),
    ("cPickle.", "pickle."),
    ("_pickle.", "pickle."),
    ("_random.", "random."),
    ("xml.etree.cElementTree", "xml.etree.ElementTree"),
    ("urllib2.urlopen", "urllib.request.urlopen"),
    ("urllib.urlopen", "urllib.request.urlopen"),
    ("urlparse.", "urllib.parse."),
    ("Crypto.", "Cryptodome."),
    ("pathlib.PosixPath", "pathlib.Path"),
    ("pathlib.PurePath", "pathlib.Path"),
    ("pathlib.PurePosixPath", "pathlib.Path"),
    ("urllib.parse.urlsplit", "urllib.parse.urlparse"),
    ("flask.Markup", "markupsafe.Markup"),
    ("Popen", "subprocess.Popen"),
    ("check_output", "subprocess.check_output"),
    ("check_call", "subprocess.check_call"),
    ("_md5.md5", "hashlib.md5"),
    ("_sha1.sha1", "hashlib.sha1"),
    ("defusedxml.cElementTree", "defusedxml.ElementTree"),
];

/// What a form of a web framework was sent.
fn is_sent(path: &str) -> bool {
    path.split_once("Form().").is_some_and(|(_, field)| {
        field == "cleaned_data"
            || field == "data"
            || field.strip_suffix(".data").is_some_and(|name| !name.contains('('))
    })
}

/// The usual name of what a path names.
pub(super) fn canonical(path: &str) -> Rc<str> {
    if is_sent(path) {
        return "request.form".into();
    }
    for (old, new) in OLD_NAMES {
        if let Some(rest) = path.strip_prefix(old)
            && (old.ends_with('.') || rest.is_empty() || rest.starts_with(['.', '(']))
        {
            return format!("{new}{rest}").into();
        }
    }
    path.into()
}
