//! A model from the hub into the cache.

use std::fs;
use std::path::PathBuf;

use codeward_endpoint::{EndpointError, Fetcher};

use crate::cache::{Place, at, cached};
use crate::error::HubError;
use crate::listing::{INDEX, Listing, RemoteFile};
use crate::model_id::{ModelId, is_commit};
use crate::settings::HubSettings;
use crate::transfer::{Event, Retrying, Transfer, is_whole};

/// The longest listing; one of a repository with a hundred thousand files has this.
const MAX_LISTING_BYTES: u64 = 32 << 20;

/// A model that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Its folder, or the file that was named.
    pub path: PathBuf,
    /// The commit that the revision is at.
    pub commit: String,
}

/// Asks the hub what the revision holds now, and brings what is missing of it. A whole commit that is here already needs no
/// question.
///
/// # Errors
/// Any [`HubError`]. What has come until then is kept, and the next call goes on from there.
pub fn download(
    settings: &HubSettings,
    id: &ModelId,
    mut on_event: impl FnMut(Event<'_>),
) -> Result<Downloaded, HubError> {
    if is_commit(id.revision())
        && let Ok(path) = cached(settings, id)
    {
        return Ok(Downloaded { path, commit: id.revision().to_owned() });
    }
    if let Some(variable) = settings.forbidden_by {
        return Err(HubError::Offline { variable });
    }
    let fetcher = settings.fetcher()?;
    let on_event: &mut dyn FnMut(Event<'_>) = &mut on_event;
    let listing = list(settings, &fetcher, id, on_event)?;
    on_event(Event::Commit(&listing.commit));
    let place = Place::new(settings, id);
    place.create()?;
    let commit = listing.commit.as_str();
    let transfer = Transfer { fetcher: &fetcher, id, place: &place, commit, patience: settings.patience };
    let mut bring = |files: &[RemoteFile]| -> Result<(), HubError> {
        make_sure_of_room(settings, id, &place, files)?;
        for file in files {
            transfer.bring(file, on_event)?;
            place.link(commit, &file.name, &file.checksum)?;
        }
        Ok(())
    };
    let files = if let Some(file) = id.file() {
        vec![listing.one(id, file)?]
    } else {
        let mut files = listing.companions(id)?;
        let index = files.iter().find(|file| file.name == INDEX).cloned();
        let weights = listing.weights(id, || {
            bring(index.as_slice())?;
            let path = place.snapshot(commit).join(INDEX);
            fs::read(&path).map_err(at(&path))
        });
        files.extend(weights?);
        files
    };
    bring(&files)?;
    // Last of all, so that a branch points to its old commit until the new one is whole.
    place.note(id.revision(), commit)?;
    Ok(Downloaded { path: cached(settings, id)?, commit: commit.to_owned() })
}

/// What the hub says of the revision.
fn list(
    settings: &HubSettings,
    fetcher: &Fetcher,
    id: &ModelId,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Listing, HubError> {
    // The parts of a revision's name are one part of the path.
    let revision = id.revision().replace('/', "%2F");
    let path = format!("api/models/{}/{}/revision/{revision}?blobs=true", id.owner(), id.name());
    let mut retrying = Retrying::new(settings.patience);
    loop {
        let answer = fetcher.get(&path, 0).and_then(|fetched| fetched.read_all(MAX_LISTING_BYTES));
        let error: EndpointError = match answer {
            Ok(json) => {
                let listing = Listing::parse(id, &json)?;
                let is_other = is_commit(id.revision()) && listing.commit != id.revision();
                if is_other {
                    let problem = format!("is of commit {}", listing.commit);
                    return Err(HubError::Listing { id: id.to_string(), problem });
                }
                return Ok(listing);
            }
            Err(error) => error,
        };
        retrying.wait(id, "listing", error, on_event)?;
    }
}

/// Refuses what the disk has no room for, before anything of it is asked for.
fn make_sure_of_room(
    settings: &HubSettings,
    id: &ModelId,
    place: &Place,
    files: &[RemoteFile],
) -> Result<(), HubError> {
    let mut needed = 0_u64;
    for file in files {
        if !is_whole(&place.blob(&file.checksum), file.size) {
            let here = fs::metadata(place.incomplete(&file.checksum)).map_or(0, |found| found.len());
            needed = needed.saturating_add(file.size.saturating_sub(here));
        }
    }
    let cache = &settings.cache;
    let disk = rustix::fs::statvfs(cache).map_err(|error| at(cache)(error.into()))?;
    let available = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > available {
        return Err(HubError::NoRoom { id: id.to_string(), needed, available, cache: cache.clone() });
    }
    Ok(())
}
