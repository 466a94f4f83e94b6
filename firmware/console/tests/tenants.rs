//! Who sees what: a tenant's admin nothing of another tenant, by no page, no path of the API and no guessed number; and all that a
//! party wrote is only text.
//!
//! Not here: entering.

mod rig;

use rig::{Browser, Rig, two_tenants};
use serde_json::{Value, json};

async fn of_contoso(rig: &Rig, admin: &mut Browser) -> Browser {
    let user = json!({"name": "cora", "role": "tenant_admin", "tenant": "contoso", "password": "correct horse"});
    assert_eq!(admin.post("/api/v1/users", &user).await.status, 201);
    let mut browser = rig.browser();
    assert_eq!(browser.sign_in("cora", "correct horse").await.status, 204);
    browser
}

fn numbers(calls: &Value) -> Vec<u64> {
    let calls = calls.as_array().expect("a list");
    calls
        .iter()
        .filter_map(|call| call["call"].as_u64())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_admin_sees_that_tenants_calls_alone() {
    let rig = Rig::start("calls", two_tenants).await;
    let mut admin = rig.admin().await;
    assert_eq!(numbers(&admin.get("/api/v1/calls").await.json()), [1, 2, 3]);
    let mut cora = of_contoso(&rig, &mut admin).await;
    assert_eq!(numbers(&cora.get("/api/v1/calls").await.json()), [1]);
    for sought in ["", "?tenant=fabrikam", "?text=fabrikam", "?trunk=probe"] {
        let page = cora.get(&format!("/api/v1/history{sought}")).await.json();
        assert_eq!(numbers(&page["calls"]), [1], "{sought}");
    }
    for ending in ["", "/text", "/pcapng"] {
        assert_eq!(
            cora.get(&format!("/api/v1/history/1{ending}")).await.status,
            200
        );
        let (other, none, absent) = (
            cora.get(&format!("/api/v1/history/2{ending}")).await,
            cora.get(&format!("/api/v1/history/3{ending}")).await,
            cora.get(&format!("/api/v1/history/99{ending}")).await,
        );
        assert_eq!([other.status, none.status], [404, 404]);
        assert_eq!(
            [&other.body, &none.body],
            [&absent.body; 2],
            "not even that it is there"
        );
    }
    let other = cora
        .json("DELETE", "/api/v1/calls/2", &[], &json!({}))
        .await;
    assert_eq!(other.status, 404);
    let ends = |question: &Value| question["command"] == "hang_up";
    assert!(
        !rig.asked
            .lock()
            .expect("no test fails here")
            .iter()
            .any(ends)
    );
    assert_eq!(
        cora.json("DELETE", "/api/v1/calls/1", &[], &json!({}))
            .await
            .status,
        202
    );
    assert!(
        rig.asked
            .lock()
            .expect("no test fails here")
            .iter()
            .any(ends)
    );
    for path in [
        "/",
        "/calls",
        "/parts/home",
        "/parts/calls",
        "/history",
        "/history?text=fabrikam",
    ] {
        let page = cora.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains(">fabrikam<"), "{path}");
        assert!(page.body.contains("contoso"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_answers_as_its_document_says_and_a_tenants_admin_gets_calls_alone() {
    let rig = Rig::start("paths", two_tenants).await;
    let mut admin = rig.admin().await;
    let mut cora = of_contoso(&rig, &mut admin).await;
    let mut nobody = rig.browser();
    let document: Value = serde_json::from_str(&console::openapi()).expect("it is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    assert!(paths.len() >= 20, "{}", paths.len());
    for (path, methods) in paths {
        let real = path
            .replace("{call}", "1")
            .replace("{version}", "1")
            .replace("{name}", "nobody")
            .replace("{session}", "999");
        for (method, described) in methods.as_object().expect("it has methods") {
            let method = method.to_uppercase();
            // It does not end, and is tried by itself.
            if path == "/api/v1/events" || (path == "/api/v1/session" && method == "DELETE") {
                continue;
            }
            let may_enter = ["/api/v1/session", "/api/v1/setup"].contains(&path.as_str());
            let stranger = nobody.json(&method, &real, &[], &json!({})).await.status;
            let allowed = if may_enter { [401, 422] } else { [401, 401] };
            assert!(allowed.contains(&stranger), "{method} {path}: {stranger}");
            let hers = cora.json(&method, &real, &[], &json!({})).await.status;
            let is_of_calls = ["calls", "history", "trunks"]
                .iter()
                .any(|room| path.starts_with(&format!("/api/v1/{room}")));
            assert_eq!(
                hers == 403,
                !is_of_calls && !may_enter && hers != 422 && hers != 428,
                "{method} {path}: {hers}"
            );
            assert!(
                hers >= 300 || is_of_calls || may_enter,
                "{method} {path}: {hers}"
            );
            let his = admin
                .json(&method, &real, &[], &json!({}))
                .await
                .status
                .to_string();
            assert!(
                described["responses"].get(&his).is_some(),
                "{method} {path}: {his}"
            );
        }
    }
    for path in [
        "/configuration",
        "/versions",
        "/versions/1",
        "/explain",
        "/users",
        "/doctor",
        "/audit",
    ] {
        assert_eq!(cora.get(path).await.status, 403, "{path}");
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_party_wrote_is_text_on_every_page() {
    let rig = Rig::start("hostile", two_tenants).await;
    let mut admin = rig.admin().await;
    for path in [
        "/",
        "/calls",
        "/history",
        "/history/1",
        "/history?text=%22%3E%3Cscript%3E",
    ] {
        let page = admin.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let scripts = page.body.matches("<script").count();
        assert_eq!(scripts, 1, "{path}: {}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trunks_are_seen_by_those_whose_they_are() {
    let rig = Rig::start("trunks", two_tenants).await;
    let mut admin = rig.admin().await;
    let mut cora = of_contoso(&rig, &mut admin).await;
    let trunks = admin.get("/api/v1/trunks").await.json();
    assert_eq!(trunks.as_array().map(Vec::len), Some(3));
    assert_eq!(trunks[0]["targets"][0]["state"], "down");
    assert_eq!(trunks[0]["targets"][0]["reason"], "no answer");
    let hers = cora.get("/api/v1/trunks").await.json();
    let names: Vec<_> = hers.as_array().expect("a list").iter().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["trunk"], "trunk-1");
    for page in ["/", "/parts/home"] {
        let hers = cora.get(page).await.body;
        assert!(hers.contains("trunk-1") && !hers.contains("trunk-2") && !hers.contains("trunk-3"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_asked_by_a_form_and_what_was_seen_is_text() {
    let rig = Rig::start("doctor", two_tenants).await;
    let mut admin = rig.admin().await;
    let report = admin.post("/api/v1/doctor", &json!({})).await;
    assert_eq!(report.status, 200);
    assert_eq!(report.json()["findings"][1]["light"], "red");
    let form = admin.form.clone().expect("it is known");
    let page = admin.submit("/doctor", &format!("form={form}")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("<script").count(), 1, "{}", page.body);
    let forged = admin.submit("/doctor", "form=x").await;
    assert_eq!(forged.status, 403);
}
