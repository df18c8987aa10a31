//! Tokens that a registry wants instead of passwords (distribution's token
//! and OAuth 2 authentication).

use serde_json::Value;
use ureq::http::{Method, Request};
use url::Url;

use super::RegistryError;
use super::challenge::Challenge;
use super::credentials::Login;
use super::session::{Ask, Session};

/// The longest answer of a token server.
const LIMIT: u64 = 1 << 20;

/// Gets a token for what `ask` wants from the server that the challenge names.
pub(super) fn fetch(
    session: &Session,
    ask: &Ask<'_>,
    challenge: &Challenge,
    login: Option<&Login>,
) -> Result<String, RegistryError> {
    let malformed = |why: String| RegistryError::Malformed {
        what: ask.what.to_owned(),
        host: session.host.name.clone(),
        why,
    };
    let realm = challenge.parameter("realm").unwrap_or_default();
    let mut address = Url::parse(realm)
        .map_err(|error| malformed(format!("{realm:?} as the server of its tokens: {error}")))?;
    // A password goes over TLS, or does not leave this machine.
    if address.scheme() != "https" && !session.host.is_plain() {
        return Err(malformed(format!(
            "{address} as the server of its tokens, which has no TLS"
        )));
    }
    let mut fields: Vec<(&str, &str)> = challenge
        .parameter("service")
        .map(|service| ("service", service))
        .into_iter()
        .collect();
    fields.push(("client_id", "whit"));

    let request = Request::builder();
    let answer = match login {
        // All scopes are one field here, and many below.
        Some(Login::Identity(token)) => {
            let scope = ask.scopes.join(" ");
            fields.extend([
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
                ("scope", &scope),
            ]);
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields);
            request
                .method(Method::POST)
                .uri(address.as_str())
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.finish())
                .map_err(ureq::Error::from)
                .and_then(|request| session.agent.run(request))
        }
        _ => {
            fields.extend(ask.scopes.iter().map(|scope| ("scope", scope.as_str())));
            address.query_pairs_mut().extend_pairs(fields);
            let mut request = request.method(Method::GET).uri(address.as_str());
            if let Some(header) = login.and_then(Login::header) {
                request = request.header("authorization", header);
            }
            request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| session.agent.run(request))
        }
    }
    .map_err(|error| session.unreachable(ask.what, &error))?;

    if answer.status() != 200 {
        return Err(session.refusal(ask, answer));
    }
    let (_, bytes) = session.body(ask.what, answer, LIMIT)?;
    let document: Value = serde_json::from_slice(&bytes)
        .map_err(|error| malformed(format!("a token that is none: {error}")))?;
    ["token", "access_token"]
        .iter()
        .find_map(|key| document[key].as_str().filter(|token| !token.is_empty()))
        .map(str::to_owned)
        .ok_or_else(|| malformed("an answer without a token".to_owned()))
}
