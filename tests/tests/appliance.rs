//! The box as it is flashed: it boots through UEFI, serves, takes an update and keeps it, refuses what it should, comes back from
//! what does not work, and stands having its plug pulled. In QEMU under software emulation.
//!
//! One test tells one life of one box, for a start costs ten seconds. What each step promises is in `firmware/system`.
//!
//! Not here: calls through it; real boxes.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::{env, thread};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

use tests::appliance::{Appliance, Image, Machine, Make, Shelf, Workshop};
use tests::place::Place;

const SETTINGS: &str = r#"
version = 1
[media]
address = "10.0.2.15"
ports = "24000-24099"
[[listener]]
name = "trunks"
transport = "udp"
address = "10.0.2.15:5060"
[[trunk]]
name = "probe"
kind = "carrier"
listener = "trunks"
peers = ["10.0.2.2:5070"]
sources = ["10.0.2.2"]
[[route]]
name = "out"
from = ["probe"]
send_to = ["probe"]
"#;

/// A start takes ten seconds alone and several times that beside others.
const START: Duration = Duration::from_secs(120);
/// What a running box does at once.
const SOON: Duration = Duration::from_secs(60);
/// A new release is tried and found wanting.
const TRIAL: Duration = Duration::from_secs(240);
/// The trial of a test: short, so that a failing release is left behind soon.
const TERMS: (&str, &str) = ("trial", "{ patience = 25, proof = 3 }");

fn workshop(name: &str) -> Workshop {
    Workshop::new(Machine::X86, Place::new(name), SETTINGS)
}

fn shelf(image: &Image) -> Shelf {
    Shelf::open(image.bundle.parent().expect("it lies in a folder"))
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a file");
    name.to_string_lossy().into_owned()
}

#[test]
fn the_same_sources_give_the_same_octets() {
    let workshop = workshop("twice");
    let read = |path: &Path| fs::read(path).expect("it was built");
    let image = workshop.build("1.0.0", &Make::default());
    let (disk, bundle) = (read(&image.disk), read(&image.bundle));
    let again = workshop.build("1.0.0", &Make::default());
    assert!(disk == read(&again.disk), "the disk differs");
    assert!(bundle == read(&again.bundle), "the bundle differs");
}

const PASSWORD: &str = "correct horse";

/// Sets a fresh box up through its web console: enters by the code that only its serial console tells, and changes its settings.
fn set_up(appliance: &mut Appliance) -> String {
    let code = code(appliance);
    let wrong = json!({ "code": "AAAA-AAAA-AAAA-AAAA", "name": "eve", "password": PASSWORD });
    assert_eq!(
        appliance
            .ask("POST", "/api/v1/setup", &[], Some(&wrong))
            .status,
        401
    );
    let first = json!({ "code": code, "name": "ana", "password": PASSWORD });
    let answer = appliance.ask("POST", "/api/v1/setup", &[], Some(&first));
    assert_eq!(answer.status, 204, "{}", answer.body);
    appliance.type_line("code");
    appliance.await_said("none: somebody has set the web console up", SOON);

    let session = appliance.ask("GET", "/api/v1/session", &[], None);
    let session: Value = serde_json::from_str(&session.body).expect("JSON");
    let word = session["form"].as_str().expect("a word");
    let text = SETTINGS.replace("24000-24099", "24000-24199");
    let change = json!({ "text": text, "comment": "more ports" });
    let headers = [("x-postern-form", word), ("if-match", "\"1\"")];
    let answer = appliance.ask("PUT", "/api/v1/configuration", &headers, Some(&change));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(configuration(appliance), text);
    appliance.await_options(SOON);
    text
}

fn configuration(appliance: &Appliance) -> String {
    let answer = appliance.ask("GET", "/api/v1/configuration", &[], None);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    answer["text"].as_str().expect("a text").to_owned()
}

