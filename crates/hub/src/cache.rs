//! The cache on this machine: which folder a model lies in, and how its parts get there.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::digest::Checksum;
use crate::error::HubError;
use crate::listing::{CONFIG, INDEX, MAX_TEXT_BYTES, WEIGHTS, shards};
use crate::model_id::{ModelId, is_commit};
use crate::settings::HubSettings;

/// The folder of a model, or the path of the file that it names, if it is in the cache. No network is touched.
///
/// # Errors
/// [`HubError::NotCached`] or [`HubError::Incomplete`], or [`HubError::File`] if the cache cannot be read.
pub fn cached(settings: &HubSettings, id: &ModelId) -> Result<PathBuf, HubError> {
    let place = Place::new(settings, id);
    let not_cached = || HubError::NotCached { id: id.to_string(), cache: settings.cache.clone() };
    let commit = place.commit(id.revision())?.ok_or_else(not_cached)?;
    let snapshot = place.snapshot(&commit);
    if !snapshot.is_dir() {
        return Err(not_cached());
    }
    match missing(&snapshot, id)? {
        Some(missing) => Err(HubError::Incomplete { id: id.to_string(), missing }),
        None => Ok(id.file().map_or(snapshot.clone(), |file| snapshot.join(file))),
    }
}

/// The folders of one repository.
pub(crate) struct Place {
    folder: PathBuf,
    locks: PathBuf,
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> HubError {
    move |source| HubError::File { path: path.to_owned(), source }
}

impl Place {
    pub(crate) fn new(settings: &HubSettings, id: &ModelId) -> Self {
        let name = format!("models--{}--{}", id.owner(), id.name());
        Self { folder: settings.cache.join(&name), locks: settings.cache.join(".locks").join(name) }
    }

    /// Makes the folders.
    pub(crate) fn create(&self) -> Result<(), HubError> {
        for folder in
            [self.folder.join("blobs"), self.folder.join("snapshots"), self.folder.join("refs"), self.locks.clone()]
        {
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        Ok(())
    }

    /// Where a file with this checksum lies.
    pub(crate) fn blob(&self, checksum: &Checksum) -> PathBuf {
        self.folder.join("blobs").join(checksum.digits())
    }

    /// Where what has come of it lies until all has.
    pub(crate) fn incomplete(&self, checksum: &Checksum) -> PathBuf {
        self.folder.join("blobs").join(format!("{}.incomplete", checksum.digits()))
    }

    /// The lock of whoever writes it, which other programs that use this cache take too. `waiting` is called before waiting.
    pub(crate) fn lock(&self, checksum: &Checksum, waiting: impl FnOnce()) -> Result<File, HubError> {
        let path = self.locks.join(format!("{}.lock", checksum.digits()));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        if file.try_lock().is_err() {
            waiting();
            file.lock().map_err(at(&path))?;
        }
        Ok(file)
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The commit that a revision was at when it was last downloaded.
    fn commit(&self, revision: &str) -> Result<Option<String>, HubError> {
        if is_commit(revision) {
            return Ok(Some(revision.to_owned()));
        }
        let path = self.folder.join("refs").join(revision);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|commit| is_commit(commit))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Notes at which commit a revision is.
    pub(crate) fn note(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if is_commit(revision) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let beside = beside(&self.folder, "refs");
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(commit.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&beside, &path)).map_err(at(&path))
    }

    /// Gives a file that is there its name in a snapshot.
    pub(crate) fn link(&self, commit: &str, name: &str, checksum: &Checksum) -> Result<(), HubError> {
        let snapshot = self.snapshot(commit);
        fs::create_dir_all(&snapshot).map_err(at(&snapshot))?;
        let path = snapshot.join(name);
        let target = Path::new("../../blobs").join(checksum.digits());
        if fs::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(());
        }
        match symlink(&target, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let beside = beside(&snapshot, name);
                symlink(&target, &beside).and_then(|()| fs::rename(&beside, &path)).map_err(at(&path))
            }
            done => done.map_err(at(&path)),
        }
    }
}

