//! A flashed box: images built by the image tool, started in QEMU through UEFI under software emulation, seen and touched as a
//! person would: its serial console, its network, its plug.
//!
//! Each start is a process of its own; pulling the plug is killing it, with whatever the box had not yet given to its disk.
//!
//! Not here: what a test expects of it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peers::free_port;
use crate::place::{Place, program};
use crate::workspace::root;

/// The moment that images of tests are of.
const EPOCH: &str = "1700000000";
const GLANCE: Duration = Duration::from_millis(50);
/// What is typed comes through a serial line that drops what comes too quickly.
const KEY: Duration = Duration::from_millis(3);
/// Octets of the console that are shown with a failure.
const SHOWN: usize = 6_000;

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64, as `board/boards/x86.toml`.
    X86,
    /// aarch64, as `board/boards/arm.toml`.
    Arm,
}

impl Machine {
    /// The name of its board.
    #[must_use]
    pub const fn board(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::Arm => "arm",
        }
    }

    /// The static program for it, built by `make appliance` before.
    ///
    /// # Panics
    /// Where it is not built.
    #[must_use]
    pub fn program(self) -> PathBuf {
        let ours = program("postern");
        let target = ours
            .parent()
            .and_then(Path::parent)
            .expect("target/debug/postern");
        let program = match self {
            Self::X86 => target.join("x86_64-unknown-linux-gnu/boot/postern"),
            Self::Arm => target.join("arm/aarch64-unknown-linux-gnu/boot/postern"),
        };
        assert!(
            program.exists(),
            "{} is not built; try: make appliance",
            program.display()
        );
        program
    }
}

/// Builds images, all signed by one key that all of them trust.
#[derive(Debug)]
pub struct Workshop {
    machine: Machine,
    place: Place,
}

/// What an image is to be, where it differs from what is shipped.
#[derive(Debug, Default)]
pub struct Make<'a> {
    /// Further lines of its board, over those that it has.
    pub board: &'a [(&'a str, &'a str)],
    /// Another program.
    pub program: Option<&'a Path>,
    /// Another key.
    pub key: Option<&'a Path>,
}

/// An image that was built.
#[derive(Debug, Clone)]
pub struct Image {
    /// The disk.
    pub disk: PathBuf,
    /// The update.
    pub bundle: PathBuf,
}

impl Workshop {
    /// One for this kind of machine, whose boxes come with these settings.
    ///
    /// # Panics
    /// Where the image tool fails.
    #[must_use]
    pub fn new(machine: Machine, place: Place, settings: &str) -> Self {
        fs::create_dir_all(place.path().join("seed")).expect("a folder");
        place.write("seed/postern.toml", settings);
        let workshop = Self { machine, place };
        let _ = workshop.key("key");
        workshop
    }

    /// Its folder.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// A new key of this name.
    ///
    /// # Panics
    /// Where the image tool fails.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        let key = self.place.path().join(name);
        self.image_tool(&["key", &key.to_string_lossy()]);
        key
    }

    /// Builds a release.
    ///
    /// # Panics
    /// Where the image tool fails.
    #[must_use]
    pub fn build(&self, version: &str, make: &Make<'_>) -> Image {
        let path = |name: &str| self.place.path().join(name);
        let boards = path(&format!("boards-{version}"));
        self.describe(&boards, make.board);
        let shipped = self.machine.program();
        let key = path("key");
        let arguments = [
            ("--board", PathBuf::from(self.machine.board())),
            ("--boards", boards),
            ("--program", make.program.unwrap_or(&shipped).to_owned()),
            ("--version", version.into()),
            ("--key", make.key.unwrap_or(&key).to_owned()),
            ("--seed", path("seed")),
            ("--effort", "1".into()),
            ("--cache", cache()),
            ("--out", path("out")),
        ];
        let mut line = vec!["build".to_owned()];
        for (word, value) in arguments {
            line.push(word.to_owned());
            line.push(value.to_string_lossy().into_owned());
        }
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let told = self.image_tool(&words);
        let file = |kind: &str| {
            let name = told.lines().find(|line| line.ends_with(kind));
            let name = name.and_then(|line| line.split_whitespace().nth(1));
            PathBuf::from(name.unwrap_or_else(|| panic!("no {kind} in\n{told}")))
        };
        Image {
            disk: file(".img"),
            bundle: file(".bundle"),
        }
    }

    /// Boards as they are shipped, but for these lines.
    fn describe(&self, folder: &Path, lines: &[(&str, &str)]) {
        fs::create_dir_all(folder).expect("a folder");
        for entry in fs::read_dir(root().join("board/boards")).expect("boards") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            // Boards inherit from each other by name; ours from all of them as they are shipped.
            let text = fs::read_to_string(&path).expect("text");
            let text = text.replace("inherit = \"", "inherit = \"shipped-");
            fs::write(folder.join(format!("shipped-{name}")), text).expect("written");
        }
        let board = self.machine.board();
        let file = folder.join(format!("{board}.toml"));
        let mut text = format!("inherit = \"shipped-{board}\"\n");
        for (key, value) in lines {
            text.push_str(&format!("{key} = {value}\n"));
        }
        fs::write(file, text).expect("written");
    }

    fn image_tool(&self, arguments: &[&str]) -> String {
        let output = Command::new(program("image"))
            .args(arguments)
            .env("SOURCE_DATE_EPOCH", EPOCH)
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "image {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Packages stay with what was built, so that they are fetched once.
fn cache() -> PathBuf {
    let program = program("postern");
    let target = program.parent().and_then(Path::parent);
    target.expect("target/debug/postern").join("image/parts")
}

/// A box that is switched on.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    keyboard: ChildStdin,
    said: Arc<Mutex<Vec<u8>>>,
    /// What was said up to here has been waited for.
    heard: usize,
    sip: u16,
    console: u16,
    /// Where a visitor of its console keeps cookies.
    cookies: PathBuf,
}

