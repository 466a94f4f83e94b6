//! Who asks: by the cookie of a session or the token of a program.
//!
//! A cookie is sent by a browser whoever made it ask, so what changes anything needs more of a session: the word that only a page of
//! ours knows, in a header or in the form. A token has no such trouble.
//!
//! Not here: what somebody may do (`accounts::Role`); signing in (`api::entry`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Extension, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Redirect, Response};
use subtle::ConstantTimeEq;
use tokio::task::block_in_place;

use crate::accounts::{Right, Role, Session};
use crate::api::Problem;
use crate::app::App;

/// The cookie of a session: of this host alone, over TLS alone.
pub(crate) const COOKIE_NAME: &str = "__Host-postern";
/// The header in which a page of ours says the word of its session.
pub(crate) const FORM_HEADER: &str = "x-postern-form";

/// From which address a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(pub(crate) IpAddr);

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) from: IpAddr,
    pub(crate) session: Option<Session>,
}

impl Who {
    /// Whether they may.
    pub(crate) fn may(&self, right: Right) -> Result<(), Problem> {
        if self.role.may(right) {
            Ok(())
        } else {
            Err(Problem::forbidden())
        }
    }

    /// Whether what a form brought back is the word of this session.
    pub(crate) fn is_form(&self, word: &str) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| bool::from(session.form.as_bytes().ct_eq(word.as_bytes())))
    }
}

/// A request of the API.
impl FromRequestParts<Arc<App>> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let from = origin(parts, app).await;
        let who = identify(&parts.headers, app, from)?.ok_or_else(Problem::unauthorized)?;
        let changes = !matches!(parts.method, Method::GET | Method::HEAD);
        let word = parts.headers.get(FORM_HEADER);
        let word = word.and_then(|word| word.to_str().ok()).unwrap_or_default();
        if changes && who.session.is_some() && !who.is_form(word) {
            return Err(Problem::forged());
        }
        Ok(who)
    }
}

/// A request of a page: whoever is nobody is sent to where they can become somebody.
pub(crate) struct Visitor(pub(crate) Who);

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let from = origin(parts, app).await;
        match identify(&parts.headers, app, from) {
            Ok(Some(who)) if who.session.is_some() => Ok(Self(who)),
            Ok(_) => {
                let is_new = app.setup_code().is_some();
                let to = if is_new { "/set-up" } else { "/sign-in" };
                Err(Redirect::to(to).into_response())
            }
            Err(problem) => Err(problem.into_response()),
        }
    }
}

async fn origin(parts: &mut Parts, app: &Arc<App>) -> IpAddr {
    Extension::<Origin>::from_request_parts(parts, app)
        .await
        .map_or(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            |Extension(Origin(from))| from,
        )
}

fn identify(headers: &HeaderMap, app: &App, from: IpAddr) -> Result<Option<Who>, Problem> {
    if let Some(secret) = bearer(headers) {
        let token = block_in_place(|| app.users.token(secret))?;
        return Ok(token.map(|token| Who {
            name: format!("token {}", token.name.as_str()),
            role: token.role,
            from,
            session: None,
        }));
    }
    let session =
        cookie(headers, COOKIE_NAME).and_then(|secret| app.sessions.find(secret, app.world.now()));
    let Some(session) = session else {
        return Ok(None);
    };
    // Who has been taken away is nobody at once.
    let user = block_in_place(|| app.users.find(&session.user))?;
    Ok(user.map(|user| Who {
        name: session.user.clone(),
        role: user.role,
        from,
        session: Some(session),
    }))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).into_iter();
    cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// What makes a browser keep a session.
pub(crate) fn kept(secret: &str) -> String {
    format!("{COOKIE_NAME}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// What makes a browser forget it.
pub(crate) fn forgotten() -> String {
    format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            "a=1; __Host-postern=xyz; b=2".parse().expect("a value"),
        );
        assert_eq!(cookie(&headers, COOKIE_NAME), Some("xyz"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "postern"), None);
    }
}