#[test]
fn a_box_serves_takes_an_update_keeps_it_and_refuses_what_it_should() {
    let workshop = workshop("life");
    let make = Make {
        board: &[TERMS],
        ..Make::default()
    };
    let first = workshop.build("1.0.0", &make);
    let second = workshop.build("1.1.0", &make);
    let shelf = shelf(&second);
    let bundle = fs::read(&second.bundle).expect("it was built");
    let out = second.bundle.parent().expect("a folder");
    let mut changed = bundle.clone();
    changed[bundle.len() / 2] ^= 0x10;
    fs::write(out.join("changed"), changed).expect("written");
    let stranger = workshop.key("stranger");
    let forged = Make {
        key: Some(&stranger),
        ..Make::default()
    };
    let forged = workshop.build("1.2.0", &forged);

    let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
    appliance.await_options(START);
    appliance.await_said("data is mounted check=Clean", SOON);
    let before = set_up(&mut appliance);
    for (bundle, reason) in [
        ("changed", "the image in it is not the one that was signed"),
        (&name(&forged.bundle), "a key that this box does not trust"),
        (&name(&first.bundle), "release 1.0.0 runs already"),
        ("nothing", "the server says"),
    ] {
        appliance.type_line(&format!("update {}", shelf.url(bundle)));
        appliance.await_said(reason, SOON);
    }
    appliance.await_options(SOON);
    appliance.type_line(&format!("update {}", shelf.url(&name(&second.bundle))));
    appliance.await_said("the box restarts into it", SOON);
    appliance.await_said("postern begins version=1.1.0", START);
    appliance.await_said("the release is kept", SOON);
    appliance.await_options(SOON);
    appliance.type_line(&format!("update {}", shelf.url(&name(&first.bundle))));
    appliance.await_said(
        "release 1.0.0 is older than 1.1.0, which this box has kept",
        SOON,
    );
    // Power cuts do not use up a release that was kept.
    appliance.cut();
    for _ in 0..2 {
        let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
        appliance.await_said("postern begins version=1.1.0", START);
        appliance.cut();
    }
    let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
    appliance.await_options(START);
    appliance.await_said("postern begins version=1.1.0", SOON);
    // Users, versions and settings are those that the release before knew.
    let entry = json!({ "name": "ana", "password": PASSWORD });
    assert_eq!(
        appliance
            .ask("POST", "/api/v1/session", &[], Some(&entry))
            .status,
        204
    );
    assert_eq!(configuration(&appliance), before);
    appliance.type_line("off");
    appliance.await_off(SOON);
}

#[test]
fn a_release_that_does_not_work_is_left_behind_and_the_reason_is_told() {
    let workshop = workshop("back");
    let make = Make {
        board: &[TERMS],
        ..Make::default()
    };
    let good = workshop.build("1.0.0", &make);
    // No driver for its network: control cannot listen where its settings say.
    let deaf = Make {
        board: &[
            TERMS,
            (
                "drivers",
                r#"["drivers/virtio", "drivers/block/virtio_blk"]"#,
            ),
        ],
        ..Make::default()
    };
    let deaf = workshop.build("1.1.0", &deaf);
    // Not even a first process: the kernel gives up, restarts, and the loader counts.
    let empty = workshop.place().write("empty", "not a program");
    let dead = Make {
        program: Some(&empty),
        ..Make::default()
    };
    let dead = workshop.build("1.2.0", &dead);
    let shelf = shelf(&good);

    let mut appliance = Appliance::start(Machine::X86, workshop.place(), &good);
    appliance.await_options(START);
    for (bundle, began, reason) in [
        (
            &deaf,
            Some("postern begins version=1.1.0"),
            "it does not listen where",
        ),
        (
            &dead,
            None,
            "it did not start, or hung, in all of its tries",
        ),
    ] {
        appliance.type_line(&format!("update {}", shelf.url(&name(&bundle.bundle))));
        appliance.await_said("the box restarts into it", SOON);
        if let Some(began) = began {
            appliance.await_said(began, START);
        }
        appliance.await_said("postern begins version=1.0.0", TRIAL);
        appliance.await_options(SOON);
        appliance.type_line("status");
        appliance.await_said(reason, SOON);
    }
}

