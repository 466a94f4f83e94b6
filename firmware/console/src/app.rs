//! The console as a whole: what it needs to start, what all requests share, and what it does by itself.
//!
//! Not here: the requests (`api`, `pages`), connections (`serve`).

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::{Value, json};
use store::audit::{Audit, Deed};
use store::file;
use store::shelf::Shelf;
use store::versions::Versions;
use store::{Database, StoreError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{interval, sleep};

use crate::accounts::{Attempts, Sessions, Users, setup_code};
use crate::api::Problem;
use crate::certificates::{Folder, Notary};
use crate::doctor::Physician;
use crate::documents::{Documents, Judge};
use crate::plane::Plane;
use crate::pulse::{self, Pulse};
use crate::serve;
use crate::world::World;

/// Passwords checked at a time: each takes 19 MiB and some ten milliseconds.
const PASSWORDS: usize = 2;

/// How often commits that wait to be confirmed are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the console needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; with port 0 where the system likes.
    pub listen: SocketAddr,
    /// Where it keeps what outlives it.
    pub data: PathBuf,
    /// The configuration's file.
    pub config: PathBuf,
    /// Control's door.
    pub door: PathBuf,
    /// Where it writes its address and, while nobody has entered, the set-up code, for who stands at the box.
    pub notice: PathBuf,
}

/// Why the console did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What it keeps cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or the address cannot be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its certificate cannot be made or read.
    #[error("the console's certificate: {0}")]
    Certificate(String),
}

/// A console that has started.
#[derive(Debug)]
pub struct Console {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: Arc<App>,
}

