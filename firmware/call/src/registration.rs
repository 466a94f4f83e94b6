//! Registering trunks: one `sip::register::Registration` each, driven from here.
//!
//! Not here: the protocol of REGISTER.

use std::collections::HashMap;

use config::TrunkId;
use config::document::carrier::{Carrier, Registration as Wanted};
use config::document::trunk::TrunkKind;
use embassy_time::Instant;
use sip::auth::{Credentials, Password};
use sip::message::{NameAddr, Uri};
use sip::register::{Event as Told, Failure, Input, Output, Registration, Settings};
use sip::transaction::ClientId;

use crate::api::{Event, RegistrationState};
use crate::core::Now;
use crate::courier::Destination;
use crate::desk::{Desk, Owner};
use crate::leg::LegInput;
use crate::leg::wire::{Wire, host_of, name_on};
use crate::trunk::{Duty, uri_of};

/// All registrations.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    all: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    trunk: String,
    wanted: (Carrier, Wanted),
    machine: Registration,
    destination: Destination,
    asked: Option<ClientId>,
    state: RegistrationState,
}

impl Registrations {
    /// Of a trunk, if it registers.
    pub(crate) fn state(&self, trunk: &str) -> Option<RegistrationState> {
        let entry = self.all.iter().find(|entry| entry.trunk == trunk);
        entry.map(|entry| entry.state)
    }

    /// Another configuration: what is wanted as before goes on, what is wanted no more is taken away at its expiry.
    pub(crate) fn configure(&mut self, desk: &mut Desk, now: Now) {
        let snapshot = std::sync::Arc::clone(&desk.snapshot);
        let mut before: HashMap<String, Entry> = self
            .all
            .drain(..)
            .map(|entry| (entry.trunk.clone(), entry))
            .collect();
        for (id, trunk) in snapshot.trunks() {
            let TrunkKind::Carrier(carrier) = &trunk.kind else {
                continue;
            };
            let Some(wanted) = &carrier.registration else {
                continue;
            };
            let wanted = (carrier.clone(), wanted.clone());
            let entry = match before.remove(&trunk.name) {
                Some(entry) if entry.wanted == wanted => entry,
                _ => Entry::new(desk, now, id, &trunk.name, wanted),
            };
            self.all.push(entry);
        }
        self.drain(desk, now);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.all
            .iter()
            .filter_map(|entry| entry.machine.deadline())
            .min()
    }

    pub(crate) fn wake(&mut self, desk: &mut Desk, now: Now) {
        for entry in &mut self.all {
            if entry.machine.deadline().is_some_and(|at| at <= now.instant) {
                entry.machine.handle(now.instant, Input::Wake);
            }
        }
        self.drain(desk, now);
    }

    pub(crate) fn hear(&mut self, desk: &mut Desk, now: Now, index: usize, input: LegInput) {
        let Some(entry) = self.all.get_mut(index) else {
            return;
        };
        let (client, input) = match input {
            LegInput::Response { response, .. } if response.status().is_provisional() => return,
            LegInput::Response {
                client, response, ..
            } => (client, Input::Response(response)),
            LegInput::TimedOut { client } => (client, Input::Silence),
            LegInput::Unreachable { client } => (client, Input::Unreachable),
            _ => return,
        };
        if entry.asked.take_if(|asked| *asked == client).is_some() {
            entry.machine.handle(now.instant, input);
            self.drain(desk, now);
        }
    }

    fn drain(&mut self, desk: &mut Desk, now: Now) {
        for (index, entry) in self.all.iter_mut().enumerate() {
            while let Some(output) = entry.machine.poll() {
                match output {
                    Output::Send(request) => {
                        let owner = Owner::Trunk(Duty::Register(index));
                        entry.asked =
                            Some(desk.send(now, owner, request, &entry.destination, None));
                    }
                    Output::Event(event) => {
                        let state = match event {
                            Told::Registered(_) => RegistrationState::Registered,
                            Told::Failed {
                                cause: Failure::Credentials(_) | Failure::NoCredentials,
                                ..
                            } => RegistrationState::Refused,
                            Told::Failed { .. } | Told::Expired | Told::Stopped => {
                                RegistrationState::Trying
                            }
                        };
                        entry.state = state;
                        desk.tell(Event::Registration {
                            trunk: entry.trunk.clone(),
                            state,
                        });
                    }
                }
            }
        }
    }
}

impl Entry {
    fn new(desk: &mut Desk, now: Now, id: TrunkId, name: &str, wanted: (Carrier, Wanted)) -> Self {
        let snapshot = std::sync::Arc::clone(&desk.snapshot);
        let (carrier, registration) = &wanted;
        let domain = carrier
            .domain
            .as_deref()
            .unwrap_or(&registration.registrar.host);
        let us = name_on(&snapshot, snapshot.trunk(id));
        let transport = crate::courier::transport_of(carrier.transport).uri_param();
        let contact = Uri::sip(us.host)
            .user(&registration.user)
            .port(us.port)
            .param("transport", transport)
            .finish();
        let settings = Settings {
            registrar: Uri::sip(host_of(domain)).finish(),
            address: Uri::sip(host_of(domain)).user(&registration.user).finish(),
            contact: NameAddr::new(&contact),
            expires: registration.expires,
            credentials: credentials_of(carrier),
        };
        let wire = Wire::new(desk, &snapshot, id, &registration.user);
        let destination = wire.destination(&uri_of(&registration.registrar, carrier.transport));
        let mut machine = Registration::new(settings, desk.tokens.seed());
        machine.handle(now.instant, Input::Start);
        Self {
            trunk: name.to_owned(),
            wanted,
            machine,
            destination,
            asked: None,
            state: RegistrationState::Trying,
        }
    }
}

/// What a carrier's challenges are answered with.
pub(crate) fn credentials_of(carrier: &Carrier) -> Option<Credentials> {
    carrier.credentials.as_ref().map(|credentials| Credentials {
        username: credentials.user.clone(),
        password: Password::new(credentials.password.reveal().to_owned()),
        realm: None,
    })
}
