//! Transactions of a peer: matches responses to requests, absorbs and answers retransmissions, hands the rest on.
//!
//! Requests of a known Call-ID go to the call that enrolled it, all others to the owner as a [`Stray`]. An INVITE's 100 is
//! not sent from here, so that a script can play dead.
//!
//! Not here: dialogs; transport errors (a lost connection shows as a transaction without an answer).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::flow::{Flow, Protocol};
use super::message::{Case, Message, Unreadable};
use crate::random;

/// RFC 3261 §17.1.1.1: the round trip that retransmission begins with, and its longest step.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// 64*T1.
const GIVE_UP: Duration = Duration::from_secs(32);

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The request.
    pub message: Message,
    /// How it came.
    pub flow: Flow,
}

/// What belongs to no call.
#[derive(Debug)]
pub enum Stray {
    /// A request of an unknown Call-ID.
    Request(Incoming),
    /// A response that no request waits for.
    Response(Message),
    /// Bytes that are no SIP message.
    Unreadable {
        /// How they came.
        flow: Flow,
        /// What is wrong.
        error: Unreadable,
        /// The bytes.
        bytes: Bytes,
    },
    /// A TLS handshake that failed.
    Handshake {
        /// Who tried.
        peer: SocketAddr,
        /// What OpenSSL says.
        error: io::Error,
    },
}

/// All transactions of one peer.
#[derive(Debug, Clone)]
pub struct Endpoint(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    since: Instant,
    case: Case,
    trace: AtomicBool,
    tables: Mutex<Tables>,
    strays: mpsc::UnboundedSender<Stray>,
}

/// Branch and method; an ACK or CANCEL looks for its INVITE.
type Key = (String, String);

#[derive(Debug, Default)]
struct Tables {
    clients: HashMap<Key, ClientEntry>,
    servers: HashMap<Key, ServerEntry>,
    calls: HashMap<String, mpsc::UnboundedSender<Incoming>>,
}

#[derive(Debug)]
struct ClientEntry {
    request: Message,
    flow: Flow,
    responses: mpsc::UnboundedSender<Message>,
    resend: Option<AbortHandle>,
}

#[derive(Debug)]
struct ServerEntry {
    flow: Flow,
    last: Option<(u16, Bytes)>,
    resend: Option<AbortHandle>,
}