impl Console {
    /// Opens what it keeps, and its address.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        settings: Settings,
        judge: impl Judge + 'static,
        physician: impl Physician + 'static,
        notary: impl Notary + 'static,
        world: World,
    ) -> Result<Self, OpenError> {
        let database = Database::open(&settings.data)?;
        let tls = serve::tls(&settings.data)?;
        let listener = TcpListener::bind(settings.listen).await?;
        let app = App::new(
            settings,
            &database,
            (Box::new(judge), Box::new(physician), Box::new(notary)),
            world,
        )?;
        app.announce(listener.local_addr()?)?;
        Ok(Self {
            listener,
            tls,
            app: Arc::new(app),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The code by which the first user enters; `None` once somebody has.
    #[must_use]
    pub fn setup_code(&self) -> Option<String> {
        self.app.setup_code()
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self) -> io::Result<()> {
        tokio::spawn(Arc::clone(&self.app).watch());
        tokio::spawn(Arc::clone(&self.app).feel());
        serve::serve(self.listener, self.tls, self.app).await
    }
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) world: World,
    pub(crate) plane: Plane,
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    pub(crate) documents: Documents,
    pub(crate) pulse: Pulse,
    pub(crate) passwords: Arc<Semaphore>,
    pub(crate) physician: Box<dyn Physician>,
    pub(crate) notary: Box<dyn Notary>,
    pub(crate) certificates: Folder,
    /// One examination at a time.
    pub(crate) examination: tokio::sync::Mutex<()>,
    audit: Mutex<Audit>,
    setup: Mutex<Option<String>>,
    code_file: PathBuf,
    notice: PathBuf,
    address: Mutex<Option<SocketAddr>>,
}

/// The set-up code, the same over restarts: who has written it down at the box may need it a day later.
fn kept_code(file: &Path, world: &World) -> io::Result<String> {
    if let Ok(code) = fs::read_to_string(file) {
        return Ok(code);
    }
    let code = setup_code(world.octets()?);
    file::replace(file, code.as_bytes())?;
    Ok(code)
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    fn new(
        settings: Settings,
        database: &Database,
        (judge, physician, notary): (Box<dyn Judge>, Box<dyn Physician>, Box<dyn Notary>),
        world: World,
    ) -> Result<Self, OpenError> {
        let users = Users::on(Shelf::of(database));
        let code_file = settings.data.join("setup-code");
        let setup = if users.is_empty()? {
            Some(kept_code(&code_file, &world)?)
        } else {
            None
        };
        let text = fs::read_to_string(&settings.config)?;
        let certificates = Folder::new(&settings.config, &settings.data);
        let documents = Documents::new(Versions::of(database), settings.config, judge);
        documents.settle(&text, world.now())?;
        Ok(Self {
            plane: Plane::at(settings.door),
            users,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            documents,
            pulse: Pulse::default(),
            passwords: Arc::new(Semaphore::new(PASSWORDS)),
            physician,
            notary,
            certificates,
            examination: tokio::sync::Mutex::new(()),
            audit: Mutex::new(Audit::open(&settings.data.join("audit"))?),
            setup: Mutex::new(setup),
            code_file,
            notice: settings.notice,
            address: Mutex::new(None),
            world,
        })
    }

    /// Writes down for who stands at the box where the console is, and the set-up code while it is worth anything.
    fn announce(&self, address: SocketAddr) -> io::Result<()> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        self.renew_notice()
    }

    fn renew_notice(&self) -> io::Result<()> {
        let address = *self.address.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = json!({ "address": address, "setup_code": self.setup_code() });
        file::replace(Path::new(&self.notice), notice.to_string().as_bytes())
    }

    pub(crate) fn setup_code(&self) -> Option<String> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        setup.clone()
    }

    /// Somebody has entered by it.
    pub(crate) fn use_up_setup_code(&self) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Worth nothing from here on, whether it can be removed or not.
        let _ = block_in_place(|| fs::remove_file(&self.code_file));
        if let Err(error) = block_in_place(|| self.renew_notice()) {
            tracing::warn!(%error, "the notice still shows a set-up code that is worth nothing");
        }
    }

    /// Writes down what somebody has done, before they are told that it is done.
    pub(crate) fn record(&self, deed: &Deed<'_>) -> Result<(), Problem> {
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        block_in_place(|| audit.append(deed, self.world.now()))?;
        Ok(())
    }

    pub(crate) fn deeds(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> io::Result<Vec<store::audit::Entry>> {
        let audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        block_in_place(|| audit.list(before, most))
    }

    /// Does what takes a processor for long without keeping others from theirs.
    pub(crate) async fn aside<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let permit = Arc::clone(&self.passwords).acquire_owned().await;
        let done = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| Problem::internal(&error))
    }

    /// Tells control that the configuration's file has changed.
    pub(crate) async fn reload(&self) {
        if let Err(error) = self.plane.ask(&json!({ "command": "reload" })).await {
            // It reads the file when it starts.
            tracing::warn!(%error, "control could not be told of the new configuration");
        }
    }

    /// Takes commits back that nobody has confirmed.
    async fn watch(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let standing = block_in_place(|| self.documents.standing());
            let pending = standing
                .ok()
                .flatten()
                .and_then(|standing| standing.pending);
            let now = self.world.now();
            if pending.is_none_or(|pending| pending.until > now) {
                continue;
            }
            match block_in_place(|| self.documents.undo("box", now)) {
                Ok(version) => {
                    let about = version.number.to_string();
                    let deed = Deed {
                        who: "box",
                        from: None,
                        what: "configuration_not_confirmed",
                        about: &about,
                    };
                    if self.record(&deed).is_err() {
                        tracing::error!("the audit log cannot be written");
                    }
                    tracing::warn!(
                        version = version.number,
                        "nobody has confirmed: the configuration before is back"
                    );
                    self.reload().await;
                }
                Err(error) => {
                    tracing::error!(%error, "a commit that nobody has confirmed could not be taken back")
                }
            }
        }
    }

    async fn feel(self: Arc<Self>) {
        let mut beat = interval(pulse::EVERY);
        loop {
            beat.tick().await;
            let census = self.plane.query("census").await.ok();
            let calls = census.as_ref().and_then(|census| census.get("calls"));
            self.pulse.feel(
                calls
                    .and_then(Value::as_u64)
                    .and_then(|calls| u32::try_from(calls).ok()),
            );
        }
    }
}
