//! Registering with a trunk (RFC 3261 §10.2): one binding, kept alive.
//!
//! A [`Registration`] asks, answers challenges and 423, refreshes in time, backs off when it fails (RFC 5626 §4.5) and takes the
//! binding away when it is stopped. It reads what the registrar gives beside the binding: Service-Route (RFC 3608), GRUU
//! (RFC 5627), P-Associated-URI; and says that it understands Path (RFC 3327).
//!
//! Not here: transactions, resolving the registrar, being a registrar.

use std::collections::VecDeque;

use embassy_time::{Duration, Instant};

use crate::auth::{Client, Credentials, Exchange, Unanswerable};
use crate::message::{Contacts, Method, Name, NameAddr, Request, Response, StatusCode, Uri};
use crate::token::{RngCore, Tokens};

/// First wait after a failure; it doubles (RFC 5626 §4.5, `base-time-all-fail`).
const BASE_WAIT: Duration = Duration::from_secs(30);

/// Longest wait after a failure (RFC 5626 §4.5, `max-time`).
const MAX_WAIT: Duration = Duration::from_secs(1_800);

/// Longest interval that a registrar may ask of us in 423.
const MAX_EXPIRES: u32 = 7 * 86_400;

/// How often one attempt follows a 423.
const MAX_BRIEF: u8 = 2;

/// What is registered where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Request-URI: the registrar's domain, without user.
    pub registrar: Uri,
    /// The address of record, for From and To.
    pub address: Uri,
    /// The binding. With `+sip.instance` (and `reg-id`) it is recognised by that in answers, and may get a GRUU.
    pub contact: NameAddr,
    /// Seconds that we ask for.
    pub expires: u32,
    /// What we answer challenges with.
    pub credentials: Option<Credentials>,
}

/// What is told to a registration.
#[derive(Debug)]
pub enum Input {
    /// Begin, or begin again at once after a failure.
    Start,
    /// Take the binding away and stop.
    Stop,
    /// A response to the REGISTER that was sent last.
    Response(Response),
    /// No response came.
    Silence,
    /// The REGISTER could not be sent, or the connection on which the binding rests is gone.
    Unreachable,
    /// The deadline has been reached.
    Wake,
}

/// What a registration wants.
#[derive(Debug)]
pub enum Output {
    /// Send it (the transaction layer adds Via); tell what becomes of it.
    Send(Request),
    /// Tell the user.
    Event(Event),
}

/// What the user of a registration must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The binding stands, new or refreshed.
    Registered(Box<Granted>),
    /// An attempt failed; the next one is at `retry_at`.
    Failed {
        /// Why.
        cause: Failure,
        /// When it tries again by itself.
        retry_at: Instant,
        /// Whether an older binding still stands.
        binding: Binding,
    },
    /// The binding is gone because nobody could refresh it in time.
    Expired,
    /// The binding has been taken away, or nobody answered that it should be.
    Stopped,
}

/// What a registrar has granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// How long the binding stands.
    pub expires: Duration,
    /// Routes for every request of ours through this registrar (RFC 3608), in order.
    pub service_routes: Vec<NameAddr>,
    /// Our public GRUU (RFC 5627): to be used as Contact instead of the bound address.
    pub gruu: Option<Uri>,
    /// Other identities that may be used (RFC 7315); values as they came.
    pub associated: Vec<String>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The registrar said no.
    Refused(StatusCode),
    /// It asked for credentials that we cannot give.
    Credentials(Unanswerable),
    /// It asked for credentials, and none are configured.
    NoCredentials,
    /// It said 200 and did not bind our address.
    NotBound,
    /// It did not answer.
    Silence,
    /// It could not be reached.
    Unreachable,
}

/// Whether a binding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Calls can come in.
    Stands,
    /// Calls cannot come in.
    Absent,
}

#[derive(Debug)]
enum State {
    Idle,
    /// A REGISTER is out.
    Asking(Asking),
    /// The binding stands and is refreshed in time.
    Bound {
        refresh_at: Instant,
    },
    /// An attempt failed.
    Waiting {
        retry_at: Instant,
    },
    /// A REGISTER that takes the binding away is out.
    Leaving(Asking),
}

#[derive(Debug)]
struct Asking {
    request: Request,
    exchange: Exchange,
    too_brief: u8,
}

/// Whether the REGISTER binds or unbinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    Bind,
    Unbind,
}

/// A registration. Drain [`Registration::poll`] after every input.
#[derive(Debug)]
pub struct Registration {
    settings: Settings,
    credentials: Option<Client>,
    tokens: Tokens,
    call_id: String,
    tag: String,
    cseq: u32,
    /// What is asked for: the settings' value, or what a 423 raised it to.
    expires: u32,
    failures: u32,
    /// When the binding that stands ends by itself.
    bound_until: Option<Instant>,
    state: State,
    outputs: VecDeque<Output>,
}

