//! One blob on its way to a registry (OCI distribution spec, "Pushing blobs").

use std::sync::Arc;

use ureq::Body;
use ureq::http::{Method, Response};
use url::Url;

use super::session::{Ask, Content, Session};
use super::{Place, RegistryError, scope};
use crate::Digest;
use crate::download::Patience;
use crate::meter::Mark;
use crate::store::Extent;

/// Larger blobs go in pieces of this size, so that a broken connection costs
/// one piece at most.
const PIECE: u64 = if cfg!(test) { 1 << 20 } else { 32 << 20 };

/// A blob and where it is to be.
pub(super) struct Upload<'a> {
    pub place: &'a Place,
    /// What errors call it.
    pub what: String,
    pub digest: Digest,
    pub extent: Extent,
    /// Repositories of the same registry that may have it.
    pub origins: Vec<String>,
    pub mark: Arc<Mark>,
}

/// Where an upload that was begun goes on.
struct Begun {
    location: Url,
    /// Bytes that are there.
    offset: u64,
    piece: u64,
}

impl Upload<'_> {
    /// Makes sure that the registry has the blob.
    pub fn run(&self) -> Result<(), RegistryError> {
        let session = &self.place.session;
        if session.patiently(|| self.is_there())? || self.is_mounted() {
            self.mark.at(self.extent.size);
            return Ok(());
        }
        let mut patience = Patience::new();
        let mut begun: Option<Begun> = None;
        // Some registries take a blob only whole.
        let mut whole = false;
        loop {
            let error = match self.go_on(&mut begun, whole) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.is_passing() {
                if let Err(error) = session.pause(&mut patience, error) {
                    return Err(self.give_up(begun, error));
                }
                continue;
            }
            let refused = matches!(
                error,
                RegistryError::Missing { .. } | RegistryError::Status { .. }
            );
            let in_pieces = begun.as_ref().is_some_and(|_| self.extent.size > PIECE);
            if !refused || whole || !in_pieces {
                return Err(self.give_up(begun, error));
            }
            whole = true;
            self.cancel(begun.take());
        }
    }

    fn session(&self) -> &Session {
        &self.place.session
    }

    fn ask(&self, method: Method, place: String) -> Ask<'_> {
        Ask {
            what: &self.what,
            method,
            place,
            repository: &self.place.repository,
            scopes: &self.place.scopes,
            headers: Vec::new(),
            content: None,
        }
    }

    fn is_there(&self) -> Result<bool, RegistryError> {
        let place = format!("/v2/{}/blobs/{}", self.place.repository, self.digest);
        let answer = self
            .session()
            .expect(&self.ask(Method::HEAD, place), &[200, 404])?;
        Ok(answer.status() == 200)
    }

    /// Asks the registry to take the blob from another repository. That it
    /// cannot is nothing worth telling: then it is sent.
    fn is_mounted(&self) -> bool {
        self.origins.iter().any(|origin| {
            let place = format!(
                "/v2/{}/blobs/uploads/?mount={}&from={origin}",
                self.place.repository, self.digest
            );
            let mut scopes = self.place.scopes.clone();
            scopes.push(scope(origin, "pull"));
            let mut ask = self.ask(Method::POST, place);
            ask.scopes = &scopes;
            ask.content = Some(Content::Bytes(Vec::new()));
            match self.session().expect(&ask, &[201, 202]) {
                Ok(answer) if answer.status() == 201 => true,
                // An upload was begun instead; it is not the one that is used.
                Ok(answer) => {
                    self.cancel(self.begun(&ask, &answer).ok());
                    false
                }
                Err(_) => false,
            }
        })
    }

    /// Begins, or finds out how far it got, and sends the rest.
    fn go_on(&self, slot: &mut Option<Begun>, whole: bool) -> Result<(), RegistryError> {
        let mut begun = match slot.take() {
            Some(begun) if !whole && self.extent.size > PIECE => self.how_far(begun)?,
            _ => self.begin()?,
        };
        while !whole && self.extent.size > PIECE && begun.offset < self.extent.size {
            match self.send_piece(&begun) {
                Ok(next) => begun = next,
                Err(error) => {
                    *slot = Some(begun);
                    return Err(error);
                }
            }
        }
        let rest = self.part(begun.offset, self.extent.size - begun.offset);
        let done = self.finish(&begun, rest);
        *slot = Some(begun);
        done
    }

    fn begin(&self) -> Result<Begun, RegistryError> {
        let place = format!("/v2/{}/blobs/uploads/", self.place.repository);
        let mut ask = self.ask(Method::POST, place);
        ask.content = Some(Content::Bytes(Vec::new()));
        let answer = self.session().expect(&ask, &[202])?;
        self.begun(&ask, &answer)
    }

    fn begun(&self, ask: &Ask<'_>, answer: &Response<Body>) -> Result<Begun, RegistryError> {
        let least: u64 = header(answer, "oci-chunk-min-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        Ok(Begun {
            location: self.location(ask, answer)?,
            offset: 0,
            piece: PIECE.max(least),
        })
    }

    fn send_piece(&self, begun: &Begun) -> Result<Begun, RegistryError> {
        let size = begun.piece.min(self.extent.size - begun.offset);
        let end = begun.offset + size;
        let mut ask = self.ask(Method::PATCH, begun.location.to_string());
        ask.headers = vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("content-range", format!("{}-{}", begun.offset, end - 1)),
        ];
        ask.content = Some(self.part(begun.offset, size));
        let answer = self.session().expect(&ask, &[202])?;
        Ok(Begun {
            location: self.location(&ask, &answer)?,
            // What it has counts, not what was sent.
            offset: received(&answer).filter(|got| *got <= end).unwrap_or(end),
            piece: begun.piece,
        })
    }

    /// Asks how much has arrived of an upload that broke off.
    fn how_far(&self, begun: Begun) -> Result<Begun, RegistryError> {
        let ask = self.ask(Method::GET, begun.location.to_string());
        let answer = match self.session().expect(&ask, &[202, 204]) {
            Ok(answer) => answer,
            Err(RegistryError::Missing { .. }) => return self.begin(),
            Err(error) => return Err(error),
        };
        Ok(Begun {
            // Only a new place is told.
            location: match header(&answer, "location") {
                Some(_) => self.location(&ask, &answer)?,
                None => begun.location,
            },
            offset: received(&answer)
                .filter(|got| *got <= self.extent.size)
                .unwrap_or(0),
            piece: begun.piece,
        })
    }

    fn finish(&self, begun: &Begun, rest: Content) -> Result<(), RegistryError> {
        let mut location = begun.location.clone();
        location
            .query_pairs_mut()
            .append_pair("digest", &self.digest.to_string());
        let mut ask = self.ask(Method::PUT, location.to_string());
        ask.headers = vec![("content-type", "application/octet-stream".to_owned())];
        ask.content = Some(rest);
        self.session().expect(&ask, &[201, 204]).map(drop)
    }

    fn part(&self, offset: u64, size: u64) -> Content {
        match size {
            0 => Content::Bytes(Vec::new()),
            _ => Content::Part {
                part: Extent {
                    file: self.extent.file.clone(),
                    offset: self.extent.offset + offset,
                    size,
                },
                position: offset,
                mark: Arc::clone(&self.mark),
            },
        }
    }

    fn location(&self, ask: &Ask<'_>, answer: &Response<Body>) -> Result<Url, RegistryError> {
        let given = header(answer, "location").ok_or_else(|| RegistryError::Malformed {
            what: self.what.clone(),
            host: self.session().host.name.clone(),
            why: "no place to send a blob to".to_owned(),
        })?;
        let base = self.session().address(ask)?;
        let absolute = base
            .join(given)
            .map_or_else(|_| given.to_owned(), |url| url.to_string());
        self.session().address(&self.ask(Method::PUT, absolute))
    }

    fn give_up(&self, begun: Option<Begun>, error: RegistryError) -> RegistryError {
        self.cancel(begun);
        error
    }

    /// Tells the registry that nothing more comes. It finds out by itself
    /// too, some day.
    fn cancel(&self, begun: Option<Begun>) {
        if let Some(begun) = begun {
            let ask = self.ask(Method::DELETE, begun.location.to_string());
            let _ = self.session().expect(&ask, &[204]);
        }
    }
}

/// `Range: 0-1023`: 1024 bytes are there. `0-0` is what nothing looks like
/// in some registries, and one byte in others: then it is not known.
fn received(answer: &Response<Body>) -> Option<u64> {
    let range = header(answer, "range")?;
    let (_, last) = range.trim_start_matches("bytes=").split_once('-')?;
    match last.parse::<u64>().ok()? {
        0 => None,
        last => Some(last + 1),
    }
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}
