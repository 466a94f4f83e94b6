//! The program `image`: builds what is flashed, makes keys, writes a stick. `make image` and `make flash` are its doors.
//!
//! What was built goes to standard output, one line a file with its size; everything else to standard error.
//!
//! Not here: anything but the command line; the rest is in the library beside it.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::assembly::{self, Order};
use image::board::Board;
use image::flash;
use lexopt::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use system::bundle::{PublicKey, SigningKey};
use system::release::Version;

const USAGE: &str = "\
image build --board NAME --program FILE --out DIR [--version V] [--key FILE] [--trust FILE]... [--seed DIR] [--effort 1..19]
    [--boards DIR] [--cache DIR]  where boards are described and packages kept, if not in board/boards and DIR/parts
image key FILE                    makes a key that signs bundles: FILE, and FILE.pub for the image
image flash --image FILE --device DEVICE
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    board: Option<String>,
    boards: Option<PathBuf>,
    program: Option<PathBuf>,
    out: Option<PathBuf>,
    version: Option<Version>,
    key: Option<PathBuf>,
    trust: Vec<PathBuf>,
    seed: Option<PathBuf>,
    cache: Option<PathBuf>,
    effort: Option<u32>,
    image: Option<PathBuf>,
    device: Option<PathBuf>,
    words: Vec<String>,
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut parser = lexopt::Parser::from_env();
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("board") => options.board = Some(parser.value()?.string()?),
            Long("boards") => options.boards = Some(parser.value()?.into()),
            Long("program") => options.program = Some(parser.value()?.into()),
            Long("out") => options.out = Some(parser.value()?.into()),
            Long("version") => options.version = Some(parser.value()?.parse()?),
            Long("key") => options.key = Some(parser.value()?.into()),
            Long("trust") => options.trust.push(parser.value()?.into()),
            Long("cache") => options.cache = Some(parser.value()?.into()),
            Long("seed") => options.seed = Some(parser.value()?.into()),
            Long("effort") => options.effort = Some(parser.value()?.parse()?),
            Long("image") => options.image = Some(parser.value()?.into()),
            Long("device") => options.device = Some(parser.value()?.into()),
            Value(word) => options.words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    match words[..] {
        ["build"] => build(options),
        ["key", file] => make_key(Path::new(file)),
        ["flash"] => write(&options),
        _ => Err(USAGE.into()),
    }
}

fn build(options: Options) -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = options.board.ok_or("build needs --board NAME")?;
    let out = options.out.ok_or("build needs --out DIR")?;
    let key = options.key.as_deref().map(signing_key).transpose()?;
    let mut trusted = Vec::new();
    for file in &options.trust {
        let text = fs::read_to_string(file)?;
        trusted.push(PublicKey::parse(&text).ok_or("--trust: no public key")?);
    }
    trusted.extend(key.as_ref().map(SigningKey::public));
    trusted.dedup();
    let version = options
        .version
        .map_or_else(|| env!("CARGO_PKG_VERSION").parse(), Ok)?;
    let ours = || workspace.join("board/boards");
    let boards = options.boards.unwrap_or_else(ours);
    let order = Order {
        board: Board::read(&boards, &name)?,
        name,
        program: options.program.ok_or("build needs --program FILE")?,
        version,
        time: std::env::var("SOURCE_DATE_EPOCH")
            .map_err(|_| "SOURCE_DATE_EPOCH is not set; `make image` takes the last commit's")?
            .parse()?,
        trusted,
        key,
        seed: options.seed,
        effort: options.effort.unwrap_or(19).clamp(1, 19),
        cache: options.cache.unwrap_or_else(|| out.join("parts")),
        out,
        workspace,
    };
    for product in assembly::build(&order)? {
        println!("{:>12} {}", product.size, product.path.display());
    }
    Ok(())
}

fn signing_key(file: &Path) -> Result<SigningKey, Box<dyn Error>> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    SigningKey::from_pkcs8(&text).ok_or_else(|| "--key: no signing key".into())
}

fn make_key(file: &Path) -> Result<(), Box<dyn Error>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| "there is no randomness")?;
    let key = SigningKey::from_pkcs8(pkcs8.as_ref()).expect("as it was just made");
    let mut secret = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    secret.write_all(pkcs8.as_ref())?;
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    fs::write(public, format!("{}\n", key.public().to_text()))?;
    Ok(())
}

fn write(options: &Options) -> Result<(), Box<dyn Error>> {
    let image = options.image.as_deref().ok_or("flash needs --image FILE")?;
    let device = options
        .device
        .as_deref()
        .ok_or("flash needs --device DEVICE")?;
    let disk = flash::look(device)?;
    let mebibytes = disk.size >> 20;
    eprintln!("{}: '{}', {mebibytes} MiB", device.display(), disk.model);
    eprintln!("All of it will be lost. Type its model to go on:");
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() != disk.model {
        return Err("that is another disk's; nothing was written".into());
    }
    flash::write(image, device, &disk)?;
    eprintln!("written, and read back");
    Ok(())
}
