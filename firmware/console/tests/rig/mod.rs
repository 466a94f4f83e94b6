//! A console on loopback with a control that answers what a test says, a clock that a test moves, and browsers.
//!
//! Not here: what is tested.
#![allow(dead_code, reason = "each test file uses the part it needs")]

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use console::certificates::{Certificate, KeyKind, Notary, Pair, Refused, Request};
use console::doctor::{Check, Finding, Light, Physician, Report};
use console::{Console, Fault, Judge, Settings, World};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use store::Wall;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener};

/// A configuration that is good.
pub(crate) const GOOD: &str =
    "version = 1\n[media]\naddress = \"127.0.0.1\"\nports = \"20000-23999\"\n";

/// What the control of a test was asked.
pub(crate) type Asked = Arc<Mutex<Vec<Value>>>;

/// A console, and what a test holds of it.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) code: String,
    pub(crate) asked: Asked,
    pub(crate) folder: PathBuf,
    clock: Arc<AtomicU64>,
}

struct Parser;

impl Judge for Parser {
    fn judge(&self, text: &str) -> Result<Vec<String>, Vec<Fault>> {
        match config::parse(text) {
            Ok(_) => Ok(Vec::new()),
            Err(findings) => Err(findings
                .into_iter()
                .map(|finding| Fault {
                    line: Some(finding.place.line),
                    column: Some(finding.place.column),
                    path: finding.path.clone(),
                    problem: finding.problem.to_string(),
                })
                .collect()),
        }
    }
}

/// Finds one thing that is as it is to be, and one that tries to be markup.
struct Healthy;

impl Physician for Healthy {
    fn examine(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        let finding = |light, seen: &str| Finding {
            about: "trunk probe".to_owned(),
            check: Check::Routes,
            light,
            seen: seen.to_owned(),
            cure: None,
        };
        let findings = vec![
            finding(Light::Green, "calls are routed"),
            finding(Light::Red, "<script>alert(1)</script>"),
        ];
        Box::pin(std::future::ready(Report { findings }))
    }
}

/// Takes `CHAIN n UNTIL` and `KEY n` for a chain and a key that fit, and `CHAIN n UNTIL|KEY n` for an archive locked with `letmein`.
struct Clerk;

impl Notary for Clerk {
    fn examine(&self, pair: &Pair) -> Result<Vec<Certificate>, Refused> {
        let word = |text: &str, place| text.split_whitespace().nth(place).map(str::to_owned);
        let refused = || Refused("they do not fit".to_owned());
        let own = word(&pair.chain, 1).ok_or_else(refused)?;
        let until = word(&pair.chain, 2).and_then(|until| until.parse().ok());
        // The file of a pair has both.
        let keys = pair.key.split("KEY ").nth(1);
        if keys.and_then(|key| word(key, 0)) != Some(own.clone()) {
            return Err(refused());
        }
        Ok(vec![Certificate {
            subject: format!("CN={own}"),
            issuer: "CN=<script>alert(1)</script>".to_owned(),
            names: vec![own],
            not_before: 0,
            not_after: until.unwrap_or(2_000_000_000),
        }])
    }

    fn request(&self, names: &[String], _: KeyKind) -> Result<Request, Refused> {
        Ok(Request {
            request: format!("REQUEST {}", names.join(" ")),
            key: format!("KEY {}", names[0]),
        })
    }

    fn unpack(&self, archive: &[u8], password: &str) -> Result<Pair, Refused> {
        let text = String::from_utf8_lossy(archive);
        match text.split_once('|').filter(|_| password == "letmein") {
            Some((chain, key)) => Ok(Pair {
                chain: chain.to_owned(),
                key: key.to_owned(),
            }),
            None => Err(Refused("another password".to_owned())),
        }
    }
}

impl Rig {
    /// Starts a console whose control gives these answers.
    pub(crate) async fn start(
        name: &str,
        answer: impl Fn(&Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        let folder =
            std::env::temp_dir().join(format!("postern-console-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        std::fs::write(folder.join("postern.toml"), GOOD).expect("a file can be written");
        let asked = Asked::default();
        let door = UnixListener::bind(folder.join("control.sock")).expect("a socket can be made");
        tokio::spawn(serve_door(door, Arc::clone(&asked), Arc::new(answer)));
        let clock = Arc::new(AtomicU64::new(1_800_000_000));
        let (now, chance) = (Arc::clone(&clock), AtomicU64::new(0));
        let world = World::new(
            move || Wall(now.load(Ordering::Relaxed)),
            move |octets| {
                let start = chance.fetch_add(1, Ordering::Relaxed);
                for (place, octet) in octets.iter_mut().enumerate() {
                    *octet = (start.wrapping_mul(151) + 31 * place as u64) as u8;
                }
                Ok(())
            },
        );
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: folder.join("data"),
            config: folder.join("postern.toml"),
            door: folder.join("control.sock"),
            notice: folder.join("console.json"),
        };
        let console = Console::open(settings, Parser, Healthy, Clerk, world)
            .await
            .expect("it starts");
        let rig = Self {
            address: console.address().expect("it listens"),
            code: console.setup_code().expect("nobody has entered"),
            asked,
            folder,
            clock,
        };
        tokio::spawn(console.serve());
        rig
    }

    /// Lets time go by.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn file(&self) -> String {
        std::fs::read_to_string(self.folder.join("postern.toml")).expect("it is there")
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            address: self.address,
            cookie: None,
            form: None,
            token: None,
        }
    }

