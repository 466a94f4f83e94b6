//! A configuration's way into force, and back.
//!
//! Not here: what a power cut leaves (`store/tests/power_cut.rs`).

mod rig;

use std::time::{Duration, Instant};

use rig::{GOOD, Rig, two_tenants};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

fn wider() -> String {
    GOOD.replace("23999", "24999")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_checked_compared_committed_and_told_to_control() {
    let rig = Rig::start("commit", two_tenants).await;
    let mut admin = rig.admin().await;
    let read = admin.get("/api/v1/configuration").await;
    assert_eq!(
        (&read.headers["etag"], &read.json()["text"]),
        (&"\"1\"".parse().expect("a value"), &json!(GOOD))
    );

    let bad = GOOD.replace("ports", "prots");
    let verdict = admin
        .post("/api/v1/configuration/check", &json!({"text": bad}))
        .await
        .json();
    assert_eq!(
        (&verdict["is_good"], &verdict["faults"][0]["line"]),
        (&json!(false), &json!(4))
    );
    let refused = admin
        .json(
            "PUT",
            "/api/v1/configuration",
            &[("if-match", "\"1\"")],
            &json!({"text": bad}),
        )
        .await;
    assert_eq!(
        (refused.status, &refused.json()["faults"][0]["path"]),
        (422, &json!("media.prots"))
    );
    assert_eq!(rig.file(), GOOD);

    let commit = json!({"text": wider(), "comment": "more ports"});
    assert_eq!(
        admin
            .json("PUT", "/api/v1/configuration", &[], &commit)
            .await
            .status,
        428
    );
    let done = admin
        .json(
            "PUT",
            "/api/v1/configuration",
            &[("if-match", "\"1\"")],
            &commit,
        )
        .await;
    assert_eq!((done.status, &done.json()["version"]), (200, &json!(2)));
    assert_eq!(rig.file(), wider());
    let reloads = |question: &serde_json::Value| question["command"] == "reload";
    assert!(
        rig.asked
            .lock()
            .expect("no test fails here")
            .iter()
            .any(reloads)
    );

    // Who looked before does not overwrite what came meanwhile.
    let late = admin
        .json(
            "PUT",
            "/api/v1/configuration",
            &[("if-match", "\"1\"")],
            &commit,
        )
        .await;
    assert_eq!(late.status, 412);
    let back = admin
        .post("/api/v1/configuration/versions/1/roll-back", &json!({}))
        .await
        .json();
    assert_eq!(
        (&back["version"], &back["origin"], &back["back_to"]),
        (&json!(3), &json!("rollback"), &json!(1))
    );
    assert_eq!(rig.file(), GOOD);
    let versions = admin.get("/api/v1/configuration/versions").await.json();
    assert_eq!(versions.as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_confirms_comes_back_by_itself() {
    let rig = Rig::start("trial", two_tenants).await;
    let mut admin = rig.admin().await;
    let commit = json!({"text": wider(), "confirm_within": 60});
    let tag = [("if-match", "\"1\"")];
    assert_eq!(
        admin
            .json("PUT", "/api/v1/configuration", &tag, &commit)
            .await
            .status,
        200
    );
    assert_eq!(rig.file(), wider());
    let current = admin.get("/api/v1/configuration").await.json();
    assert_eq!(current["confirm_until"], 1_800_000_060);
    let page = admin.get("/configuration").await.body;
    assert!(page.contains("action=\"/configuration/confirm\""));
    let second = admin
        .json(
            "PUT",
            "/api/v1/configuration",
            &[("if-match", "\"2\"")],
            &commit,
        )
        .await;
    assert_eq!(second.json()["type"], "unconfirmed");

    rig.pass(60);
    let started = Instant::now();
    while rig.file() != GOOD {
        assert!(started.elapsed() < SOON, "it comes back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = Instant::now();
    loop {
        let deeds = admin.get("/api/v1/audit").await.json();
        if deeds[0]["what"] == "configuration_not_confirmed" && deeds[0]["who"] == "box" {
            break;
        }
        assert!(started.elapsed() < SOON, "{deeds}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Confirmed in time, it stays.
    let tag = [("if-match", "\"3\"")];
    assert_eq!(
        admin
            .json("PUT", "/api/v1/configuration", &tag, &commit)
            .await
            .status,
        200
    );
    assert_eq!(
        admin
            .post("/api/v1/configuration/confirm", &json!({}))
            .await
            .status,
        204
    );
    rig.pass(3_600 - 1);
    assert_eq!(
        admin.get("/api/v1/configuration").await.json()["confirm_until"],
        json!(null)
    );
    assert_eq!(rig.file(), wider());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_brings_a_document_into_force_as_a_person_would() {
    let rig = Rig::start("editor", two_tenants).await;
    let mut admin = rig.admin().await;
    let word = admin.form.clone().unwrap_or_default();
    // As a browser sends it: lines end as in mails.
    let text = wider()
        .replace('\n', "%0D%0A")
        .replace(' ', "+")
        .replace('"', "%22");
    let fields = format!("form={word}&based_on=1&text={text}");
    let checked = admin.submit("/configuration/check", &fields).await;
    assert_eq!(checked.status, 200);
    assert!(
        checked
            .body
            .contains("class=\"added\">+ ports = &quot;20000-24999&quot;"),
        "{}",
        checked.body
    );
    let fields = format!("{fields}&comment=more&confirm_within=0");
    assert_eq!(
        admin.submit("/configuration/commit", &fields).await.status,
        303
    );
    assert_eq!(rig.file(), wider());
    let explain = admin.get("/explain?from=nobody&to=%2B1").await;
    assert_eq!(explain.status, 404);
}
