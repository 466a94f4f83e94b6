//! Certificates: which there are, requests for them, and how they come into use.
//!
//! A key is never given out by any of these.
//!
//! Not here: what a certificate must be like (`crate::certificates`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use store::versions::Origin;
use tokio::task::{block_in_place, spawn_blocking};
use utoipa::ToSchema;

use super::configuration::{Commit, Version, bring};
use super::{Body, Path, Problem};
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;
use crate::certificates::{
    Certificate, FolderError, IdentityEditError, KeyKind, Label, Pair, Refused, identities,
    warnings, with_identity,
};

/// Names in a request.
const MOST_NAMES: usize = 50;

/// An identity: what is shown to peers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Shown {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// The host names of the tenants that it is shown for.
    pub(crate) hosts: Vec<String>,
    /// Its certificate first, then those above it.
    pub(crate) chain: Vec<Certificate>,
    /// Why it cannot be used.
    pub(crate) fault: Option<String>,
    /// What should be known of it.
    pub(crate) warnings: Vec<String>,
}

/// A request that waits for its certificate.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Waiting {
    /// The identity that it is for.
    pub(crate) name: String,
    /// The DNS names in it.
    pub(crate) names: Vec<String>,
    /// What an authority is shown, as PEM (PKCS#10).
    pub(crate) request: String,
}

/// All certificates of the box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Certificates {
    /// Those in use.
    pub(crate) identities: Vec<Shown>,
    /// Those asked for.
    pub(crate) requests: Vec<Waiting>,
}

/// A certificate to be asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRequest {
    /// The identity that it is for: letters, digits, - and _, 48 at most.
    pub(crate) name: String,
    /// The DNS names that it is to be for, the first of them as its common name.
    pub(crate) names: Vec<String>,
    /// The kind of its key.
    #[serde(default)]
    pub(crate) key: KeyKind,
}

/// A certificate that comes into use.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "form", deny_unknown_fields)]
pub(crate) enum Import {
    /// As PEM.
    Pem {
        /// The certificate, then those above it.
        chain: String,
        /// The key. Without it: that of the request of this name, or the one in use.
        #[serde(default)]
        key: Option<String>,
    },
    /// As PKCS#12.
    Pkcs12 {
        /// The archive, in base64.
        archive: String,
        /// What it is locked with.
        password: String,
    },
}

/// Lists the certificates in use and those asked for.
#[utoipa::path(get, path = "/api/v1/certificates", responses(
    (status = 200, body = Certificates),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Certificates>, Problem> {
    Ok(Json(all(&app, &who)?))
}

/// Makes a key that stays in the box, and a request for a certificate with it.
#[utoipa::path(post, path = "/api/v1/certificates/requests", request_body = NewRequest, responses(
    (status = 201, body = Waiting),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn request(
    State(app): State<Arc<App>>,
    who: Who,
    Body(new): Body<NewRequest>,
) -> Result<(StatusCode, Json<Waiting>), Problem> {
    Ok((StatusCode::CREATED, Json(ask(&app, &who, new).await?)))
}

/// Takes a request back; its key is forgotten.
#[utoipa::path(delete, path = "/api/v1/certificates/requests/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "It is forgotten."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    who: Who,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    forget(&app, &who, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a certificate into use for the identity of this name, which is made if there is none. Calls in progress go on.
#[utoipa::path(put, path = "/api/v1/certificates/{name}", request_body = Import, params(("name" = String, Path)), responses(
    (status = 200, body = Version, description = "The version of the configuration that names it."),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 412, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn import(
    State(app): State<Arc<App>>,
    who: Who,
    Path(name): Path<String>,
    Body(import): Body<Import>,
) -> Result<Json<Version>, Problem> {
    Ok(Json(install(&app, &who, &name, import).await?))
}

pub(crate) fn all(app: &App, who: &Who) -> Result<Certificates, Problem> {
    who.may(Right::SeeBox)?;
    block_in_place(|| {
        let snapshot = app.documents.snapshot()?;
        let identities = snapshot.iter().flat_map(|snapshot| identities(snapshot));
        let identities = identities
            .map(|identity| {
                let examined = pair_of(app, &identity.certificate, &identity.key)
                    .and_then(|pair| app.notary.examine(&pair));
                let (chain, fault) = match examined {
                    Ok(chain) => (chain, None),
                    Err(refused) => (Vec::new(), Some(refused.0)),
                };
                let hosts: Vec<&str> = identity.hosts.iter().map(String::as_str).collect();
                Shown {
                    warnings: warnings(&chain, &hosts),
                    name: identity.name,
                    hosts: identity.hosts,
                    chain,
                    fault,
                }
            })
            .collect();
        // Whoever may not ask for one need not see what was asked for.
        let waiting = match who.may(Right::Configure) {
            Ok(()) => app.certificates.all_awaited(),
            Err(_) => Vec::new(),
        };
        let requests = waiting
            .into_iter()
            .map(|(name, waiting)| Waiting {
                name: name.as_str().to_owned(),
                names: waiting.names,
                request: waiting.request,
            })
            .collect();
        Ok(Certificates {
            identities,
            requests,
        })
    })
}

