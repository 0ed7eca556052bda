//! The endpoint: cache, turn, attempt, wait, and again, within budget and deadline.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::answer::{Answer, Origin, Reply};
use crate::backoff::backoff;
use crate::budget::{Budget, Spent};
use crate::cache::Cache;
use crate::error::EndpointError;
use crate::flights::Flights;
use crate::key::RequestKey;
use crate::pace::Pace;
use crate::request::Request;
use crate::secret::Secret;
use crate::settings::{EndpointSettings, Resolved, Tape};
use crate::tape::{Player, Recorder};
use crate::transport::Transport;
use crate::wire;

/// One server that may be asked, by any number of threads.
pub struct Endpoint {
    settings: EndpointSettings,
    resolved: Resolved,
    transport: Transport,
    budget: Budget,
    pace: Pace,
    cache: Option<Cache>,
    flights: Flights,
    recorder: Option<Recorder>,
    player: Option<Player>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Endpoint").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Checks the settings, reads the key, opens the files. Nothing is sent.
    ///
    /// # Errors
    /// [`EndpointError::Setting`], [`EndpointError::Key`], [`EndpointError::File`] or [`EndpointError::TapeLine`].
    pub fn open(settings: EndpointSettings) -> Result<Self, EndpointError> {
        let resolved = settings.resolve()?;
        let (recorder, player) = match &settings.tape {
            Some(Tape::Record(path)) => (Some(Recorder::open(path)?), None),
            Some(Tape::Replay(path)) => (None, Some(Player::open(path)?)),
            None => (None, None),
        };
        let variable = settings.api_key_env.as_deref().filter(|_| player.is_none());
        let secret = variable.map(Secret::from_environment).transpose()?;
        let cache = settings.cache.as_deref().filter(|_| player.is_none()).map(Cache::open).transpose()?;
        let roots = settings
            .root_certificates
            .as_deref()
            .map(|path| std::fs::read(path).map_err(|source| EndpointError::File { path: path.to_owned(), source }));
        let roots = roots.transpose()?;
        let host = resolved.host.clone();
        Ok(Self {
            transport: Transport::new(host, secret, settings.max_response_bytes, roots.as_deref())?,
            budget: Budget::new(settings.max_requests, settings.max_tokens, settings.price),
            pace: Pace::new(settings.requests_per_minute),
            flights: Flights::default(),
            resolved,
            cache,
            recorder,
            player,
            settings,
        })
    }

    /// The settings that it was opened with.
    pub fn settings(&self) -> &EndpointSettings {
        &self.settings
    }

    /// What was spent and saved since it was opened.
    pub fn spent(&self) -> Spent {
        self.budget.spent()
    }

    /// The request's content hash, as recordings have it.
    pub fn key(&self, request: &Request) -> RequestKey {
        RequestKey::of(wire::path(request), &wire::body(&self.settings, request))
    }

    /// Ends every [`Endpoint::ask`] with [`EndpointError::Closed`], what waits and what is under way, and sends nothing more. Only looking up a
    /// name and connecting go on, for as long as an attempt may take.
    pub fn close(&self) {
        self.pace.close();
        self.transport.close();
    }

    /// The answer to a request, from the recording, the cache or the server, within `deadline_secs`.
    ///
    /// # Errors
    /// Any [`EndpointError`] but those of opening. An error is never kept.
    pub fn ask(&self, request: &Request) -> Result<Reply, EndpointError> {
        self.ask_until(request, Instant::now() + self.resolved.deadline)
    }

    /// As [`Endpoint::ask`], and not longer than until `until`.
    ///
    /// # Errors
    /// As [`Endpoint::ask`].
    pub fn ask_until(&self, request: &Request, until: Instant) -> Result<Reply, EndpointError> {
        self.pace.check_open()?;
        let until = until.min(Instant::now() + self.resolved.deadline);
        let body = wire::body(&self.settings, request);
        let key = RequestKey::of(wire::path(request), &body);
        if let Some(player) = &self.player {
            let answer = player.get(key)?;
            self.budget.count_taped();
            return Ok(Reply { answer, origin: Origin::Tape, attempts: 0 });
        }
        let reply = match &self.cache {
            Some(cache) => self.ask_cached(request, &body, key, cache, until)?,
            None => self.ask_server(request, &body, key, until)?,
        };
        if let Some(recorder) = &self.recorder {
            recorder.add(key, &self.settings.model, request, &reply.answer)?;
        }
        Ok(reply)
    }