impl Registration {
    /// Not begun.
    #[must_use]
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        let mut tokens = Tokens::new(seed);
        Self {
            credentials: settings.credentials.clone().map(Client::new),
            // RFC 3261 §10.2: one Call-ID for all registrations of a boot, CSeq growing.
            call_id: tokens.call_id(),
            tag: tokens.tag(),
            cseq: 0,
            expires: settings.expires,
            failures: 0,
            bound_until: None,
            state: State::Idle,
            outputs: VecDeque::new(),
            tokens,
            settings,
        }
    }

    /// Take an input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match (input, std::mem::replace(&mut self.state, State::Idle)) {
            (Input::Wake, state) => self.wake(now, state),
            (Input::Start, State::Idle | State::Waiting { .. }) => self.ask(),
            (Input::Stop, State::Bound { .. } | State::Asking(_) | State::Waiting { .. }) => {
                self.leave();
            }
            (Input::Response(response), State::Asking(asking)) => {
                self.answered(now, asking, &response);
            }
            (Input::Response(response), State::Leaving(asking)) => self.left(asking, &response),
            (Input::Silence, State::Asking(_)) => self.failed(now, Failure::Silence, None),
            (Input::Unreachable, State::Asking(_)) => self.failed(now, Failure::Unreachable, None),
            (Input::Silence | Input::Unreachable, State::Leaving(_)) => self.stopped(),
            // RFC 5626 §4.2: the flow is gone, and with it the binding.
            (Input::Unreachable, State::Bound { .. }) => {
                self.bound_until = None;
                self.ask();
            }
            (_, state) => self.state = state,
        }
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Wake`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let next = match &self.state {
            State::Bound { refresh_at } => Some(*refresh_at),
            State::Waiting { retry_at } => Some(*retry_at),
            State::Idle | State::Asking(_) | State::Leaving(_) => None,
        };
        match &self.state {
            State::Leaving(_) => None,
            _ => next.into_iter().chain(self.bound_until).min(),
        }
    }

    /// Whether a binding stands.
    #[must_use]
    pub const fn binding(&self) -> Binding {
        match self.bound_until {
            Some(_) => Binding::Stands,
            None => Binding::Absent,
        }
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn wake(&mut self, now: Instant, state: State) {
        if self.bound_until.is_some_and(|until| until <= now) {
            self.bound_until = None;
            self.tell(Event::Expired);
        }
        match state {
            State::Bound { refresh_at } if refresh_at <= now => self.ask(),
            State::Waiting { retry_at } if retry_at <= now => self.ask(),
            state => self.state = state,
        }
    }

    fn ask(&mut self) {
        self.state = State::Asking(self.send(Aim::Bind));
    }

    fn leave(&mut self) {
        self.bound_until = None;
        // A REGISTER that is still out may yet bind: what goes out later takes that away too.
        self.state = State::Leaving(self.send(Aim::Unbind));
    }

    fn send(&mut self, aim: Aim) -> Asking {
        let mut request = self.register(aim);
        if let Some(client) = &mut self.credentials {
            request = client.authorize(&request, &mut self.tokens);
        }
        self.outputs.push_back(Output::Send(request.clone()));
        Asking {
            request,
            exchange: Exchange::default(),
            too_brief: 0,
        }
    }

    fn register(&mut self, aim: Aim) -> Request {
        self.cseq += 1;
        let expires = match aim {
            Aim::Bind => self.expires,
            Aim::Unbind => 0,
        };
        let settings = &self.settings;
        let address = NameAddr::new(&settings.address);
        Request::build(Method::Register, &settings.registrar)
            .header(Name::MaxForwards, "70")
            .header(Name::From, address.with_param("tag", Some(&self.tag)))
            .header(Name::To, address)
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{} REGISTER", self.cseq))
            .header(Name::Contact, &settings.contact)
            .header(Name::Expires, expires)
            .header(Name::Supported, "path, gruu, outbound")
            .finish()
    }

    fn answered(&mut self, now: Instant, mut asking: Asking, response: &Response) {
        let status = response.status();
        if status.is_provisional() {
            self.state = State::Asking(asking);
        } else if status.is_success() {
            self.granted(now, response);
        } else if Client::is_challenge(response) {
            match self.authorize(&mut asking, response) {
                Ok(()) => self.state = State::Asking(asking),
                Err(failure) => self.failed(now, failure, None),
            }
        } else if status == StatusCode::INTERVAL_TOO_BRIEF && self.lengthen(&asking, response) {
            let too_brief = asking.too_brief + 1;
            self.state = State::Asking(Asking {
                too_brief,
                ..self.send(Aim::Bind)
            });
        } else {
            let after = response.headers().retry_after().ok().flatten();
            let after = after.map(|after| Duration::from_secs(u64::from(after.seconds)));
            self.failed(now, Failure::Refused(status), after);
        }
    }

    fn authorize(&mut self, asking: &mut Asking, response: &Response) -> Result<(), Failure> {
        let client = self.credentials.as_mut().ok_or(Failure::NoCredentials)?;
        let request = client
            .answer(
                &mut asking.exchange,
                &asking.request,
                response,
                &mut self.tokens,
            )
            .map_err(Failure::Credentials)?;
        self.cseq += 1;
        asking.request = request.clone();
        self.outputs.push_back(Output::Send(request));
        Ok(())
    }

    /// RFC 3261 §10.2.8. Whether asking again makes sense.
    fn lengthen(&mut self, asking: &Asking, response: &Response) -> bool {
        match response.headers().min_expires() {
            Ok(Some(least))
                if asking.too_brief < MAX_BRIEF && least > self.expires && least <= MAX_EXPIRES =>
            {
                self.expires = least;
                true
            }
            _ => false,
        }
    }

    fn granted(&mut self, now: Instant, response: &Response) {
        let Some((seconds, ours)) = self.bound(response) else {
            self.bound_until = None;
            return self.failed(now, Failure::NotBound, None);
        };
        let expires = Duration::from_secs(u64::from(seconds));
        self.failures = 0;
        self.bound_until = Some(now + expires);
        self.state = State::Bound {
            refresh_at: now + self.refresh_after(seconds),
        };
        let headers = response.headers();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let granted = Granted {
            expires,
            service_routes: headers.service_routes().unwrap_or_default(),
            gruu: ours
                .params()
                .unquoted("pub-gruu")
                .and_then(|gruu| gruu.parse().ok()),
            associated: headers
                .values(Name::Other("P-Associated-URI"))
                .map(text)
                .collect(),
        };
        self.tell(Event::Registered(Box::new(granted)));
    }

    /// Our binding among those of the answer, and its seconds (RFC 3261 §10.3 step 8: the answer lists them all).
    fn bound(&self, response: &Response) -> Option<(u32, NameAddr)> {
        let headers = response.headers();
        let Ok(Contacts::List(listed)) = headers.contacts() else {
            return None;
        };
        let contact = &self.settings.contact;
        let by_instance = |theirs: &&NameAddr| {
            let instance = contact.params().unquoted("+sip.instance");
            instance.is_some()
                && instance == theirs.params().unquoted("+sip.instance")
                && contact.params().value("reg-id") == theirs.params().value("reg-id")
        };
        let ours = listed
            .iter()
            .find(|theirs| theirs.uri().matches(contact.uri()))
            .or_else(|| listed.iter().find(by_instance))
            // A registrar that rewrites the address to where we came from: then it lists that alone.
            .or_else(|| listed.first().filter(|_| listed.len() == 1))?;
        let seconds = match ours.params().value("expires") {
            Some(seconds) => seconds.parse().ok()?,
            None => headers.expires().ok().flatten().unwrap_or(self.expires),
        };
        (seconds > 0).then(|| (seconds, ours.clone()))
    }

    /// Half of a short time, ten minutes before the end of a long one; up to a tenth earlier, so that many do not come at once.
    fn refresh_after(&mut self, seconds: u32) -> Duration {
        let millis = u64::from(seconds) * 1_000;
        let late = if seconds > 1_200 {
            millis - 600_000
        } else {
            millis / 2
        };
        let early = u64::from(self.tokens.next_u32()) % (late / 10 + 1);
        Duration::from_millis((late - early).max(500))
    }

    fn failed(&mut self, now: Instant, cause: Failure, after: Option<Duration>) {
        let doubled = BASE_WAIT * (1 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        let longest = match cause {
            // Wrong passwords in short order lock accounts.
            Failure::Credentials(_) | Failure::NoCredentials => MAX_WAIT,
            _ => doubled.min(MAX_WAIT),
        };
        // RFC 5626 §4.5: from half of it to all of it.
        let millis = longest.as_millis();
        let wait = Duration::from_millis(millis / 2 + self.tokens.number() % (millis / 2 + 1));
        let retry_at =
            now + after.map_or(wait, |after| after.clamp(Duration::from_secs(1), MAX_WAIT));
        self.state = State::Waiting { retry_at };
        let binding = self.binding();
        self.tell(Event::Failed {
            cause,
            retry_at,
            binding,
        });
    }

    fn left(&mut self, mut asking: Asking, response: &Response) {
        let goes_on = response.status().is_provisional()
            || (Client::is_challenge(response) && self.authorize(&mut asking, response).is_ok());
        if goes_on {
            self.state = State::Leaving(asking);
        } else {
            self.stopped();
        }
    }

    fn stopped(&mut self) {
        self.state = State::Idle;
        self.failures = 0;
        self.tell(Event::Stopped);
    }
}
