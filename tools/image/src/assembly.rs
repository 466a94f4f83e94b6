//! An image from its parts: the order of things, and the names by which the firmware finds them.
//!
//! Products, in one folder: `NAME.img` (the disk, sparse), `NAME.img.zst` (the same to be carried), `NAME.efi` (kernel, command
//! line and first files as one program), `NAME.bundle` (that, signed, where there is a key), `NAME.cdx.json` and
//! `NAME.provenance.json`.
//!
//! Not here: each format, which has a file of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::digest::{SHA256, digest};
use serde_json::json;
use system::bundle::{self, PublicKey, SigningKey};
use system::release::{Release, Version};
use system::slots::{self, Slot};

use crate::board::{Architecture, Board};
use crate::gpt::{self, Kind, MEBIBYTE, Partition};
use crate::module::{self, Facts};
use crate::parts::{self, Part};
use crate::{Error, cpio, esp, pe, read, sbom};

/// What is to be built.
#[derive(Debug)]
pub struct Order {
    /// The name of the board.
    pub name: String,
    /// The board.
    pub board: Board,
    /// The static program.
    pub program: PathBuf,
    /// The release.
    pub version: Version,
    /// `SOURCE_DATE_EPOCH`.
    pub time: u32,
    /// Keys whose bundles the image will take.
    pub trusted: Vec<PublicKey>,
    /// What signs the bundle.
    pub key: Option<SigningKey>,
    /// Settings that a new box starts with: a folder of files.
    pub seed: Option<PathBuf>,
    /// How hard to compress, from 1 to 19.
    pub effort: u32,
    /// Where packages are kept.
    pub cache: PathBuf,
    /// Where products go.
    pub out: PathBuf,
    /// The sources.
    pub workspace: PathBuf,
}

/// What was built.
#[derive(Debug)]
pub struct Product {
    /// The file.
    pub path: PathBuf,
    /// Octets in it.
    pub size: u64,
}

/// Builds all of it.
///
/// # Errors
/// Where a part is missing or does not fit.
pub fn build(order: &Order) -> Result<Vec<Product>, Error> {
    let architecture = order.board.architecture;
    fs::create_dir_all(&order.out).map_err(Error::at(&order.out))?;
    fs::create_dir_all(&order.cache).map_err(Error::at(&order.cache))?;
    let bring = |name: &str| parts::bring(&order.cache, architecture, name);
    let kernel = bring(&order.board.kernel)?;
    let loader = bring("systemd-boot-efi")?;
    let check = bring("e2fsck-static")?;

    let files = first_files(order, &kernel.folder, &check.folder)?;
    let files = compress(&files, order.effort)?;
    let image = unified(order, &kernel.folder, &loader.folder, &files)?;
    let disk = disk(order, &loader.folder, &image)?;
    let packed = disk.with_extension("img.zst");
    let effort = format!("-{}", order.effort);
    let (from, to) = (disk.to_string_lossy(), packed.to_string_lossy());
    let arguments = ["-q", "-f", "-T0", &effort, &from, "-o", &to];
    parts::run("zstd", &arguments, &order.out)?;

    let mut products = vec![disk, packed, file(order, "efi", &image)?];
    if let Some(key) = &order.key {
        let mut signed = Vec::with_capacity(image.len() + 1024);
        let built = u64::from(order.time);
        bundle::write(&mut signed, &order.name, order.version, built, &image, key)
            .map_err(Error::at(&order.out))?;
        products.push(file(order, "bundle", &signed)?);
    }
    let parts = [kernel, loader, check];
    papers(order, &parts, &mut products)?;
    products
        .into_iter()
        .map(|path| {
            let size = fs::metadata(&path).map_err(Error::at(&path))?.len();
            Ok(Product { path, size })
        })
        .collect()
}

fn file(order: &Order, kind: &str, content: &[u8]) -> Result<PathBuf, Error> {
    let name = format!("postern-{}-{}.{kind}", order.name, order.version);
    let path = order.out.join(name);
    fs::write(&path, content).map_err(Error::at(&path))?;
    Ok(path)
}