    /// From the cache, or else from the server and into the cache.
    fn ask_cached(
        &self,
        request: &Request,
        body: &Value,
        key: RequestKey,
        cache: &Cache,
        until: Instant,
    ) -> Result<Reply, EndpointError> {
        let place = key.at(&self.resolved.base_url);
        if let Some(answer) = self.cached(cache, place) {
            return Ok(Reply { answer, origin: Origin::Cache, attempts: 0 });
        }
        let Some(_flight) = self.flights.board(place, until) else {
            return Err(EndpointError::DeadlinePassed { attempts: 0, last: None });
        };
        // Whoever was on the way before may have brought it.
        if let Some(answer) = self.cached(cache, place) {
            return Ok(Reply { answer, origin: Origin::Cache, attempts: 0 });
        }
        let reply = self.ask_server(request, body, key, until)?;
        if cache.put(place, &reply.answer).is_err() {
            // The answer is paid for and good; the count tells that it will be paid for again.
            self.budget.count_cache_failure();
        }
        Ok(reply)
    }

    fn cached(&self, cache: &Cache, place: RequestKey) -> Option<Answer> {
        let Ok(answer) = cache.get(place) else {
            self.budget.count_cache_failure();
            return None;
        };
        if answer.is_some() {
            self.budget.count_cached();
        }
        answer
    }

    /// From the server, in as many attempts as there may be.
    fn ask_server(
        &self,
        request: &Request,
        body: &Value,
        key: RequestKey,
        until: Instant,
    ) -> Result<Reply, EndpointError> {
        let longest_answer = u64::from(request.sampling.max_tokens);
        let tokens = wire::estimated_prompt_tokens(request) + longest_answer;
        let Some(_reservation) = self.budget.reserve(tokens, until)? else {
            return Err(EndpointError::DeadlinePassed { attempts: 0, last: None });
        };
        let url = format!("{}/{}", self.resolved.base_url, wire::path(request));
        let body = body.to_string();
        let mut attempts = 0;
        let mut last: Option<Box<EndpointError>> = None;
        loop {
            if !self.pace.wait_for_turn(until)? {
                return Err(EndpointError::DeadlinePassed { attempts, last });
            }
            let limit = until.saturating_duration_since(Instant::now()).min(self.resolved.attempt_timeout);
            if limit < Duration::from_millis(1) {
                return Err(EndpointError::DeadlinePassed { attempts, last });
            }
            self.budget.count_request()?;
            attempts += 1;
            let outcome = self.transport.post(&url, body.as_bytes(), limit);
            let error = match outcome.and_then(|bytes| wire::read(request, &bytes, self.transport.secret())) {
                Ok(answer) => {
                    self.budget.count_usage(answer.usage);
                    return Ok(Reply { answer, origin: Origin::Server, attempts });
                }
                Err(_) if self.pace.check_open().is_err() => return Err(EndpointError::Closed),
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) => Box::new(error),
            };
            if Instant::now() >= until {
                return Err(EndpointError::DeadlinePassed { attempts, last: Some(error) });
            }
            if attempts >= self.settings.max_attempts {
                return Err(EndpointError::GaveUp { attempts, last: error });
            }
            let wait = self.wait_after(&error, attempts, key);
            let resume = Instant::now().checked_add(wait).filter(|resume| *resume < until);
            let Some(resume) = resume else {
                return Err(EndpointError::DeadlinePassed { attempts, last: Some(error) });
            };
            last = Some(error);
            self.pace.sleep_until(resume)?;
        }
    }

    /// How long to wait after an attempt: what the server asks for, if it does, but never less than our own.
    fn wait_after(&self, error: &EndpointError, attempt: u32, key: RequestKey) -> Duration {
        let own = backoff(self.resolved.first_backoff, self.resolved.max_backoff, attempt, key);
        match error {
            EndpointError::Unavailable { retry_after: Some(asked), .. } => {
                self.pace.hold(*asked);
                own.max(*asked)
            }
            _ => own,
        }
    }
}
