//! A call in memory: Alice invites Bob, Bob answers, Alice hangs up. `cargo run -p sip --example two_phones`
//!
//! Each side is a transaction layer and a dialog; the network is a loop that hands bytes over. There is no clock and no socket:
//! time is a number, and everything that happens is printed.

use std::net::SocketAddr;

use embassy_time::Instant;
use sip::dialog::Dialog;
use sip::message::{Message, Method, Name, Request, Response, StatusCode, Uri};
use sip::transaction::{Event, Input, Layer, Output, Timers};
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};

const NOW: Instant = Instant::from_secs(0);

struct Phone {
    name: &'static str,
    address: SocketAddr,
    layer: Layer,
    invite: Option<Request>,
    dialog: Option<Dialog>,
}

impl Phone {
    fn new(name: &'static str, address: &str) -> Self {
        let layer = Layer::new([name.len() as u8; 32], Timers::default());
        let address = address.parse().expect("an address");
        Self {
            name,
            address,
            layer,
            invite: None,
            dialog: None,
        }
    }

    fn send(&mut self, request: Request, to: &Uri) {
        let (id, target) = (self.layer.next_client_id(), target(to));
        let sent_by = self.address.into();
        self.layer.handle(
            NOW,
            Input::Send {
                id,
                request,
                target,
                sent_by,
                patience: None,
            },
        );
    }

    /// What a user of the layer does; this one says yes to everything.
    fn act(&mut self, event: Event) {
        match event {
            Event::Request { id, request, .. } => {
                if request.method() == Method::Invite {
                    self.dialog = Dialog::server(&request, "bobs-tag").ok();
                }
                let contact = format!("<sip:{}>", self.address);
                let yes = Response::reply(&request, StatusCode::OK)
                    .to_tag("bobs-tag")
                    .header(Name::Contact, contact);
                self.layer.handle(
                    NOW,
                    Input::Respond {
                        id,
                        response: yes.finish(),
                    },
                );
            }
            Event::Response { id, response, .. } if response.status().is_success() => {
                let Some(invite) = self.invite.take() else {
                    return;
                };
                let mut dialog = Dialog::client(&invite, &response).expect("a good answer");
                let (ack, hop) = (dialog.ack().finish(), dialog.next_hop().clone());
                let (to_tag, sent_by) = (dialog.remote_tag().to_owned(), self.address.into());
                self.layer.handle(
                    NOW,
                    Input::Acknowledge {
                        id,
                        to_tag,
                        ack,
                        target: target(&hop),
                        sent_by,
                    },
                );
                self.send(dialog.request(Method::Bye).finish(), &hop);
            }
            _ => {}
        }
    }
}

fn target(uri: &Uri) -> Target {
    let address = uri
        .host()
        .and_then(sip::message::Host::address)
        .expect("a number");
    let remote = SocketAddr::new(address, uri.port().unwrap_or(5060));
    Target {
        transport: Transport::Udp,
        remote,
        listener: ListenerId(0),
        flow: None,
        tls: None,
    }
}

fn main() {
    let mut phones = [
        Phone::new("Alice", "192.0.2.1:5060"),
        Phone::new("Bob", "192.0.2.22:5060"),
    ];
    let bob: Uri = "sip:bob@192.0.2.22".parse().expect("a URI");
    let invite = Request::build(Method::Invite, &bob)
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:alice@192.0.2.1>;tag=alices-tag")
        .header(Name::To, "<sip:bob@192.0.2.22>")
        .header(Name::CallId, "a84b4c76e66710")
        .header(Name::CSeq, "1 INVITE")
        .header(Name::Contact, "<sip:192.0.2.1:5060>")
        .finish();
    phones[0].invite = Some(invite.clone());
    phones[0].send(invite, &bob);

    let mut turn = 0;
    let mut silent = 0;
    while silent < phones.len() {
        let [alice, bob] = &mut phones;
        let (here, there) = if turn % 2 == 0 {
            (alice, bob)
        } else {
            (bob, alice)
        };
        match here.layer.poll() {
            None => (turn, silent) = (turn + 1, silent + 1),
            Some(Output::Event(event)) => here.act(event),
            Some(Output::Transmit { bytes, .. }) => {
                silent = 0;
                let message = Message::parse(bytes).expect("we built it");
                println!("{:>5} says {message:?}", here.name);
                let (transport, listener) = (Transport::Udp, ListenerId(0));
                let (local, remote) = (there.address, here.address);
                let source = Source {
                    flow: FlowId(0),
                    listener,
                    transport,
                    local,
                    remote,
                    tls: None,
                };
                there.layer.handle(NOW, Input::Received { message, source });
            }
        }
    }
}