/// The first file system: the program, its papers, the modules, what repairs the data.
fn first_files(order: &Order, kernel: &Path, check: &Path) -> Result<Vec<u8>, Error> {
    let mut archive = cpio::Archive::new(order.time);
    for folder in ["dev", "proc", "sys", "run", "tmp", "data", "boot", "sbin"] {
        archive.folder(folder);
    }
    // The kernel opens it for the first process before anything is mounted.
    archive.device("dev/console", (5, 1));
    archive.link("etc/resolv.conf", "/run/resolv.conf");
    archive.file("postern", 0o755, &read(&order.program)?);
    archive.file(
        "sbin/e2fsck",
        0o755,
        &read(&check.join("sbin/e2fsck.static"))?,
    );
    let release = Release {
        version: order.version,
        board: order.name.clone(),
        built: u64::from(order.time),
        console: format!("/dev/{}", order.board.console),
        modules: order.board.modules.clone(),
        trial: order.board.trial,
    };
    let release = serde_json::to_vec(&release).expect("plain fields");
    archive.file(&system::release::FILE[1..], 0o644, &release);
    let keys: Vec<_> = order.trusted.iter().map(PublicKey::to_text).collect();
    archive.file(
        &system::update::KEYS[1..],
        0o644,
        keys.join("\n").as_bytes(),
    );
    add_modules(&mut archive, &order.board, kernel)?;
    Ok(archive.finish())
}

fn add_modules(archive: &mut cpio::Archive, board: &Board, kernel: &Path) -> Result<(), Error> {
    let all = kernel.join("lib/modules");
    let release = fs::read_dir(&all)
        .map_err(Error::at(&all))?
        .find_map(|entry| Some(entry.ok()?.path()))
        .ok_or_else(|| Error::Wrong(all.display().to_string(), "it has no modules"))?;
    let mut paths = Vec::new();
    walk(&release.join("kernel"), &mut paths)?;
    let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        let Some(told) = module::facts(&read(&path)?) else {
            continue;
        };
        let name = module::name(&path.to_string_lossy());
        facts.insert(name.clone(), told);
        places.insert(name, path);
    }
    let named = board
        .modules
        .iter()
        .filter_map(|line| line.split(' ').next());
    let mut wanted: Vec<String> = named.map(module::name).collect();
    for (name, path) in &places {
        let inside = path.strip_prefix(release.join("kernel")).unwrap_or(path);
        let inside = inside.with_extension("");
        if board
            .drivers
            .iter()
            .any(|driver| inside.starts_with(driver))
        {
            wanted.push(name.clone());
        }
    }
    let taken = module::with_needs(&facts, &wanted);
    let mut files = Vec::new();
    for name in &taken {
        let target = format!("lib/modules/{name}.ko");
        archive.file(&target, 0o644, &read(&places[name])?);
        files.push(target);
    }
    let listed = taken.iter().zip(&files);
    let listed = listed.map(|(name, file)| (name.as_str(), file.as_str(), &facts[name]));
    let index = module::index(listed);
    archive.file(&system::modules::INDEX[1..], 0o644, index.as_bytes());
    Ok(())
}

/// All files below a folder, in an order that does not depend on the disk.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(Error::at(folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            walk(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}

fn compress(content: &[u8], effort: u32) -> Result<Vec<u8>, Error> {
    use std::process::Stdio;
    let failed = |error: std::io::Error| Error::Program("zstd", error.to_string());
    let mut child = Command::new("zstd")
        .args(["-q", "-T0", &format!("-{effort}"), "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut input = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || input.write_all(content));
        let output = child.wait_with_output().map_err(failed)?;
        let written = writing.join().expect("writing does not panic");
        written.map_err(failed)?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Error::Program("zstd", output.status.to_string()))
        }
    })
}

/// Kernel, command line and first files as one program.
fn unified(order: &Order, kernel: &Path, loader: &Path, files: &[u8]) -> Result<Vec<u8>, Error> {
    let board = &order.board;
    let version = order.version.to_string();
    let about = format!(
        "ID=postern\nNAME=Postern\nPRETTY_NAME=\"Postern {version}\"\nVERSION_ID={version}\nIMAGE_ID=postern\nIMAGE_VERSION={version}\n"
    );
    let speed = match board.architecture {
        Architecture::Amd64 => ",115200",
        Architecture::Arm64 => "",
    };
    let line = format!(
        "console={}{speed} {} rdinit=/postern -- init",
        board.console,
        board.command_line.join(" ")
    );
    let boot = kernel.join("boot");
    let linux = fs::read_dir(&boot)
        .map_err(Error::at(&boot))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with("vmlinuz")
        })
        .ok_or_else(|| Error::Wrong(boot.display().to_string(), "it has no kernel"))?;
    let stub = efi(
        loader,
        &format!("linux{}.efi.stub", board.architecture.uefi()),
    );
    pe::with_sections(
        &read(&stub)?,
        &[
            (".osrel", about.as_bytes()),
            (".cmdline", line.as_bytes()),
            (".initrd", files),
            (".linux", &read(&linux)?),
        ],
    )
}

fn efi(loader: &Path, name: &str) -> PathBuf {
    loader.join("usr/lib/systemd/boot/efi").join(name)
}