#[test]
#[ignore = "its program is another build of everything; make test-arm"]
fn the_box_on_arm_boots_to_a_listener_that_answers() {
    let place = Place::new("arm");
    let workshop = Workshop::new(Machine::Arm, place, SETTINGS);
    let image = workshop.build("1.0.0", &Make::default());
    let mut appliance = Appliance::start(Machine::Arm, workshop.place(), &image);
    appliance.await_options(START);
    appliance.await_said("data is mounted check=Clean", SOON);
    let _ = set_up(&mut appliance);
    appliance.type_line("off");
    appliance.await_off(SOON);
}

#[test]
fn no_power_cut_in_an_update_makes_a_box_dead_or_forgetful() {
    let workshop = workshop("power");
    let make = Make {
        board: &[TERMS],
        ..Make::default()
    };
    let first = workshop.build("1.0.0", &make);
    let second = workshop.build("1.1.0", &make);
    let shelf = shelf(&second);
    // Milliseconds from the word at the console, or from the start of the new release, to the cut.
    for (cut, restarted) in [
        (50, false),
        (200, false),
        (500, false),
        (50, true),
        (4_000, true),
    ] {
        let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
        appliance.await_options(START);
        assert!(!appliance.said().contains("NOT MOUNTED"));
        if appliance.said().contains("postern begins version=1.1.0") {
            // On a quick machine the update was whole before the cut: then it must be kept.
            appliance.await_said("the release is kept", SOON);
            return;
        }
        appliance.type_line(&format!("update {}", shelf.url(&name(&second.bundle))));
        if restarted {
            appliance.await_said("the box restarts into it", SOON);
            appliance.await_said("postern begins version=1.1.0", START);
        }
        thread::sleep(Duration::from_millis(cut));
        appliance.cut();
        if restarted {
            break;
        }
    }
    let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
    appliance.await_options(START);
    appliance.await_said("postern begins version=1.1.0", SOON);
    appliance.await_said("the release is kept", SOON);
    assert!(!appliance.said().contains("NOT MOUNTED"));
}

/// The set-up code of a box, which only its data partition has.
fn code(appliance: &mut Appliance) -> String {
    appliance.await_said("the box is well", SOON);
    appliance.type_line("code");
    appliance.await_rest("code       ", SOON)
}

/// `make soak-power`: `CUTS` times a fresh box takes an update and has its plug pulled at some moment of it, of the restart, or of the
/// new release's trial; then it must start, serve, and know what it knew.
#[test]
#[ignore = "half a minute a cut; make soak-power"]
fn power_is_cut_at_any_moment() {
    let number = |name: &str, default| {
        let text = env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (cuts, seed): (u64, u64) = (number("CUTS", 300), number("SEED", 1));
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let workshop = workshop("soak");
    let make = Make {
        board: &[TERMS],
        ..Make::default()
    };
    let first = workshop.build("1.0.0", &make);
    let second = workshop.build("1.1.0", &make);
    let shelf = shelf(&second);
    let mut ran_new = 0;
    for cut in 0..cuts {
        for file in ["disk.img", "variables.fd"] {
            // The first time there are none.
            let _ = fs::remove_file(workshop.place().path().join(file));
        }
        let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
        appliance.await_options(START);
        let known = code(&mut appliance);
        appliance.type_line(&format!("update {}", shelf.url(&name(&second.bundle))));
        // The update takes some three seconds, the way to a kept release some twenty.
        let moment = match chance.next_u32() % 2 {
            0 => chance.next_u32() % 4_000,
            _ => chance.next_u32() % 25_000,
        };
        thread::sleep(Duration::from_millis(u64::from(moment)));
        appliance.cut();
        let mut appliance = Appliance::start(Machine::X86, workshop.place(), &first);
        appliance.await_options(START);
        assert_eq!(code(&mut appliance), known, "cut {cut} at {moment} ms");
        let said = appliance.said();
        assert!(
            !said.contains("NOT MOUNTED"),
            "cut {cut} at {moment} ms:\n{said}"
        );
        ran_new += u64::from(said.contains("postern begins version=1.1.0"));
        appliance.cut();
    }
    eprintln!(
        "{cuts} cuts (seed {seed}): none dead, none forgetful; after {ran_new} the new release ran"
    );
}
