//! What a leg says of itself: Contact, identities, Allow, Supported, and where its requests go.
//!
//! Nothing of another leg gets here but what the route decision has put into the [`Invitation`]: topology is hidden because
//! nothing is copied, not because something is removed. INV-01: on a Teams leg every message bears the tenant's FQDN in Contact.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use config::document::carrier::CallerId;
use config::document::media::Face;
use config::document::trunk::{Trunk, TrunkKind};
use config::{Snapshot, TrunkId};
use sip::dialog::{Dialog, SessionTimerPolicy};
use sip::message::{
    Host, HostPort, Method, Name, NameAddr, Request, RequestBuilder, ResponseBuilder, Uri,
};

use crate::courier::Destination;
use crate::desk::Desk;
use crate::route::Presentation;
use crate::route::hunt::Target;
use crate::route::translate::HeaderChange;

/// REF-01: everything we understand in a dialog. Teams reads it to choose how it transfers.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY, INFO";

/// What a trunk's sessions are kept up by (INV-18).
pub(crate) const fn session_timer(trunk: &Trunk) -> SessionTimerPolicy {
    SessionTimerPolicy {
        expires: trunk.session.expires,
        min_se: trunk.session.min_se,
    }
}

/// Who is called, by whom, with what: everything of an INVITE that the route or a transfer decides.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub(crate) trunk: TrunkId,
    /// Request-URI and To.
    pub(crate) uri: Uri,
    /// Where it is sent.
    pub(crate) next_hop: Uri,
    /// The calling number as it is sent, `anonymous` if the caller wants to be.
    pub(crate) caller: Caller,
    /// What the trunk's header rules say.
    pub(crate) headers: Vec<HeaderChange>,
    /// REF-03: of a transfer, as it came.
    pub(crate) referred_by: Option<Bytes>,
}

impl Invitation {
    /// Of a target of the hunt.
    pub(crate) fn to_target(snapshot: &Snapshot, target: &Target) -> Self {
        let trunk = snapshot.trunk(target.trunk());
        let transport = match &trunk.kind {
            TrunkKind::Teams(_) => config::values::Transport::Tls,
            TrunkKind::Carrier(carrier) => carrier.transport,
        };
        let next_hop = crate::trunk::uri_of(target.host(), transport);
        let domain = match &trunk.kind {
            TrunkKind::Carrier(carrier) => carrier.domain.as_deref(),
            TrunkKind::Teams(_) => None,
        };
        // INV-03: the proxy's name, user=phone, and the transport on Teams.
        let mut uri = match domain {
            Some(domain) => Uri::sip(host_of(domain)),
            None => Uri::sip(host_of(&target.host().host)).port(target.host().port),
        };
        uri = uri.user(target.called());
        if trunk.is_teams() || target.called().starts_with('+') {
            uri = uri.param("user", "phone");
        }
        if trunk.is_teams() {
            uri = uri.param("transport", "tls");
        }
        let caller = target.caller();
        Self {
            trunk: target.trunk(),
            uri: uri.finish(),
            next_hop,
            caller: Caller {
                number: caller.number.clone(),
                display: (!caller.display.is_empty()).then(|| caller.display.clone()),
                privacy: match caller.presentation {
                    Presentation::Shown => Privacy::Shown,
                    Presentation::Withheld => Privacy::Withheld,
                },
            },
            headers: target.headers().to_vec(),
            referred_by: None,
        }
    }
}

/// The caller as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) number: String,
    pub(crate) display: Option<String>,
    pub(crate) privacy: Privacy,
}

/// Whether the caller's number may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    Shown,
    Withheld,
}

/// What a leg says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    snapshot: Arc<Snapshot>,
    trunk: TrunkId,
    pub(crate) local_tag: String,
    /// The user part of Contact; may be empty.
    pub(crate) user: String,
    contact: String,
    /// Our name on this leg, for Via and From.
    us: HostPort,
}

impl Wire {
    /// For a leg on `trunk`, with `user` in its Contact.
    pub(crate) fn new(
        desk: &mut Desk,
        snapshot: &Arc<Snapshot>,
        trunk: TrunkId,
        user: &str,
    ) -> Self {
        let tag = desk.tokens.tag();
        Self::with_tag(snapshot, trunk, user, tag)
    }