    /// Whether it shakes hands with one more of us.
    pub(crate) async fn lets_in(&self) -> bool {
        let tcp = TcpStream::connect(self.address).await.expect("it listens");
        let name = ServerName::try_from("postern.local").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(client());
        connector.connect(name, tcp).await.is_ok()
    }

    /// A browser in which the first user, an admin, is signed in.
    pub(crate) async fn admin(&self) -> Browser {
        let mut browser = self.browser();
        let first = json!({"code": self.code, "name": "ana", "password": "correct horse"});
        assert_eq!(browser.post("/api/v1/setup", &first).await.status, 204);
        browser.learn_form().await;
        browser
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn serve_door(
    door: UnixListener,
    asked: Asked,
    answer: Arc<impl Fn(&Value) -> Value + Send + Sync + 'static>,
) -> io::Result<()> {
    loop {
        let (mut caller, _) = door.accept().await?;
        let mut line = String::new();
        BufReader::new(&mut caller).read_line(&mut line).await?;
        let question: Value = serde_json::from_str(&line)?;
        let reply = answer(&question);
        asked.lock().expect("no test fails here").push(question);
        caller.write_all(format!("{reply}\n").as_bytes()).await?;
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A browser, or a program with a token.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookie: Option<String>,
    pub(crate) form: Option<String>,
    pub(crate) token: Option<String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], String::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, &[], body).await
    }

    pub(crate) async fn json(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send(method, path, &headers, body.to_string()).await
    }

    /// Sends a form as a page does.
    pub(crate) async fn submit(&mut self, path: &str, fields: &str) -> Answer {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &kind, fields.to_owned()).await
    }

    /// Asks for the word of the session.
    pub(crate) async fn learn_form(&mut self) {
        let me = self.get("/api/v1/session").await.json();
        self.form = me["form"].as_str().map(str::to_owned);
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let answer = self
            .post(
                "/api/v1/session",
                &json!({"name": name, "password": password}),
            )
            .await;
        if answer.status == 204 {
            self.learn_form().await;
        }
        answer
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let tcp = TcpStream::connect(self.address).await.expect("it listens");
        let name = ServerName::try_from("postern.local").expect("a name");
        let tls = tokio_rustls::TlsConnector::from(client())
            .connect(name, tcp)
            .await
            .expect("it speaks TLS");
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls))
            .await
            .expect("it speaks HTTP");
        tokio::spawn(connection);
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "postern.local");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(form) = &self.form {
            request = request.header("x-postern-form", form);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let response = sender.send_request(request).await.expect("it answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(cookie) = headers.get("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(
                cookie.contains("Secure") && cookie.contains("HttpOnly"),
                "{cookie}"
            );
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let body = response.into_body().collect().await.expect("a body");
        Answer {
            status,
            headers,
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        }
    }
}

/// Believes every certificate: the test knows whom it speaks with.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn client() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    Arc::new(config)
}

/// Two calls of two tenants and one of none, as control tells of them.
pub(crate) fn two_tenants(question: &Value) -> Value {
    let tenants = [(1, Some("contoso")), (2, Some("fabrikam")), (3, None)];
    let past = |(call, tenant): (u64, Option<&str>)| {
        json!({"call": call, "began": 1_800_000_000_000_000_u64, "ended": null, "from_trunk": "probe", "to_trunk": "teams",
            "tenant": tenant, "caller": "<script>alert(1)</script>", "called": "+12025550100", "ending": "busy", "status": 486,
            "duration": 0, "mos": 4.2, "correlation": null, "call_ids": ["a@b"]})
    };
    if question["query"] == "calls" {
        return tenants
            .map(|(call, tenant)| {
                json!({"call": call, "caller": "<script>", "called": "+1", "from_trunk": "probe", "to_trunk": null,
                    "tenant": tenant, "stage": "talking"})
            })
            .into_iter()
            .collect();
    }
    if question.get("history").is_some() {
        // Whatever was asked for: the console must not rely on it.
        return json!({"calls": tenants.map(past), "next": null});
    }
    if let Some(asked) = question.get("ladder") {
        let found = tenants.into_iter().find(|(call, _)| asked["call"] == *call);
        return match found {
            None => json!({"error": "no such call is kept"}),
            Some(found) => {
                json!({"summary": past(found), "missing": 0, "pcapng": "AAAA", "items": [
                    {"at": 1_800_000_000_100_000_u64, "leg": 0, "way": "received", "transport": "udp", "local": null, "remote": "127.0.0.9:5060",
                        "text": "INVITE sip:<script>@x SIP/2.0\r\n\r\n"},
                    {"at": 1_800_000_000_200_000_u64, "told": {"event": "ended"}},
                ]})
            }
        };
    }
    if question["query"] == "trunks" {
        let targets = json!([{"target": "<script>alert(1)</script>", "reachable": "down", "last": "no_answer", "ago": 7}]);
        return tenants
            .map(|(number, tenant)| json!({"trunk": format!("trunk-{number}"), "tenant": tenant, "targets": targets}))
            .into_iter()
            .collect();
    }
    match question["query"].as_str() {
        Some("census") => json!({"calls": 3, "legs": 6, "media": true}),
        Some(_) => json!({}),
        None => json!({"done": true}),
    }
}