pub(crate) async fn ask(app: &Arc<App>, who: &Who, new: NewRequest) -> Result<Waiting, Problem> {
    who.may(Right::Configure)?;
    let name = label(&new.name)?;
    let names: Vec<String> = new
        .names
        .iter()
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(Problem::bad(format!(
            "a certificate is for 1 to {MOST_NAMES} DNS names"
        )));
    }
    // A key takes a processor some tenths of a second.
    let (notary, wanted) = (Arc::clone(app), names.clone());
    let made = spawn_blocking(move || notary.notary.request(&wanted, new.key)).await;
    let made = made.map_err(|error| Problem::internal(&error))??;
    let waiting = Waiting {
        name: name.as_str().to_owned(),
        names: names.clone(),
        request: made.request.clone(),
    };
    block_in_place(|| app.certificates.await_answer(&name, names, made))?;
    who.did(app, "certificate_requested", name.as_str())?;
    Ok(waiting)
}

pub(crate) fn forget(app: &App, who: &Who, name: &str) -> Result<(), Problem> {
    who.may(Right::Configure)?;
    let unknown = || Problem::not_found("no request of this name waits");
    let name = Label::new(name).ok_or_else(unknown)?;
    let was_there = block_in_place(|| app.certificates.forget(&name));
    if !was_there.map_err(|error| Problem::internal(&error))? {
        return Err(unknown());
    }
    who.did(app, "certificate_request_withdrawn", name.as_str())
}

pub(crate) async fn install(
    app: &App,
    who: &Who,
    name: &str,
    import: Import,
) -> Result<Version, Problem> {
    who.may(Right::Configure)?;
    let name = label(name)?;
    let (pair, named, text, based_on) = block_in_place(|| {
        let in_force = app.documents.in_force()?;
        let in_force = in_force.ok_or_else(|| Problem::not_found("nothing is in force yet"))?;
        let pair = pair(app, &name, import)?;
        let chain = app.notary.examine(&pair)?;
        let now = i64::try_from(app.world.now().0).unwrap_or(i64::MAX);
        if chain.iter().any(|link| link.not_after < now) {
            return Err(Refused("a certificate of the chain has ended".to_owned()).into());
        }
        let kept = app.certificates.keep(&name, &pair, app.world.now());
        let named = kept.map_err(|error| Problem::internal(&error))?;
        let text = with_identity(&in_force.text, name.as_str(), &named)?;
        Ok::<_, Problem>((pair, named, text, in_force.version))
    })?;
    drop(pair);
    let commit = Commit {
        text,
        comment: format!("certificate of {}", name.as_str()),
        confirm_within: None,
    };
    let version = match bring(app, who, commit, based_on, Origin::Commit).await {
        Ok(version) => version,
        Err(problem) => {
            block_in_place(|| app.certificates.drop_pair(&named));
            return Err(problem);
        }
    };
    // Its key has come into use, or another one has.
    let _ = block_in_place(|| app.certificates.forget(&name));
    who.did(app, "certificate_installed", name.as_str())?;
    Ok(version)
}

/// The pair that an import is about.
fn pair(app: &App, name: &Label, import: Import) -> Result<Pair, Problem> {
    let (chain, key) = match import {
        Import::Pkcs12 { archive, password } => {
            let archive: String = archive.split_ascii_whitespace().collect();
            let archive = STANDARD
                .decode(archive)
                .map_err(|error| Problem::bad(format!("the archive is not base64: {error}")))?;
            return Ok(app.notary.unpack(&archive, &password)?);
        }
        Import::Pem { chain, key } => (chain, key),
    };
    if let Some(key) = key.filter(|key| !key.trim().is_empty()) {
        return Ok(Pair { chain, key });
    }
    // Without a key: the one that the request was made with, or that of the certificate which this one follows.
    let requested = app.certificates.awaited(name);
    let requested = requested.map(|waiting| waiting.key().to_owned());
    let in_use = || {
        let snapshot = app.documents.snapshot().ok()??;
        let own = identities(&snapshot).into_iter();
        let own = own.into_iter().find(|own| own.name == name.as_str())?;
        app.certificates.read(&own.key).ok()
    };
    let key = requested.or_else(in_use).ok_or_else(|| {
        Refused(format!(
            "there is neither a request nor a key of {}: bring the key with the certificate",
            name.as_str()
        ))
    })?;
    Ok(Pair { chain, key })
}

fn pair_of(app: &App, certificate: &str, key: &str) -> Result<Pair, Refused> {
    let read = |file: &str| {
        let text = app.certificates.read(file);
        text.map_err(|error| Refused(format!("{file} cannot be read: {error}")))
    };
    Ok(Pair {
        chain: read(certificate)?,
        key: read(key)?,
    })
}

fn label(name: &str) -> Result<Label, Problem> {
    Label::new(name).ok_or_else(|| {
        Problem::bad(
            "a name is 1 to 48 letters, digits, - and _, and begins with a letter or digit",
        )
    })
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "certificate_refused",
            "Not a certificate that could be used",
            refused,
        )
    }
}

impl From<FolderError> for Problem {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Full => Self::conflict("too_many_requests", error),
            FolderError::Disk(error) => Self::internal(&error),
        }
    }
}

impl From<IdentityEditError> for Problem {
    fn from(error: IdentityEditError) -> Self {
        Self::conflict("configuration_not_editable", error)
    }
}
