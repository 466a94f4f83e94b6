//! Certificates as people get and bring them: a key that never leaves, what does not fit refused, a version of the configuration for each.
//!
//! Not here: cryptography (`postern::notary`).

mod rig;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rig::{Answer, Browser, Rig, two_tenants};
use serde_json::{Value, json};

async fn put(browser: &mut Browser, name: &str, body: &Value) -> Answer {
    let way = format!("/api/v1/certificates/{name}");
    browser.json("PUT", &way, &[], body).await
}

/// The file that the configuration names for an identity, and what is in it.
fn pair(rig: &Rig, name: &str) -> (String, String) {
    let document = config::parse(&rig.file()).expect("it is in order");
    let mut identities = document.identities.iter();
    let own = identities.find(|identity| identity.name == name);
    let own = own.expect("there is one");
    assert_eq!(own.certificate, own.key);
    let text = std::fs::read_to_string(rig.folder.join(&own.key)).expect("a file");
    (own.key.clone(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_and_comes_into_use_with_a_key_that_nobody_sees() {
    let rig = Rig::start("csr", two_tenants).await;
    let mut ana = rig.admin().await;
    let new = json!({"name": "contoso", "names": ["sbc.contoso.example", " ALT.contoso.example "]});
    let asked = ana.post("/api/v1/certificates/requests", &new).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let expected = "REQUEST sbc.contoso.example alt.contoso.example";
    assert_eq!(asked.json()["request"], expected);
    let listed = ana.get("/api/v1/certificates").await;
    assert_eq!(listed.json()["requests"][0]["request"], expected);
    let page = ana.get("/certificates").await;
    assert!(page.body.contains(expected));
    for answer in [&asked, &listed, &page] {
        assert!(!answer.body.contains("KEY "), "{}", answer.body);
    }

    let wrong = json!({"form": "pem", "chain": "CHAIN other 1900000000"});
    let before = rig.file();
    assert_eq!(put(&mut ana, "contoso", &wrong).await.status, 422);
    assert_eq!(rig.file(), before, "what does not fit changes nothing");
    let chain = "CHAIN sbc.contoso.example 1900000000";
    let signed = json!({"form": "pem", "chain": chain});
    let installed = put(&mut ana, "contoso", &signed).await;
    assert_eq!(installed.status, 200, "{}", installed.body);
    let (first, text) = pair(&rig, "contoso");
    assert_eq!(text, format!("{chain}\nKEY sbc.contoso.example\n"));
    let listed = ana.get("/api/v1/certificates").await.json();
    assert_eq!(listed["requests"], json!([]), "it waits no more");
    assert_eq!(
        listed["identities"][0]["chain"][0]["not_after"],
        1_900_000_000_u64
    );

    // Renewed with the same key; the version before still has what it had.
    rig.pass(60);
    let renewed =
        json!({"form": "pem", "chain": "CHAIN sbc.contoso.example 1990000000", "key": ""});
    assert_eq!(put(&mut ana, "contoso", &renewed).await.status, 200);
    let (second, text) = pair(&rig, "contoso");
    assert!(text.contains("1990000000") && text.contains("KEY sbc.contoso.example"));
    assert_ne!(first, second);
    let back = ana
        .post("/api/v1/configuration/versions/2/roll-back", &json!({}))
        .await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(pair(&rig, "contoso").0, first);
    let audit = ana.get("/api/v1/audit").await.body;
    assert!(audit.contains("certificate_requested") && audit.contains("certificate_installed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_with_its_reason() {
    let rig = Rig::start("refused", two_tenants).await;
    let mut ana = rig.admin().await;
    let archive = |text: &str, password: &str| json!({"form": "pkcs12", "archive": STANDARD.encode(text), "password": password});
    for (name, import, status) in [
        (
            "a",
            json!({"form": "pem", "chain": "CHAIN a 1900000000"}),
            422,
        ),
        (
            "a",
            json!({"form": "pem", "chain": "CHAIN a 100", "key": "KEY a"}),
            422,
        ),
        (
            "a",
            json!({"form": "pem", "chain": "", "key": "KEY a"}),
            422,
        ),
        ("a", archive("CHAIN a|KEY a", "guess"), 422),
        (
            "a",
            json!({"form": "pkcs12", "archive": "*", "password": ""}),
            400,
        ),
        ("a", json!({"form": "cer"}), 422),
        (
            "..%2Fa",
            json!({"form": "pem", "chain": "CHAIN a", "key": "KEY a"}),
            400,
        ),
    ] {
        let before = rig.file();
        let answer = put(&mut ana, name, &import).await;
        assert_eq!(answer.status, status, "{import}: {}", answer.body);
        assert_eq!(rig.file(), before);
    }
    let left = std::fs::read_dir(rig.folder.join("certificates"));
    assert_eq!(
        left.map_or(0, Iterator::count),
        0,
        "nothing is left of them"
    );
    assert_eq!(
        put(&mut ana, "a", &archive("CHAIN a|KEY a", "letmein"))
            .await
            .status,
        200
    );
    assert_eq!(pair(&rig, "a").1, "CHAIN a\nKEY a\n");
    for names in [json!([]), json!(vec!["x.example"; 51])] {
        let new = json!({"name": "b", "names": names});
        assert_eq!(
            ana.post("/api/v1/certificates/requests", &new).await.status,
            400
        );
    }
    for number in 0..64 {
        let new = json!({"name": format!("n{number}"), "names": ["x.example"]});
        assert_eq!(
            ana.post("/api/v1/certificates/requests", &new).await.status,
            201
        );
    }
    let new = json!({"name": "more", "names": ["x.example"]});
    assert_eq!(
        ana.post("/api/v1/certificates/requests", &new).await.status,
        409
    );
    let way = "/api/v1/certificates/requests/n7";
    assert_eq!(ana.json("DELETE", way, &[], &json!({})).await.status, 204);
    assert_eq!(ana.json("DELETE", way, &[], &json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_and_touches_nothing() {
    let rig = Rig::start("looks", two_tenants).await;
    let mut ana = rig.admin().await;
    let new = json!({"name": "a", "names": ["a.example"]});
    assert_eq!(
        ana.post("/api/v1/certificates/requests", &new).await.status,
        201
    );
    let import = json!({"form": "pem", "chain": "CHAIN b", "key": "KEY b"});
    assert_eq!(put(&mut ana, "b", &import).await.status, 200);
    let user = json!({"name": "olga", "role": "operator", "password": "correct horse"});
    assert_eq!(ana.post("/api/v1/users", &user).await.status, 201);
    let mut olga = rig.browser();
    assert_eq!(olga.sign_in("olga", "correct horse").await.status, 204);
    let listed = olga.get("/api/v1/certificates").await.json();
    assert_eq!(listed["requests"], json!([]));
    assert_eq!(listed["identities"][0]["name"], "b");
    let page = olga.get("/certificates").await;
    assert!(!page.body.contains("<form class=\"fields\"") && !page.body.contains("<script>alert"));
    assert_eq!(put(&mut olga, "b", &import).await.status, 403);
    assert_eq!(
        olga.post("/api/v1/certificates/requests", &new)
            .await
            .status,
        403
    );
    let form = olga.form.clone().unwrap_or_default();
    let fields = format!("form={form}&name=b&chain=CHAIN+b&key=KEY+b");
    assert_eq!(
        olga.submit("/certificates/install", &fields).await.status,
        403
    );
}
