//! OPTIONS both ways: what was heard on which proxy, and Teams' own once the box has begun.
//!
//! OPT-01 and spec 1.4: Teams is silent until it has heard one, then asks the name in that Contact; its own must be
//! answered with 200, Contact and Allow (OPT-03).
//!
//! Not here: how the box's OPTIONS must look (`judge.rs`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Teams;
use super::judge::METHODS;
use crate::complaint::Rule;
use crate::random;
use crate::sip::Message;

/// When OPTIONS came, by proxy and name.
#[derive(Debug, Default)]
pub(super) struct Heard {
    last: HashMap<(usize, String), Instant>,
    counts: [u64; 3],
    asked: Vec<String>,
}

impl Teams {
    /// How many OPTIONS each proxy has heard.
    #[must_use]
    pub fn options_heard(&self) -> [u64; 3] {
        self.heard().counts
    }

    /// Waits until every proxy has heard one from every tenant's name.
    pub async fn greeted(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let names: Vec<String> = self
            .tenants()
            .0
            .iter()
            .map(|tenant| tenant.fqdn.clone())
            .collect();
        while Instant::now() < until {
            let all = {
                let heard = self.heard();
                names
                    .iter()
                    .all(|name| (0..3).all(|proxy| heard.last.contains_key(&(proxy, name.clone()))))
            };
            if all {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Takes note of one; the first from a name makes Teams ask back.
    pub(super) fn hear_options(&self, proxy: usize, message: &Message) {
        let Some(contact) = message.contact().and_then(|contact| contact.parts()) else {
            return;
        };
        let name = contact.host.to_ascii_lowercase();
        let port = contact.port.unwrap_or(5061);
        let (early, first) = {
            let mut heard = self.heard();
            heard.counts[proxy] += 1;
            let before = heard.last.insert((proxy, name.clone()), Instant::now());
            let least = self.settings().least_options_interval;
            let first = !heard.asked.contains(&name);
            if first {
                heard.asked.push(name.clone());
            }
            (before.is_some_and(|before| before.elapsed() < least), first)
        };
        if early {
            self.complaints().add(
                Rule::OptionsTooOften,
                format!("{name} on proxy {}", proxy + 1),
            );
        }
        if first {
            let teams = self.clone();
            tokio::spawn(async move { teams.ask_regularly(name, port).await });
        }
    }

    async fn ask_regularly(&self, name: String, port: u16) {
        let every = self.settings().options_every;
        loop {
            self.ask(&name, port).await;
            sleep(every).await;
        }
    }

    async fn ask(&self, name: &str, port: u16) {
        let uri = format!("sip:{name}:{port};transport=tls");
        let persona = self.persona();
        let Ok(flow) = persona.dialler.open(&uri).await else {
            return self
                .complaints()
                .add(Rule::OptionsAnswer, format!("{uri} cannot be reached"));
        };
        let options = Message::request("OPTIONS", &uri)
            .with(
                "From",
                format!(
                    "<sip:sip-du-a-eu.pstnhub.microsoft.com:5061>;tag={}",
                    random::token()
                ),
            )
            .with("To", format!("<{uri}>"))
            .with("CSeq", "1 OPTIONS")
            .with("Call-ID", random::token())
            .with("Max-Forwards", "70")
            .with(
                "Contact",
                "<sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls>",
            )
            .with_all(&persona.headers);
        let mut transaction = persona.endpoint.send(&flow, options);
        match transaction.finish().await {
            Ok(response) if response.code() == Some(200) => {
                persona.judge.response(transaction.request(), &response);
                self.count_answer();
            }
            Ok(response) => self.complaints().add(
                Rule::OptionsAnswer,
                format!("{} for {uri}", response.code().unwrap_or_default()),
            ),
            Err(error) => self
                .complaints()
                .add(Rule::OptionsAnswer, format!("{error} for {uri}")),
        }
    }

    /// The answer to the box's OPTIONS: no To-tag, as in the traces.
    pub(super) fn options_reply(&self, message: &Message) -> Message {
        Message::response(message, 200, "OK")
            .with("Allow", METHODS.join(","))
            .with("Server", super::SERVER)
    }
}
