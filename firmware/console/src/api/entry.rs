//! Entering and leaving: the set-up code, name and password, the end of a session.
//!
//! Not here: OpenID Connect; who asks with what (`access`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::audit::Deed;
use subtle::ConstantTimeEq;
use tokio::task::block_in_place;
use utoipa::ToSchema;

use super::{Body, Problem};
use crate::access::{Origin, Who, forgotten, kept};
use crate::accounts::{Name, Password, Role, User};
use crate::app::App;

/// A name and its password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// The set-up code, and who is to be the first user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// As the box shows it; the hyphens may be left out.
    pub(crate) code: String,
    pub(crate) name: String,
    /// At least ten characters.
    pub(crate) password: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The name.
    name: String,
    #[serde(flatten)]
    role: Role,
    /// What this session says in `x-postern-form` with whatever changes anything; none for a token.
    form: Option<String>,
}

/// Begins a session.
#[utoipa::path(post, path = "/api/v1/session", request_body = SignIn, responses(
    (status = 204, description = "A cookie is set."),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(Origin(from)): Extension<Origin>,
    Body(asked): Body<SignIn>,
) -> Result<Response, Problem> {
    let secret = enter(&app, from, &asked.name, asked.password).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, kept(&secret))]).into_response())
}

/// Makes the first user, by the set-up code, and begins a session.
#[utoipa::path(post, path = "/api/v1/setup", request_body = SetUp, responses(
    (status = 204, description = "There is a user, an admin, and a cookie is set."),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn set_up(
    State(app): State<Arc<App>>,
    Extension(Origin(from)): Extension<Origin>,
    Body(asked): Body<SetUp>,
) -> Result<Response, Problem> {
    let secret = begin(&app, from, asked).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, kept(&secret))]).into_response())
}

/// Says who is signed in.
#[utoipa::path(get, path = "/api/v1/session", responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn me(who: Who) -> Json<Me> {
    Json(Me {
        name: who.name,
        role: who.role,
        form: who.session.map(|session| session.form),
    })
}

/// Ends this session.
#[utoipa::path(delete, path = "/api/v1/session", responses(
    (status = 204, description = "It is over."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn sign_out(State(app): State<Arc<App>>, who: Who) -> Result<Response, Problem> {
    leave(&app, &who)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, forgotten())]).into_response())
}

/// Begins a session for who knows the password; gives its secret.
pub(crate) async fn enter(
    app: &App,
    from: IpAddr,
    name: &str,
    password: String,
) -> Result<String, Problem> {
    let name: String = name.chars().take(64).collect();
    if let Some(wait) = app.attempts.wait(&name, from, app.world.now()) {
        return Err(Problem::too_many(wait));
    }
    let user = block_in_place(|| app.users.find(&name))?;
    let kept = user
        .as_ref()
        .map_or_else(Password::of_nobody, |user| user.password.clone());
    let is_right = app.aside(move || kept.is(&password)).await??;
    let address = from.to_string();
    let tell = |what| Deed {
        who: &name,
        from: Some(&address),
        what,
        about: "",
    };
    match user.filter(|_| is_right) {
        Some(user) => {
            app.attempts.succeeded(&name, from);
            app.record(&tell("signed_in"))?;
            let user = user.name.as_str();
            Ok(app
                .sessions
                .begin(user, from, app.world.now(), app.world.octets()?))
        }
        None => {
            app.attempts.failed(&name, from, app.world.now());
            app.record(&tell("sign_in_failed"))?;
            Err(Problem::wrong_password())
        }
    }
}

/// Makes the first user; gives the secret of a session.
pub(crate) async fn begin(app: &App, from: IpAddr, asked: SetUp) -> Result<String, Problem> {
    const WHOSE: &str = "set-up code";
    let Some(code) = app.setup_code() else {
        return Err(Problem::conflict(
            "set_up_already",
            "somebody has entered before: sign in",
        ));
    };
    if let Some(wait) = app.attempts.wait(WHOSE, from, app.world.now()) {
        return Err(Problem::too_many(wait));
    }
    let plain = |code: &str| code.replace(['-', ' '], "").to_ascii_uppercase();
    let (code, given) = (plain(&code), plain(&asked.code));
    if !bool::from(code.as_bytes().ct_eq(given.as_bytes())) {
        app.attempts.failed(WHOSE, from, app.world.now());
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_code",
            "Not this code",
            "the set-up code is shown on the box's own console and in the first lines of its log",
        ));
    }
    let name = Name::new(&asked.name)?;
    let salt = app.world.octets()?;
    let password = app
        .aside(move || Password::new(&asked.password, salt))
        .await??;
    let user = User {
        name,
        role: Role::Admin,
        password,
        since: app.world.now(),
    };
    block_in_place(|| app.users.add_first(&user))?;
    app.use_up_setup_code();
    let address = from.to_string();
    app.record(&Deed {
        who: user.name.as_str(),
        from: Some(&address),
        what: "set_up",
        about: "",
    })?;
    Ok(app.sessions.begin(
        user.name.as_str(),
        from,
        app.world.now(),
        app.world.octets()?,
    ))
}

/// Ends the session of who asks.
pub(crate) fn leave(app: &App, who: &Who) -> Result<(), Problem> {
    if let Some(session) = &who.session {
        app.sessions.end(session.number);
        who.did(app, "signed_out", "")?;
    }
    Ok(())
}

impl Who {
    /// Writes down what they have done.
    pub(crate) fn did(&self, app: &App, what: &str, about: &str) -> Result<(), Problem> {
        let from = self.from.to_string();
        app.record(&Deed {
            who: &self.name,
            from: Some(&from),
            what,
            about,
        })
    }
}