    /// For a leg whose tag stands already.
    pub(crate) fn with_tag(
        snapshot: &Arc<Snapshot>,
        trunk: TrunkId,
        user: &str,
        local_tag: String,
    ) -> Self {
        let us = name_on(snapshot, snapshot.trunk(trunk));
        let mut contact = Uri::sip(us.host.clone()).port(us.port);
        if !user.is_empty() {
            contact = contact.user(user);
        }
        let transport = snapshot.listener(snapshot.trunk(trunk).listener).transport;
        let transport = crate::courier::transport_of(transport).uri_param();
        let contact = NameAddr::new(&contact.param("transport", transport).finish()).to_string();
        Self {
            snapshot: Arc::clone(snapshot),
            trunk,
            local_tag,
            user: user.to_owned(),
            contact,
            us,
        }
    }

    pub(crate) const fn trunk_id(&self) -> TrunkId {
        self.trunk
    }

    /// Where our media is for this trunk, and in the other version of IP: in the version in which it is signalled with, and with Teams
    /// in IPv4 (SIG-12).
    pub(crate) fn faces(&self) -> (Face, Option<Face>) {
        let faces = &self.snapshot.media.faces;
        let listener = self.snapshot.listener(self.trunk().listener);
        let near = if self.trunk().is_teams() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            listener.address.ip()
        };
        let face = faces.best_for(near);
        (face, faces.iter().find(|other| *other != face))
    }

    pub(crate) fn trunk(&self) -> &Trunk {
        self.snapshot.trunk(self.trunk)
    }

    /// INV-07: UPDATE never goes to Teams.
    pub(crate) fn may_update(&self) -> bool {
        !self.trunk().is_teams()
    }

    pub(crate) fn session_timer(&self) -> SessionTimerPolicy {
        session_timer(self.trunk())
    }

    /// The headers that every request of a leg bears besides those of its dialog.
    pub(crate) fn dress_request(
        &self,
        mut builder: RequestBuilder,
        method: &Method,
    ) -> RequestBuilder {
        if forms_target(method) {
            builder = builder.header(Name::Contact, &self.contact);
        }
        if matches!(method, Method::Invite | Method::Update | Method::Options) {
            builder = builder
                .header(Name::Allow, ALLOW)
                .header(Name::Supported, self.supported());
        }
        builder = builder.header(
            Name::UserAgent,
            concat!("Postern/", env!("CARGO_PKG_VERSION")),
        );
        if self.trunk().is_teams() {
            builder = builder.header(Name::Other("X-MS-SBC"), self.x_ms_sbc());
        }
        builder
    }

    /// The headers that every response of a leg bears (INV-01, OPT-03).
    pub(crate) fn dress_response(
        &self,
        mut builder: ResponseBuilder,
        method: &Method,
    ) -> ResponseBuilder {
        if forms_target(method) {
            builder = builder.header(Name::Contact, &self.contact);
        }
        if matches!(method, Method::Invite | Method::Update | Method::Options) {
            builder = builder
                .header(Name::Allow, ALLOW)
                .header(Name::Supported, self.supported());
        }
        if self.trunk().is_teams() {
            builder = builder.header(Name::Other("X-MS-SBC"), self.x_ms_sbc());
        }
        builder
    }

    /// INV-07: 100rel is for trunks alone.
    fn supported(&self) -> &'static str {
        if self.trunk().is_teams() {
            "timer, replaces"
        } else {
            "timer, replaces, 100rel"
        }
    }

    /// Spec §1.5: vendor, model, firmware.
    fn x_ms_sbc(&self) -> String {
        format!(
            "Postern/{}/{}",
            self.snapshot.name.replace(['/', ' '], "-"),
            env!("CARGO_PKG_VERSION")
        )
    }

    /// An INVITE that begins a dialog.
    pub(crate) fn invite(&self, desk: &mut Desk, invitation: &Invitation, body: &Bytes) -> Request {
        let caller = &invitation.caller;
        let (from, asserted) = self.identities(caller);
        let mut builder = Request::build(Method::Invite, &invitation.uri)
            .header(Name::MaxForwards, "69")
            .header(Name::From, from.with_param("tag", Some(&self.local_tag)))
            .header(Name::To, NameAddr::new(&invitation.uri))
            .header(Name::CallId, desk.tokens.call_id())
            .header(Name::CSeq, "1 INVITE");
        builder = self.dress_request(builder, &Method::Invite);
        if let Some(asserted) = asserted {
            builder = builder.header(Name::PAssertedIdentity, asserted);
        }
        if caller.privacy == Privacy::Withheld {
            builder = builder.header(Name::Privacy, "id");
        }
        for (name, value) in self.session_timer().headers() {
            builder = builder.header(name, value);
        }
        if let Some(referred_by) = &invitation.referred_by {
            builder = builder.header(Name::ReferredBy, referred_by);
        }
        for change in &invitation.headers {
            builder = builder.remove(Name::of(&change.name));
            for value in &change.values {
                builder = builder.header(Name::of(&change.name), value);
            }
        }
        builder.body(SDP, body.clone()).finish()
    }

    /// From, and P-Asserted-Identity where the trunk wants one (INV-04, INV-22).
    fn identities(&self, caller: &Caller) -> (NameAddr, Option<NameAddr>) {
        let trunk = self.trunk();
        let domain = match &trunk.kind {
            TrunkKind::Carrier(carrier) => carrier.domain.as_deref(),
            TrunkKind::Teams(_) => None,
        };
        let host = domain
            .and_then(|domain| domain.parse::<Host>().ok())
            .unwrap_or_else(|| self.us.host.clone());
        let identity = |number: &str| {
            let mut uri = Uri::sip(host.clone()).user(number);
            if trunk.is_teams() || number.starts_with('+') {
                uri = uri.param("user", "phone");
            }
            NameAddr::new(&uri.finish())
        };
        let named = match &caller.display {
            Some(display) => identity(&caller.number).with_display(display),
            None => identity(&caller.number),
        };
        let asserts = matches!(&trunk.kind, TrunkKind::Carrier(carrier) if carrier.caller_id == CallerId::Asserted);
        match (caller.privacy, asserts) {
            (Privacy::Shown, false) => (named, None),
            (Privacy::Shown, true) => (named.clone(), Some(named)),
            (Privacy::Withheld, asserts) => {
                let anonymous = Uri::sip(Host::Name("anonymous.invalid".into()))
                    .user("anonymous")
                    .finish();
                (
                    NameAddr::new(&anonymous).with_display("Anonymous"),
                    asserts.then_some(named),
                )
            }
        }
    }

    /// Where a request of a dialog goes.
    pub(crate) fn in_dialog(&self, dialog: &Dialog) -> Destination {
        self.destination(dialog.next_hop())
    }

    /// Where a request to a URI goes, on this trunk.
    pub(crate) fn destination(&self, next_hop: &Uri) -> Destination {
        Destination::new(&self.snapshot, self.trunk, next_hop, self.us.clone())
    }
}