/// What the console of a box answered.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Appliance {
    /// Switches one on with a copy of this image's disk, made if there is none yet.
    ///
    /// # Panics
    /// Where QEMU is not installed.
    #[must_use]
    pub fn start(machine: Machine, place: &Place, image: &Image) -> Self {
        let disk = place.path().join("disk.img");
        let variables = place.path().join("variables.fd");
        if !disk.exists() {
            let [from, to] = [&image.disk, &disk].map(|path| path.to_string_lossy().into_owned());
            let copied = Command::new("cp")
                .args(["--sparse=always", &from, &to])
                .status();
            assert!(copied.expect("cp").success());
        }
        let (sip, console) = (free_udp_port(), free_port(Ipv4Addr::LOCALHOST));
        let drive = |path: &Path, more: &str| format!("format=raw,file={}{more}", path.display());
        let mut line = Command::new(match machine {
            Machine::X86 => "qemu-system-x86_64",
            Machine::Arm => "qemu-system-aarch64",
        });
        match machine {
            Machine::X86 => {
                prepare(&variables, Path::new("/usr/share/OVMF/OVMF_VARS_4M.fd"));
                line.args(["-M", "q35", "-cpu", "max", "-drive"])
                    .arg("if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd");
            }
            Machine::Arm => {
                prepare(&variables, Path::new("/usr/share/AAVMF/AAVMF_VARS.fd"));
                line.args(["-M", "virt", "-cpu", "cortex-a72", "-drive"])
                    .arg("if=pflash,format=raw,readonly=on,file=/usr/share/AAVMF/AAVMF_CODE.fd");
            }
        }
        let mut child = line
            .args(["-accel", "tcg", "-m", "512", "-nographic", "-nodefaults"])
            .args(["-serial", "stdio", "-monitor", "none"])
            .args(["-drive", &format!("if=pflash,{}", drive(&variables, ""))])
            .args(["-drive", &format!("if=virtio,{}", drive(&disk, ""))])
            .args(["-device", "virtio-net-pci,netdev=n", "-netdev"])
            .arg(format!(
                "user,id=n,hostfwd=udp:127.0.0.1:{sip}-:5060,hostfwd=tcp:127.0.0.1:{console}-:443"
            ))
            .args(["-device", "virtio-rng-pci"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("QEMU is not installed, see Makefile: {error}"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let mut screen = child.stdout.take().expect("it is piped");
        let keyboard = child.stdin.take().expect("it is piped");
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                heard
                    .lock()
                    .expect("no panic with it")
                    .extend(&piece[..count]);
            }
        });
        Self {
            child,
            keyboard,
            said,
            heard: 0,
            sip,
            console,
            cookies: place.path().join("cookies"),
        }
    }

    /// All that it has said.
    ///
    /// # Panics
    /// Never: nobody panics with the text in hand.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lock().expect("no panic with it");
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Waits until it says `word`, after what was waited for before.
    ///
    /// # Panics
    /// Where it does not within `patience`.
    pub fn await_said(&mut self, word: &str, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            let said = self.said();
            let fresh = said.get(self.heard..).unwrap_or_default();
            if let Some(at) = fresh.find(word) {
                self.heard += at + word.len();
                return;
            }
            if Instant::now() > until {
                let from = said.len().saturating_sub(SHOWN);
                let end = said.get(from..).unwrap_or(&said);
                panic!("it does not say {word:?} but\n{end}");
            }
            thread::sleep(GLANCE);
        }
    }

    /// Waits until it says `word`, and gives the rest of that line.
    ///
    /// # Panics
    /// Where it does not within `patience`.
    pub fn await_rest(&mut self, word: &str, patience: Duration) -> String {
        self.await_said(word, patience);
        let from = self.heard;
        self.await_said("\n", patience);
        let said = self.said();
        said.get(from..self.heard)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Types a line at its console.
    ///
    /// # Panics
    /// Where it is switched off.
    pub fn type_line(&mut self, line: &str) {
        for key in line.bytes().chain(*b"\r") {
            self.keyboard.write_all(&[key]).expect("it is on");
            self.keyboard.flush().expect("it is on");
            thread::sleep(KEY);
        }
    }

    /// Waits until its SIP listener answers OPTIONS from outside.
    ///
    /// # Panics
    /// Where it does not within `patience`.
    pub fn await_options(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a time");
        let port = socket.local_addr().expect("bound").port();
        let mut number = 0;
        loop {
            number += 1;
            let options = format!(
                "OPTIONS sip:box SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}x{number};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:box>\r\n\
                 Call-ID: {port}-{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, self.sip));
            socket.send_to(options.as_bytes(), to).expect("sent");
            let mut answer = [0; 2_048];
            if let Ok(length) = socket.recv(&mut answer)
                && answer[..length].starts_with(b"SIP/2.0 200 ")
            {
                return;
            }
            if Instant::now() > until {
                panic!("it does not answer OPTIONS but says\n{}", self.said());
            }
        }
    }

    /// Asks its web console over HTTPS, as a browser does that keeps cookies.
    ///
    /// # Panics
    /// Where it does not answer at all.
    #[must_use]
    pub fn ask(
        &self,
        method: &str,
        way: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let cookies = self.cookies.to_string_lossy();
        let mut line = Command::new("curl");
        line.args(["--silent", "--show-error", "--insecure", "--max-time", "60"])
            .args(["--retry", "10", "--retry-connrefused", "--cookie", &cookies])
            .args(["--cookie-jar", &cookies, "--request", method])
            .args(["--write-out", "\n%{http_code}"])
            .arg(format!("https://127.0.0.1:{}{way}", self.console));
        for (name, value) in headers {
            line.args(["--header", &format!("{name}: {value}")]);
        }
        if let Some(body) = body {
            line.args(["--header", "content-type: application/json", "--data"])
                .arg(body.to_string());
        }
        let output = line.output().expect("curl is installed, see Makefile");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let trouble = String::from_utf8_lossy(&output.stderr);
        let (body, status) = said.rsplit_once('\n').unwrap_or_default();
        assert!(
            output.status.success(),
            "{method} {way}: {trouble}\n{}",
            self.said()
        );
        Answer {
            status: status.parse().expect("a status"),
            body: body.to_owned(),
        }
    }

    /// Pulls the plug.
    pub fn cut(mut self) {
        self.end();
    }

    /// Waits until it has switched itself off.
    ///
    /// # Panics
    /// Where it does not within `patience`.
    pub fn await_off(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.child.try_wait().expect("it is our child").is_none() {
            assert!(Instant::now() < until, "it is still on:\n{}", self.said());
            thread::sleep(GLANCE);
        }
    }

    fn end(&mut self) {
        // Off already: then there is no plug to pull.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.end();
    }
}

fn prepare(variables: &Path, from: &Path) {
    if !variables.exists() {
        fs::copy(from, variables).unwrap_or_else(|error| {
            panic!("UEFI for QEMU is not installed, see Makefile: {error}")
        });
    }
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

/// A server that gives files to boxes, which reach this machine at 10.0.2.2.
#[derive(Debug)]
pub struct Shelf {
    port: u16,
}

impl Shelf {
    /// One that gives what lies in `folder`, until the test ends.
    ///
    /// # Panics
    /// Where there is no port.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let folder = folder.to_owned();
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                // A caller that goes away wants nothing more.
                let _ = give(caller, &folder);
            }
        });
        Self { port }
    }

    /// Where a box finds a file.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://10.0.2.2:{}/{name}", self.port)
    }
}

fn give(mut caller: std::net::TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = caller.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        request.extend(&piece[..count]);
    }
    let request = String::from_utf8_lossy(&request);
    let name = request.split(' ').nth(1).unwrap_or_default();
    match File::open(folder.join(name.trim_start_matches('/'))) {
        Ok(mut file) => {
            caller.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            std::io::copy(&mut file, &mut caller).map(|_| ())
        }
        Err(_) => caller.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n"),
    }
}