impl Endpoint {
    /// An endpoint that writes headers in `case`; strays come out of the receiver.
    #[must_use]
    pub fn new(name: &str, case: Case) -> (Self, mpsc::UnboundedReceiver<Stray>) {
        let (strays, receiver) = mpsc::unbounded_channel();
        let shared = Shared {
            name: name.to_owned(),
            since: Instant::now(),
            case,
            trace: AtomicBool::new(false),
            tables: Mutex::default(),
            strays,
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// What it is called in what people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Shows every message on standard error from now on.
    pub fn show_messages(&self) {
        self.0.trace.store(true, Ordering::Relaxed);
    }

    /// Requests of this Call-ID come out of the receiver from now on.
    #[must_use]
    pub fn enrol(&self, call_id: &str) -> mpsc::UnboundedReceiver<Incoming> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.tables().calls.insert(call_id.to_owned(), sender);
        receiver
    }

    /// The call is over.
    pub fn dismiss(&self, call_id: &str) {
        self.tables().calls.remove(call_id);
    }

    /// Starts a client transaction; Via is added here.
    #[must_use]
    pub fn send(&self, flow: &Flow, request: Message) -> Transaction {
        let branch = format!("z9hG4bK{}", random::token());
        let method = request.method().unwrap_or_default().to_owned();
        let request = self.via(flow, request, &branch);
        let bytes = self.print(flow, &request);
        let (responses, receiver) = mpsc::unbounded_channel();
        let resend = (flow.protocol() == Protocol::Udp)
            .then(|| resend(flow.clone(), bytes.clone(), resend_step(&method)));
        let key = (branch.clone(), method);
        let entry = ClientEntry {
            request: request.clone(),
            flow: flow.clone(),
            responses,
            resend,
        };
        // Known before it leaves: on another thread the answer may be there at once.
        self.tables().clients.insert(key, entry);
        flow.send(bytes);
        Transaction {
            endpoint: self.clone(),
            flow: flow.clone(),
            branch,
            request,
            responses: receiver,
        }
    }

    /// Sends an ACK to a 2xx: a request of its own that nothing answers.
    pub fn send_ack(&self, flow: &Flow, ack: Message) {
        let ack = self.via(flow, ack, &format!("z9hG4bK{}", random::token()));
        flow.send(self.print(flow, &ack));
    }

    /// Answers a request. Final answers to an INVITE are sent again until the ACK.
    pub fn respond(&self, to: &Incoming, response: Message) {
        let Some(key) = server_key(&to.message) else {
            return;
        };
        let code = response.code().unwrap_or_default();
        let bytes = self.print(&to.flow, &response);
        let again =
            key.1 == "INVITE" && code >= 200 && (to.flow.protocol() == Protocol::Udp || code < 300);
        let mut tables = self.tables();
        let entry = tables.servers.entry(key).or_insert_with(|| ServerEntry {
            flow: to.flow.clone(),
            last: None,
            resend: None,
        });
        entry.last = Some((code, bytes.clone()));
        if again {
            entry.resend = Some(resend(to.flow.clone(), bytes.clone(), T2));
        }
        // Under the lock, so that an ACK finds what it is to stop.
        to.flow.send(bytes);
    }

    /// The ACK to a 2xx has come: stop sending it.
    pub fn acknowledged(&self, invite: &Message) {
        let mut tables = self.tables();
        if let Some(entry) = server_key(invite).and_then(|key| tables.servers.get_mut(&key)) {
            stop(&mut entry.resend);
        }
    }

    /// Takes in one message from the network.
    pub fn deliver(&self, flow: &Flow, bytes: &[u8]) {
        self.show("<-", flow, bytes);
        match Message::parse(bytes) {
            Ok(message) if message.code().is_some() => self.take_response(message),
            Ok(message) => self.take_request(Incoming {
                message,
                flow: flow.clone(),
            }),
            Err(error) => self.stray(Stray::Unreadable {
                flow: flow.clone(),
                error,
                bytes: Bytes::copy_from_slice(bytes),
            }),
        }
    }

    pub(super) fn handshake_failed(&self, peer: SocketAddr, error: io::Error) {
        self.stray(Stray::Handshake { peer, error });
    }

    fn take_response(&self, message: Message) {
        let key = message
            .branch()
            .zip(message.cseq())
            .map(|(branch, (_, method))| (branch.to_owned(), method.to_owned()));
        let code = message.code().unwrap_or_default();
        let mut tables = self.tables();
        let Some(entry) = key.as_ref().and_then(|key| tables.clients.get_mut(key)) else {
            drop(tables);
            return self.stray(Stray::Response(message));
        };
        let is_invite = entry.request.method() == Some("INVITE");
        if is_invite || code >= 200 {
            stop(&mut entry.resend);
        }
        if is_invite && code >= 300 {
            // RFC 3261 §17.1.1.3: same branch, To of the response.
            let ack = ack_to_refusal(&entry.request, &message);
            entry.flow.send(self.print(&entry.flow, &ack));
        }
        let _ = entry.responses.send(message);
        drop(tables);
        if code >= 200
            && let Some(key) = key
        {
            self.forget_later(move |tables| {
                tables.clients.remove(&key);
            });
        }
    }

    fn take_request(&self, incoming: Incoming) {
        let message = &incoming.message;
        let (Some(method), Some(key)) = (message.method(), server_key(message)) else {
            return;
        };
        let mut tables = self.tables();
        match (method, tables.servers.get_mut(&key)) {
            ("ACK", Some(entry)) => {
                stop(&mut entry.resend);
                if entry.last.as_ref().is_some_and(|(code, _)| *code >= 300) {
                    return;
                }
            }
            ("ACK", None) => {}
            ("CANCEL", invite) => {
                let known = invite.is_some();
                drop(tables);
                let (code, reason) = if known {
                    (200, "OK")
                } else {
                    (481, "Call/Transaction Does Not Exist")
                };
                let reply = Message::response(message, code, reason).with_to_tag(&random::token());
                incoming.flow.send(self.print(&incoming.flow, &reply));
                if known {
                    self.hand_on(incoming);
                }
                return;
            }
            (_, Some(entry)) => {
                if let Some((_, bytes)) = &entry.last {
                    entry.flow.send(bytes.clone());
                }
                return;
            }
            (_, None) => {
                let entry = ServerEntry {
                    flow: incoming.flow.clone(),
                    last: None,
                    resend: None,
                };
                tables.servers.insert(key.clone(), entry);
                self.forget_later(move |tables| {
                    if let Some(mut entry) = tables.servers.remove(&key) {
                        stop(&mut entry.resend);
                    }
                });
            }
        }
        drop(tables);
        self.hand_on(incoming);
    }

    fn hand_on(&self, incoming: Incoming) {
        let call = self.tables().calls.get(incoming.message.call_id()).cloned();
        let stray = match call {
            None => Some(incoming),
            Some(call) => call.send(incoming).err().map(|refused| refused.0),
        };
        if let Some(incoming) = stray {
            self.stray(Stray::Request(incoming));
        }
    }

    fn stray(&self, stray: Stray) {
        // The owner may be gone at the end of a run.
        let _ = self.0.strays.send(stray);
    }

    fn forget_later(&self, forget: impl FnOnce(&mut Tables) + Send + 'static) {
        let endpoint = self.clone();
        tokio::spawn(async move {
            sleep(GIVE_UP * 2).await;
            forget(&mut endpoint.tables());
        });
    }

    fn via(&self, flow: &Flow, request: Message, branch: &str) -> Message {
        let via = format!(
            "SIP/2.0/{} {};branch={branch};rport",
            flow.protocol().name(),
            flow.local()
        );
        request.with_first("Via", via)
    }

    fn print(&self, flow: &Flow, message: &Message) -> Bytes {
        let bytes = message.print(self.0.case);
        self.show("->", flow, &bytes);
        bytes
    }

    fn show(&self, way: &str, flow: &Flow, bytes: &[u8]) {
        if self.0.trace.load(Ordering::Relaxed) {
            eprintln!(
                "--- {:.3} {} {} {way} {} {}\n{}",
                self.0.since.elapsed().as_secs_f64(),
                self.0.name,
                flow.local(),
                flow.protocol().name(),
                flow.peer(),
                String::from_utf8_lossy(bytes).trim_end()
            );
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

/// A client transaction.
#[derive(Debug)]
pub struct Transaction {
    endpoint: Endpoint,
    flow: Flow,
    branch: String,
    request: Message,
    responses: mpsc::UnboundedReceiver<Message>,
}

impl Transaction {
    /// The request as sent, Via included.
    #[must_use]
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// The way it went.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The next response, provisional or final, also the repeated 2xx of an INVITE.
    pub async fn next(&mut self) -> Option<Message> {
        timeout(GIVE_UP, self.responses.recv()).await.ok().flatten()
    }

    /// The final response.
    ///
    /// # Errors
    /// Where none came in time.
    pub async fn finish(&mut self) -> Result<Message, NoAnswer> {
        loop {
            match self.next().await {
                Some(response) if response.code() >= Some(200) => return Ok(response),
                Some(_) => {}
                None => return Err(NoAnswer),
            }
        }
    }

    /// Cancels an INVITE (RFC 3261 §9.1): same branch, same way.
    pub fn cancel(&self, reason: Option<&str>) {
        let mut cancel = Message::request("CANCEL", self.request.uri());
        for name in ["Via", "From", "To", "Call-ID", "Route", "Max-Forwards"] {
            for value in self.request.all(name) {
                cancel = cancel.with(name, value);
            }
        }
        let number = self.request.cseq().map_or(1, |(number, _)| number);
        cancel = cancel.with("CSeq", format!("{number} CANCEL"));
        if let Some(reason) = reason {
            cancel = cancel.with("Reason", reason);
        }
        self.flow.send(self.endpoint.print(&self.flow, &cancel));
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let key = (
            self.branch.clone(),
            self.request.method().unwrap_or_default().to_owned(),
        );
        if let Some(entry) = self.endpoint.tables().clients.get_mut(&key) {
            stop(&mut entry.resend);
        }
    }
}

fn server_key(message: &Message) -> Option<Key> {
    let method = match message.method()? {
        "ACK" | "CANCEL" => "INVITE",
        other => other,
    };
    Some((message.branch()?.to_owned(), method.to_owned()))
}

fn ack_to_refusal(invite: &Message, refusal: &Message) -> Message {
    let mut ack = Message::request("ACK", invite.uri());
    for name in ["Via", "From", "Call-ID", "Route", "Max-Forwards"] {
        for value in invite.all(name) {
            ack = ack.with(name, value);
        }
    }
    let number = invite.cseq().map_or(1, |(number, _)| number);
    ack.with("To", refusal.header("To").unwrap_or_default())
        .with("CSeq", format!("{number} ACK"))
}

fn resend_step(method: &str) -> Duration {
    if method == "INVITE" { GIVE_UP } else { T2 }
}

/// Sends again and again, each time after twice the wait, `longest` at most.
fn resend(flow: Flow, bytes: Bytes, longest: Duration) -> AbortHandle {
    tokio::spawn(async move {
        let (mut wait, mut waited) = (T1, Duration::ZERO);
        while waited < GIVE_UP {
            sleep(wait).await;
            waited += wait;
            wait = (wait * 2).min(longest);
            flow.send(bytes.clone());
        }
    })
    .abort_handle()
}

fn stop(task: &mut Option<AbortHandle>) {
    if let Some(task) = task.take() {
        task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::flow::{connect_tcp, listen_tcp};

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn an_answer_is_heard_however_soon_it_comes() {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let (one, _strays) = Endpoint::new("one", Case::Usual);
        let (other, mut asked) = Endpoint::new("other", Case::Usual);
        let listening = listen_tcp(here, other.clone()).await.expect("a port");
        tokio::spawn(async move {
            while let Some(Stray::Request(request)) = asked.recv().await {
                let reply = Message::response(&request.message, 200, "OK");
                other.respond(&request, reply);
            }
        });
        let flow = connect_tcp(here, listening.address(), one.clone())
            .await
            .expect("a connection");
        for number in 0..2_000 {
            let request = Message::request("OPTIONS", "sip:other")
                .with("From", "<sip:one>;tag=1")
                .with("To", "<sip:other>")
                .with("Call-ID", number.to_string())
                .with("CSeq", "1 OPTIONS");
            let mut transaction = one.send(&flow, request);
            let answer = timeout(T1 * 20, transaction.finish()).await;
            assert!(matches!(answer, Ok(Ok(_))), "{number}: {answer:?}");
        }
    }
}
