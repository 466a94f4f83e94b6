//! Users, sessions, tokens, and the log of what was done.
//!
//! Not here: signing in (`entry`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;
use utoipa::ToSchema;

use super::configuration::Before;
use super::{Body, Path, Problem, Query};
use crate::access::Who;
use crate::accounts::{Name, Password, Right, Role, User as Kept};
use crate::app::App;

/// Entries of the log on a page.
const PAGE: usize = 100;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct User {
    /// The name.
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) role: Role,
    /// Seconds since 1970 at which it was made.
    pub(crate) since: u64,
}

/// A user to be.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewUser {
    /// 1 to 64 characters: letters, digits and any of . _ - @
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) role: Role,
    /// At least ten characters.
    pub(crate) password: String,
}

/// What is to be changed of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// Another role.
    #[serde(default)]
    pub(crate) role: Option<Role>,
    /// Another password.
    #[serde(default)]
    pub(crate) password: Option<String>,
}

/// A session of a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Session {
    /// By which it is spoken of.
    pub(crate) session: u64,
    /// Whose it is.
    pub(crate) user: String,
    /// From which address it began.
    #[schema(value_type = String)]
    pub(crate) from: std::net::IpAddr,
    /// Seconds since 1970 at which it began.
    pub(crate) began: u64,
    /// And was last heard of.
    pub(crate) seen: u64,
}

/// A token of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Its name.
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) role: Role,
    /// Who made it.
    pub(crate) by: String,
    /// Seconds since 1970 at which it was made.
    pub(crate) since: u64,
}

/// A token to be.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewToken {
    /// Its name, as a user's.
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) role: Role,
}

/// What a program is to show.
#[derive(Serialize, ToSchema)]
pub(crate) struct Secret {
    /// It is told this once.
    pub(crate) token: String,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Deed {
    /// Its number.
    pub(crate) number: u64,
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// Who.
    pub(crate) who: String,
    /// From which address.
    pub(crate) from: Option<String>,
    /// What, as a word.
    pub(crate) what: String,
    /// To whom or what.
    pub(crate) about: String,
}

/// Lists the users.
#[utoipa::path(get, path = "/api/v1/users", responses(
    (status = 200, body = [User]),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Vec<User>>, Problem> {
    Ok(Json(all(&app, &who)?))
}

/// Adds a user.
#[utoipa::path(post, path = "/api/v1/users", request_body = NewUser, responses(
    (status = 201, description = "There is one."),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    who: Who,
    Body(new): Body<NewUser>,
) -> Result<StatusCode, Problem> {
    make(&app, &who, new).await?;
    Ok(StatusCode::CREATED)
}