/// The content type of a session description.
pub(crate) const SDP: &str = "application/sdp";

/// Whether a method's Contact matters (RFC 3261 table 2 and §12.2.1.1, RFC 3515).
const fn forms_target(method: &Method) -> bool {
    !matches!(
        method,
        Method::Ack | Method::Bye | Method::Cancel | Method::Prack | Method::Register
    )
}

/// What we are called on a trunk: the tenant's FQDN on Teams (INV-01), the listener's advertised name otherwise.
pub(crate) fn name_on(snapshot: &Snapshot, trunk: &Trunk) -> HostPort {
    let listener = snapshot.listener(trunk.listener);
    let advertised = &listener.advertised;
    let host = match &trunk.kind {
        TrunkKind::Teams(teams) => snapshot.tenant(teams.tenant).fqdn.as_str(),
        TrunkKind::Carrier(_) => advertised.host.as_str(),
    };
    HostPort {
        host: host_of(host),
        port: advertised.port,
    }
}

/// A host of the configuration, which has been checked there.
pub(crate) fn host_of(text: &str) -> Host {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Host::from(address),
        Err(_) => Host::Name(text.into()),
    }
}

/// The same INVITE, next number, with another session interval (RFC 4028 §7.3).
pub(crate) fn with_session_timer(invite: &Request, timer: SessionTimerPolicy) -> Request {
    let number = invite
        .headers()
        .cseq()
        .map_or(1, |cseq| cseq.number)
        .saturating_add(1);
    let mut builder = invite.rebuild().set(Name::CSeq, format!("{number} INVITE"));
    for (name, value) in timer.headers() {
        builder = builder.set(name, value);
    }
    builder.finish()
}
