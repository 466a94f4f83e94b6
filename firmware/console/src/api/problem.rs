//! What an API says when it does not do what it was asked (RFC 9457).
//!
//! Not here: what pages show instead.

use std::fmt::Display;
use std::io;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::versions::CommitError;
use utoipa::ToSchema;

use crate::accounts::{NameError, PasswordError, UsersError};
use crate::documents::{DocumentError, Fault};
use crate::plane::PlaneError;

/// A problem, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind it is, as a word: `forbidden`, `faulty_configuration` …
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind in words.
    pub(crate) title: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What it is this time.
    pub(crate) detail: String,
    /// Where in a document, if it is about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<Fault>,
    /// Seconds to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &str, title: &str, detail: impl Display) -> Self {
        Self {
            kind: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            faults: Vec::new(),
            wait: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "sign in, or show a token as Authorization: Bearer";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Nobody is signed in",
            detail,
        )
    }

    pub(crate) fn wrong_password() -> Self {
        let detail = "name or password is wrong";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "wrong_password",
            "Not signed in",
            detail,
        )
    }

    pub(crate) fn forbidden() -> Self {
        let detail = "this needs a right that you do not have";
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    pub(crate) fn forged() -> Self {
        let detail = "a browser's session says the word of its page in x-postern-form";
        Self::new(
            StatusCode::FORBIDDEN,
            "forged",
            "Not from a page of ours",
            detail,
        )
    }

    pub(crate) fn not_found(detail: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    pub(crate) fn bad(detail: impl Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "Not understood",
            detail,
        )
    }

    pub(crate) fn conflict(kind: &str, detail: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "In the way", detail)
    }

    pub(crate) fn too_many(wait: u64) -> Self {
        let detail = format!("too many wrong attempts; try again in {wait} s");
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "wait",
            "Too many attempts",
            detail,
        );
        Self {
            wait: Some(wait),
            ..problem
        }
    }

    pub(crate) fn internal(error: &dyn Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The box failed",
            error,
        )
    }

    fn with(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        match self.wait {
            Some(wait) => (status, kind, [(RETRY_AFTER, wait.to_string())], body).into_response(),
            None => (status, kind, body).into_response(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<PlaneError> for Problem {
    fn from(error: PlaneError) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "control_away", "Control does not answer", error)
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::bad(error)
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::NoMemory => Self::internal(&error),
            PasswordError::TooShort | PasswordError::TooLong => Self::bad(error),
        }
    }
}

impl From<UsersError> for Problem {
    fn from(error: UsersError) -> Self {
        match error {
            UsersError::Store(error) => error.into(),
            UsersError::Password(error) => error.into(),
            UsersError::Taken => Self::conflict("taken", error),
            UsersError::LastAdmin => Self::conflict("last_admin", error),
            UsersError::Unknown => Self::not_found(error),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            CommitError::Moved { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "moved",
                "Somebody was quicker",
                error,
            ),
            CommitError::Unconfirmed { .. } => Self::conflict("unconfirmed", error),
            CommitError::NothingPending => Self::conflict("nothing_pending", error),
            CommitError::NoSuchVersion(_) => Self::not_found(error),
        }
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        let detail = error.to_string();
        match error {
            DocumentError::Commit(error) => error.into(),
            DocumentError::Faulty(faults) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "faulty_configuration",
                "The configuration has faults",
                detail,
            )
            .with(faults),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let problem = Self::bad(rejection.body_text());
        Self {
            status: rejection.status().as_u16(),
            ..problem
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::not_found(rejection.body_text())
    }
}