/// The first file that a model needs and a snapshot lacks. A link to nothing is a file that is not there.
fn missing(snapshot: &Path, id: &ModelId) -> Result<Option<String>, HubError> {
    let lacks = |name: &str| !snapshot.join(name).is_file();
    let first = |names: &[&str]| names.iter().find(|name| lacks(name)).map(|name| (*name).to_owned());
    if let Some(file) = id.file() {
        return Ok(first(&[file]));
    }
    if lacks(WEIGHTS) && !lacks(INDEX) {
        let path = snapshot.join(INDEX);
        let index = read_index(&path).map_err(at(&path))?;
        let shards = shards(&index).map_err(|problem| HubError::Listing { id: id.to_string(), problem })?;
        return Ok(first(&[CONFIG]).or_else(|| shards.into_iter().find(|name| lacks(name))));
    }
    Ok(first(&[CONFIG, WEIGHTS]))
}

/// A name that nobody else uses, for what will be renamed.
fn beside(folder: &Path, name: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    folder.join(format!(".{name}.{process}-{number}.incomplete"))
}

/// The text of an index, of a length that an index has.
fn read_index(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Patience;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn settings(cache: &Path) -> HubSettings {
        HubSettings {
            cache: cache.to_owned(),
            endpoint: "http://127.0.0.1:9".to_owned(),
            token_variable: None,
            forbidden_by: None,
            patience: Patience::default(),
        }
    }

    fn problem(settings: &HubSettings, id: &str) -> String {
        cached(settings, &id.parse().unwrap()).unwrap_err().to_string()
    }

    /// The layout is that of `huggingface_hub` 2.4: `hf download hf-internal-testing/tiny-random-gpt2` makes the same.
    #[test]
    fn what_python_left_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        assert!(problem(&settings, "hf:a/b").contains("is not in the cache"));
        let model = folder.path().join("models--a--b");
        let snapshot = model.join("snapshots").join(COMMIT);
        for part in [model.join("blobs"), model.join("refs/refs/pr"), snapshot.clone()] {
            fs::create_dir_all(part).unwrap();
        }
        fs::write(model.join("refs/main"), COMMIT).unwrap();
        fs::write(model.join("refs/refs/pr/7"), format!("{COMMIT}\n")).unwrap();
        assert_eq!(problem(&settings, "hf:a/b"), "hf:a/b is in the cache without its config.json");
        let add = |name: &str, text: &str| {
            fs::write(model.join("blobs").join(name.len().to_string()), text).unwrap();
            symlink(format!("../../blobs/{}", name.len()), snapshot.join(name)).unwrap();
        };
        add(CONFIG, "{}");
        assert!(problem(&settings, "hf:a/b").ends_with("without its model.safetensors"));
        add(INDEX, r#"{"weight_map": {"x": "one.safetensors", "y": "two.safetensors"}}"#);
        add("one.safetensors", "");
        assert!(problem(&settings, "hf:a/b").ends_with("without its two.safetensors"));
        // A link whose file was removed is no file.
        symlink("../../blobs/none", snapshot.join("two.safetensors")).unwrap();
        assert!(problem(&settings, "hf:a/b").ends_with("without its two.safetensors"));
        fs::write(model.join("blobs/none"), "").unwrap();
        for revision in ["", "@main", "@refs/pr/7", &format!("@{COMMIT}")] {
            let id: ModelId = format!("hf:a/b{revision}").parse().unwrap();
            assert_eq!(cached(&settings, &id).unwrap(), snapshot, "{revision}");
        }
        assert!(problem(&settings, "hf:a/b@v2").contains("is not in the cache"));
        assert!(problem(&settings, "hf:a/b@main/x").contains("is not in the cache"));
        assert!(problem(&settings, &format!("hf:a/b@{}", "f".repeat(40))).contains("is not in the cache"));
        assert!(problem(&settings, "hf:a/b/m.gguf").ends_with("without its m.gguf"));
        fs::write(snapshot.join("m.gguf"), "").unwrap();
        assert_eq!(cached(&settings, &"hf:a/b/m.gguf".parse().unwrap()).unwrap(), snapshot.join("m.gguf"));
        fs::write(snapshot.join("model.safetensors.index.json"), r#"{"weight_map": {"x": "../../../x.safetensors"}}"#)
            .unwrap();
        assert!(problem(&settings, "hf:a/b").contains("expected a .safetensors file beside it"));
        fs::write(model.join("refs/main"), "../../elsewhere").unwrap();
        assert!(problem(&settings, "hf:a/b").contains("is not in the cache"));
    }
}
