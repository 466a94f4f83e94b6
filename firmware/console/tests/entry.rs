//! Entering: by the code once, by name and password, by token; and what is needed to change anything.
//!
//! Not here: what is seen by whom (`tenants.rs`).

mod rig;

use rig::{Rig, two_tenants};
use serde_json::json;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_user_enters_by_the_code_and_nobody_after_him() {
    let rig = Rig::start("code", two_tenants).await;
    let mut browser = rig.browser();
    let first = |code: &str| json!({"code": code, "name": "ana", "password": "correct horse"});
    let wrong = browser
        .post("/api/v1/setup", &first("AAAA-AAAA-AAAA-AAAB"))
        .await;
    assert_eq!(
        (wrong.status, &wrong.json()["type"]),
        (401, &json!("wrong_code"))
    );
    let short = json!({"code": rig.code, "name": "ana", "password": "short"});
    assert_eq!(browser.post("/api/v1/setup", &short).await.status, 400);
    // Written down without its hyphens, and in small letters.
    let spoken = rig.code.replace('-', "").to_lowercase();
    assert_eq!(
        browser.post("/api/v1/setup", &first(&spoken)).await.status,
        204
    );
    let me = browser.get("/api/v1/session").await.json();
    assert_eq!((&me["name"], &me["role"]), (&json!("ana"), &json!("admin")));

    let again = rig.browser().post("/api/v1/setup", &first(&rig.code)).await;
    assert_eq!(
        (again.status, &again.json()["type"]),
        (409, &json!("set_up_already"))
    );
    let notice = std::fs::read_to_string(rig.folder.join("console.json")).expect("it is there");
    assert!(!notice.contains(&rig.code), "{notice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_must_wait_and_is_written_down() {
    let rig = Rig::start("guess", two_tenants).await;
    let mut admin = rig.admin().await;
    let mut stranger = rig.browser();
    for _ in 0..5 {
        assert_eq!(stranger.sign_in("ana", "wrong horse").await.status, 401);
    }
    let waits = stranger.sign_in("ana", "correct horse").await;
    assert_eq!(
        (waits.status, waits.headers["retry-after"].to_str().ok()),
        (429, Some("10"))
    );
    rig.pass(10);
    assert_eq!(stranger.sign_in("ana", "correct horse").await.status, 204);
    let deeds = admin.get("/api/v1/audit").await.json();
    let words: Vec<&str> = deeds
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|deed| deed["what"].as_str())
        .collect();
    assert_eq!(
        words,
        [
            "signed_in",
            "sign_in_failed",
            "sign_in_failed",
            "sign_in_failed",
            "sign_in_failed",
            "sign_in_failed",
            "set_up"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_changes_nothing_without_the_word_of_its_page() {
    let rig = Rig::start("forged", two_tenants).await;
    let mut admin = rig.admin().await;
    let bea = json!({"name": "bea", "role": "viewer", "password": "correct horse"});
    let mut forged = admin.clone();
    forged.form = None;
    assert_eq!(
        forged.post("/api/v1/users", &bea).await.json()["type"],
        "forged"
    );
    assert_eq!(
        forged
            .submit("/users/add", "name=bea&role=admin&password=correct+horse")
            .await
            .status,
        403
    );
    assert_eq!(forged.submit("/sign-out", "form=0").await.status, 403);
    forged.form = Some("0".repeat(64));
    assert_eq!(forged.post("/api/v1/users", &bea).await.status, 403);
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("content-type", "application/json"),
    ];
    let other = admin
        .send("POST", "/api/v1/users", &elsewhere, bea.to_string())
        .await;
    assert_eq!(other.status, 403, "from another site");
    assert_eq!(admin.post("/api/v1/users", &bea).await.status, 201);

    // Whom a page adds, it adds with the word.
    let word = admin.form.clone().unwrap_or_default();
    let fields = format!("form={word}&name=cas&role=operator&password=correct+horse");
    assert_eq!(admin.submit("/users/add", &fields).await.status, 303);

    // A program has no pages, and its token no word.
    let secret = admin
        .post("/api/v1/tokens", &json!({"name": "ci", "role": "admin"}))
        .await
        .json();
    let mut program = rig.browser();
    program.token = secret["token"].as_str().map(str::to_owned);
    assert_eq!(
        program
            .json("DELETE", "/api/v1/users/bea", &[], &json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        admin
            .json("DELETE", "/api/v1/tokens/ci", &[], &json!({}))
            .await
            .status,
        204
    );
    assert_eq!(program.get("/api/v1/users").await.status, 401);
    let last = admin
        .json("DELETE", "/api/v1/users/ana", &[], &json!({}))
        .await;
    assert_eq!(last.json()["type"], "last_admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_away_is_nobody_at_once() {
    let rig = Rig::start("away", two_tenants).await;
    let mut admin = rig.admin().await;
    let bea = json!({"name": "bea", "role": "viewer", "password": "correct horse"});
    admin.post("/api/v1/users", &bea).await;
    let mut browser = rig.browser();
    browser.sign_in("bea", "correct horse").await;
    assert_eq!(browser.get("/api/v1/calls").await.status, 200);
    let sessions = admin.get("/api/v1/sessions").await.json();
    assert_eq!(sessions.as_array().map(Vec::len), Some(2));
    let number = &sessions[0]["session"];
    let end = format!("/api/v1/sessions/{number}");
    assert_eq!(
        admin.json("DELETE", &end, &[], &json!({})).await.status,
        204
    );
    assert_eq!(browser.get("/api/v1/calls").await.status, 401);
    browser.sign_in("bea", "correct horse").await;
    admin
        .json("DELETE", "/api/v1/users/bea", &[], &json!({}))
        .await;
    assert_eq!(browser.get("/api/v1/calls").await.status, 401);
    assert_eq!(browser.get("/calls").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_nothing_from_elsewhere_is_trusted() {
    let rig = Rig::start("shield", two_tenants).await;
    let mut admin = rig.admin().await;
    for path in [
        "/",
        "/sign-in",
        "/style.css",
        "/nowhere",
        "/api/v1/calls",
        "/api/v1/nowhere",
    ] {
        let headers = admin.get(path).await.headers;
        let policy = headers["content-security-policy"]
            .to_str()
            .unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        for name in [
            "strict-transport-security",
            "x-content-type-options",
            "referrer-policy",
            "cache-control",
        ] {
            assert!(headers.contains_key(name), "{path}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_told_so() {
    let rig = Rig::start("bad", two_tenants).await;
    let mut admin = rig.admin().await;
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 422),
        ("{\"name\":\"x\"}", 422),
    ] {
        let kind = [("content-type", "application/json")];
        let answer = admin
            .send("POST", "/api/v1/users", &kind, body.to_owned())
            .await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.json()["status"], status);
    }
    for (path, status) in [
        ("/api/v1/history?most=x", 400),
        ("/api/v1/history/x", 404),
        ("/api/v1/x", 404),
    ] {
        assert_eq!(admin.get(path).await.json()["status"], status, "{path}");
    }
    assert_eq!(
        admin.post("/api/v1/status", &json!({})).await.json()["status"],
        405
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_places() {
    let rig = Rig::start("crowd", two_tenants).await;
    let mut crowd = Vec::new();
    for _ in 0..32 {
        crowd.push(TcpStream::connect(rig.address).await.expect("it listens"));
    }
    assert!(!rig.lets_in().await, "there is no place for one more of us");
    drop(crowd);
    // As soon as their places are seen to be empty.
    while !rig.lets_in().await {
        tokio::task::yield_now().await;
    }
}