fn disk(order: &Order, loader: &Path, image: &[u8]) -> Result<PathBuf, Error> {
    let uefi = order.board.architecture.uefi();
    let program = read(&efi(loader, &format!("systemd-boot{uefi}.efi")))?;
    let mut files = vec![
        (
            "loader/loader.conf".to_owned(),
            b"timeout 0\neditor no\nconsole-mode keep\n".to_vec(),
        ),
        (format!("EFI/BOOT/BOOT{}.EFI", uefi.to_uppercase()), program),
        (
            format!("{}/{}", slots::FOLDER, Slot::good(order.version)),
            image.to_vec(),
        ),
    ];
    if let Some(seed) = &order.seed {
        let mut paths = Vec::new();
        walk(seed, &mut paths)?;
        for path in paths {
            let inside = path.strip_prefix(seed).unwrap_or(&path);
            files.push((format!("seed/{}", inside.display()), read(&path)?));
        }
    }
    let sizes = order.board.disk;
    let boot = esp::file_system(u64::from(sizes.boot) * MEBIBYTE, "POSTERN", &files)
        .map_err(Error::at(Path::new("the boot partition")))?;
    let layout = gpt::layout(
        &order.name,
        &[
            Partition {
                name: "postern-boot",
                kind: Kind::Boot,
                size: sizes.boot,
            },
            Partition {
                name: system::data::PARTITION,
                kind: Kind::Data,
                size: sizes.data,
            },
        ],
    );
    let path = order
        .out
        .join(format!("postern-{}-{}.img", order.name, order.version));
    let data = data(order, &path)?;
    let write = || -> std::io::Result<()> {
        let mut disk = File::create(&path)?;
        disk.set_len(layout.size)?;
        disk.write_all(&layout.head)?;
        sparse(&mut disk, layout.starts[0], &boot)?;
        sparse(&mut disk, layout.starts[1], &data)?;
        disk.seek(SeekFrom::Start(layout.size - layout.tail.len() as u64))?;
        disk.write_all(&layout.tail)
    };
    write().map_err(Error::at(&path))?;
    Ok(path)
}

/// An empty file system for what survives updates.
fn data(order: &Order, beside: &Path) -> Result<Vec<u8>, Error> {
    let path = beside.with_extension("data");
    let size = u64::from(order.board.disk.data) * MEBIBYTE;
    File::create(&path)
        .and_then(|file| file.set_len(size))
        .map_err(Error::at(&path))?;
    let identity = uuid(gpt::identity(&order.name, "data file system"));
    let output = Command::new("mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-m",
            "0",
            "-L",
            "postern-data",
        ])
        .args(["-U", &identity, "-E"])
        .arg(format!("hash_seed={identity},lazy_itable_init=1,nodiscard"))
        .arg(&path)
        .env("E2FSPROGS_FAKE_TIME", order.time.to_string())
        .env("PATH", search_path())
        .output()
        .map_err(|error| Error::Program("mke2fs", error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Program("mke2fs", said));
    }
    let content = read(&path)?;
    fs::remove_file(&path).map_err(Error::at(&path))?;
    Ok(content)
}

/// Where programs of administration lie, for users whose path does not say so.
fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

fn uuid(octets: [u8; 16]) -> String {
    let digits = bundle::hexadecimal(&octets);
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

/// Writes all but the pages of zeros.
fn sparse(disk: &mut File, start: u64, content: &[u8]) -> std::io::Result<()> {
    for (index, page) in content.chunks(4096).enumerate() {
        if page.iter().any(|octet| *octet != 0) {
            disk.seek(SeekFrom::Start(start + index as u64 * 4096))?;
            disk.write_all(page)?;
        }
    }
    Ok(())
}

fn papers(order: &Order, parts: &[Part], products: &mut Vec<PathBuf>) -> Result<(), Error> {
    let target = match order.board.architecture {
        Architecture::Amd64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    };
    let crates = sbom::crates(&order.workspace, target)?;
    let name = format!("postern-{}", order.name);
    let version = order.version.to_string();
    let bill = sbom::bill(&name, &version, &crates, parts);
    let mut digests = Vec::new();
    for path in products.iter() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let sum = digest(&SHA256, &read(path)?);
        digests.push((name.into_owned(), sum.as_ref().to_vec()));
    }
    let commit = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(&order.workspace)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    let parameters = json!({
        "board": order.name,
        "version": version,
        "SOURCE_DATE_EPOCH": order.time,
        "effort": order.effort,
    });
    let provenance = sbom::provenance(&digests, &parameters, &commit, parts);
    for (kind, paper) in [("cdx.json", bill), ("provenance.json", provenance)] {
        let text = serde_json::to_string_pretty(&paper).expect("plain values");
        products.push(file(order, kind, text.as_bytes())?);
    }
    Ok(())
}
