//! Which question comes next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;

use super::http::Response;
use super::{HttpProbe, Limits, Probe, links, openapi};

/// The questions of a run: given ones, or ones that are found on the way.
pub(super) enum Agenda<'a> {
    /// Known beforehand, or told by the run that finds them.
    Fixed(Box<dyn Iterator<Item = Probe> + Send + 'a>),
    Growing(Crawl),
}

impl Agenda<'_> {
    pub(super) fn next(&mut self) -> Option<Probe> {
        match self {
            Agenda::Fixed(probes) => probes.next(),
            Agenda::Growing(crawl) => crawl.next(),
        }
    }

    /// Called with every probe that can be repeated: once it was answered, or,
    /// for programs, when it is begun.
    pub(super) fn tell(&mut self, probe: &Probe) {
        if let Agenda::Growing(crawl) = self
            && let Some(listener) = &crawl.listener
        {
            // A second run that gave up does not stop this one.
            let _ = listener.send(probe.clone());
        }
    }

    pub(super) fn learn(&mut self, probe: &HttpProbe, response: &Response) {
        if let Agenda::Growing(crawl) = self {
            crawl.learn(probe, response);
        }
    }
}

/// Where an API description is looked for; the next one only if the one before
/// is none.
const DESCRIPTIONS: [&str; 3] = ["/openapi.json", "/openapi", "/swagger.json"];

/// Finds questions: breadth first from `GET /` and from what the user gave.
pub(super) struct Crawl {
    queue: VecDeque<Probe>,
    /// Everything that was queued, and how many links away it is from what was
    /// asked for outright.
    seen: BTreeMap<HttpProbe, usize>,
    left: usize,
    depth: usize,
    automatic: bool,
    listener: Option<Sender<Probe>>,
}

impl Crawl {
    /// `automatic` allows questions of whit's own; `listener` hears every
    /// question that was asked.
    pub(super) fn new(limits: &Limits, automatic: bool, listener: Option<Sender<Probe>>) -> Self {
        Self {
            queue: VecDeque::new(),
            seen: BTreeMap::new(),
            left: limits.requests,
            depth: limits.depth,
            automatic,
            listener,
        }
    }

    /// What the user gave; never left out.
    pub(super) fn give(&mut self, probe: Probe) {
        if let Probe::Http(http) = &probe {
            self.seen.insert(http.clone(), 0);
        }
        self.queue.push_back(probe);
    }

    /// A question of whit's own, `depth` links away.
    pub(super) fn suggest(&mut self, probe: HttpProbe, depth: usize) {
        if !self.automatic || self.left == 0 || depth > self.depth || self.seen.contains_key(&probe)
        {
            return;
        }
        self.left -= 1;
        self.seen.insert(probe.clone(), depth);
        self.queue.push_back(Probe::Http(probe));
    }

    fn next(&mut self) -> Option<Probe> {
        self.queue.pop_front()
    }

    /// Queues what an answer leads to.
    fn learn(&mut self, probe: &HttpProbe, response: &Response) {
        if probe.method != "GET" {
            return;
        }
        let depth = self.seen.get(probe).copied().unwrap_or(0);
        let page = |target: String| HttpProbe {
            method: "GET".to_owned(),
            target,
            port: probe.port,
            ..HttpProbe::default()
        };
        let path = probe.target.split('?').next().unwrap_or_default();
        let description = openapi::document(&response.body).filter(|_| response.status == 200);
        match (&description, DESCRIPTIONS.iter().position(|d| *d == path)) {
            (Some(document), _) => {
                for request in openapi::requests(document) {
                    let port = probe.port;
                    self.suggest(HttpProbe { port, ..request }, depth + 1);
                }
            }
            (None, Some(at)) => {
                if let Some(next) = DESCRIPTIONS.get(at + 1) {
                    self.suggest(page((*next).to_owned()), depth);
                }
            }
            (None, None) => {}
        }
        if path == "/" {
            self.suggest(page(DESCRIPTIONS[0].to_owned()), 0);
        }
        if let Some(target) = response
            .header("location")
            .and_then(|location| links::resolve(&probe.target, location))
        {
            self.suggest(page(target), depth + 1);
        }
        if matches!(
            response.media_type().as_str(),
            "text/html" | "application/xhtml+xml"
        ) {
            let html = String::from_utf8_lossy(&response.body);
            for target in links::same_origin(&html, &probe.target) {
                self.suggest(page(target), depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> HttpProbe {
        match Probe::get(target) {
            Probe::Http(probe) => probe,
            other => panic!("{other:?}"),
        }
    }

    fn html(body: &str) -> Response {
        Response {
            status: 200,
            headers: vec![("content-type".into(), "text/html".into())],
            body: body.as_bytes().to_vec(),
        }
    }

    /// Walks a site of (path, links) and lists what was asked for.
    fn walk(limits: &Limits, given: &[&str], site: &dyn Fn(&str) -> Response) -> Vec<String> {
        let mut crawl = Crawl::new(limits, true, None);
        crawl.suggest(get("/"), 0);
        for target in given {
            crawl.give(Probe::get(*target));
        }
        let mut agenda = Agenda::Growing(crawl);
        let mut asked = Vec::new();
        while let Some(Probe::Http(probe)) = agenda.next() {
            let response = site(&probe.target);
            asked.push(probe.target.clone());
            agenda.learn(&probe, &response);
        }
        asked
    }

    #[test]
    fn links_are_followed_a_few_deep() {
        let limits = Limits {
            depth: 2,
            ..Limits::default()
        };
        let asked = walk(&limits, &["/given"], &|path| match path {
            "/" => html("<a href=/a><a href=/>"),
            "/a" => html("<a href=/b><a href=/given>"),
            "/b" => html("<a href=/c>"),
            "/given" => html("<a href=/g>"),
            _ => html(""),
        });
        assert_eq!(
            asked,
            [
                "/",
                "/given",
                "/openapi.json",
                "/a",
                "/g",
                "/openapi",
                "/b",
                "/swagger.json"
            ]
        );
    }

    #[test]
    fn an_endless_calendar_ends() {
        let limits = Limits {
            requests: 7,
            ..Limits::default()
        };
        let asked = walk(&limits, &[], &|path| {
            html(&format!("<a href='{path}x'><a href='{path}y'>"))
        });
        assert_eq!(asked.len(), 7);
    }

    #[test]
    fn an_api_is_asked_for_everything_it_describes() {
        let asked = walk(&Limits::default(), &[], &|path| match path {
            "/openapi.json" => Response {
                status: 200,
                headers: Vec::new(),
                body: br#"{"openapi":"3.1.0","paths":{"/x":{"get":{}},"/y":{"post":{}}}}"#.to_vec(),
            },
            "/" => Response {
                status: 307,
                headers: vec![("location".into(), "http://localhost/login".into())],
                body: Vec::new(),
            },
            _ => html(""),
        });
        assert_eq!(asked, ["/", "/openapi.json", "/login", "/x"]);
    }
}