/// Changes a user's role or password; sessions of that user end.
#[utoipa::path(put, path = "/api/v1/users/{name}", params(("name" = String, Path)), request_body = UserChange, responses(
    (status = 204, description = "It is changed."),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    who: Who,
    Path(name): Path<String>,
    Body(change): Body<UserChange>,
) -> Result<StatusCode, Problem> {
    who.may(Right::Administer)?;
    let password = match change.password {
        None => None,
        Some(password) => {
            let salt = app.world.octets()?;
            Some(app.aside(move || Password::new(&password, salt)).await??)
        }
    };
    block_in_place(|| {
        app.users.change(&name, |user| {
            if let Some(role) = change.role {
                user.role = role;
            }
            if let Some(password) = password {
                user.password = password;
            }
        })
    })?;
    app.sessions
        .end_all_of(&name, who.session.as_ref().map(|session| session.number));
    who.did(&app, "user_changed", &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user away; sessions of that user end.
#[utoipa::path(delete, path = "/api/v1/users/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "It is gone."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    who: Who,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    unmake(&app, &who, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the sessions.
#[utoipa::path(get, path = "/api/v1/sessions", responses(
    (status = 200, body = [Session]),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn sessions(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Vec<Session>>, Problem> {
    Ok(Json(open(&app, &who)?))
}

/// Ends a session.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", params(("session" = u64, Path)), responses(
    (status = 204, description = "It is over."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn end_session(
    State(app): State<Arc<App>>,
    who: Who,
    Path(session): Path<u64>,
) -> Result<StatusCode, Problem> {
    close(&app, &who, session)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the tokens.
#[utoipa::path(get, path = "/api/v1/tokens", responses(
    (status = 200, body = [Token]),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn tokens(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Vec<Token>>, Problem> {
    Ok(Json(issued(&app, &who)?))
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = NewToken, responses(
    (status = 201, body = Secret),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn add_token(
    State(app): State<Arc<App>>,
    who: Who,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Secret>), Problem> {
    let token = issue(&app, &who, new)?;
    Ok((StatusCode::CREATED, Json(Secret { token })))
}

/// Takes a token away.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "It is gone."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn remove_token(
    State(app): State<Arc<App>>,
    who: Who,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    withdraw(&app, &who, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what was done, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(Before), responses(
    (status = 200, body = [Deed]),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    who: Who,
    Query(Before { before }): Query<Before>,
) -> Result<Json<Vec<Deed>>, Problem> {
    Ok(Json(deeds(&app, &who, before)?))
}

pub(crate) fn all(app: &App, who: &Who) -> Result<Vec<User>, Problem> {
    who.may(Right::Administer)?;
    let users = block_in_place(|| app.users.list())?;
    let users = users.into_iter().map(|user| User {
        name: user.name.as_str().to_owned(),
        role: user.role,
        since: user.since.0,
    });
    Ok(users.collect())
}

pub(crate) async fn make(app: &App, who: &Who, new: NewUser) -> Result<(), Problem> {
    who.may(Right::Administer)?;
    let name = Name::new(&new.name)?;
    let salt = app.world.octets()?;
    let password = app
        .aside(move || Password::new(&new.password, salt))
        .await??;
    let user = Kept {
        name,
        role: new.role,
        password,
        since: app.world.now(),
    };
    block_in_place(|| app.users.add(&user))?;
    who.did(app, "user_added", user.name.as_str())
}

pub(crate) fn unmake(app: &App, who: &Who, name: &str) -> Result<(), Problem> {
    who.may(Right::Administer)?;
    block_in_place(|| app.users.remove(name))?;
    app.sessions.end_all_of(name, None);
    who.did(app, "user_removed", name)
}

pub(crate) fn open(app: &App, who: &Who) -> Result<Vec<Session>, Problem> {
    who.may(Right::Administer)?;
    let sessions = app.sessions.list(app.world.now());
    let sessions = sessions.into_iter().map(|session| Session {
        session: session.number,
        user: session.user,
        from: session.from,
        began: session.began.0,
        seen: session.seen.0,
    });
    Ok(sessions.collect())
}

pub(crate) fn close(app: &App, who: &Who, session: u64) -> Result<(), Problem> {
    who.may(Right::Administer)?;
    if !app.sessions.end(session) {
        return Err(Problem::not_found("no such session"));
    }
    who.did(app, "session_ended", &session.to_string())
}

pub(crate) fn issued(app: &App, who: &Who) -> Result<Vec<Token>, Problem> {
    who.may(Right::Administer)?;
    let tokens = block_in_place(|| app.users.tokens())?;
    let tokens = tokens.into_iter().map(|token| Token {
        name: token.name.as_str().to_owned(),
        role: token.role,
        by: token.by,
        since: token.since.0,
    });
    Ok(tokens.collect())
}

pub(crate) fn issue(app: &App, who: &Who, new: NewToken) -> Result<String, Problem> {
    who.may(Right::Administer)?;
    let name = Name::new(&new.name)?;
    let about = name.as_str().to_owned();
    let (now, chance) = (app.world.now(), app.world.octets()?);
    let secret = block_in_place(|| app.users.add_token(name, new.role, &who.name, now, chance))?;
    who.did(app, "token_added", &about)?;
    Ok(secret)
}

pub(crate) fn withdraw(app: &App, who: &Who, name: &str) -> Result<(), Problem> {
    who.may(Right::Administer)?;
    block_in_place(|| app.users.remove_token(name))?;
    who.did(app, "token_removed", name)
}

pub(crate) fn deeds(app: &App, who: &Who, before: Option<u64>) -> Result<Vec<Deed>, Problem> {
    who.may(Right::Administer)?;
    let deeds = app.deeds(before, PAGE)?.into_iter().map(|entry| Deed {
        number: entry.number,
        at: entry.at.0,
        who: entry.who,
        from: entry.from,
        what: entry.what,
        about: entry.about,
    });
    Ok(deeds.collect())
}
