//! The Graph emulator over a real socket: every endpoint, and every quirk seen to do what its description says.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test fail it; clippy spares only the test functions themselves"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{
    Clock, Emulator, EmulatorOptions, NameChange, NewUser, Quirk, QuirkName, Quirks, RECYCLE_BIN,
};

const SELECT: &str = "$select=id,userPrincipalName,mail,proxyAddresses";
const DAY: Duration = Duration::from_secs(86_400);

/// An emulator and a client that has a token.
struct App {
    emulator: Emulator,
    client: Client,
    token: String,
}

impl App {
    async fn start() -> Self {
        Self::with(EmulatorOptions::default()).await
    }

    async fn with(options: EmulatorOptions) -> Self {
        let emulator = Emulator::start(options).unwrap();
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut app = Self { emulator, client, token: String::new() };
        let answer = app.login(&[]).await;
        app.token = body(answer).await["access_token"].as_str().unwrap().to_owned();
        app
    }

    async fn login(&self, changes: &[(&str, &str)]) -> Response {
        let mut form = BTreeMap::from([
            ("grant_type", "client_credentials"),
            ("client_id", EmulatorOptions::CLIENT_ID),
            ("client_secret", EmulatorOptions::SECRET),
            ("scope", "https://graph.microsoft.com/.default"),
            ("tenant", EmulatorOptions::TENANT),
        ]);
        form.extend(changes.iter().copied());
        let url = format!("{}/{}/oauth2/v2.0/token", self.emulator.url(), form.remove("tenant").unwrap());
        let form = form.iter().fold(url::form_urlencoded::Serializer::new(String::new()), |mut text, (name, value)| {
            text.append_pair(name, value);
            text
        });
        let mut form = form;
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.finish()).send().await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}/v1.0{path}", self.emulator.url()) }
    }

    async fn send(&self, method: Method, path: &str, json: Option<Value>) -> Response {
        let request = self.client.request(method, self.url(path)).bearer_auth(&self.token);
        let request = match json {
            Some(json) => request.header("content-type", "application/json").body(json.to_string()),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, None).await
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        body(answer).await
    }

    /// The pages from `path` to the delta link, and that link.
    async fn walk(&self, path: &str) -> (Vec<Value>, String) {
        let mut pages = Vec::new();
        let mut link = path.to_owned();
        loop {
            let page = self.json(&link).await;
            pages.push(page["value"].clone());
            assert!(pages.len() < 500, "a round without end");
            match (&page["@odata.nextLink"], &page["@odata.deltaLink"]) {
                (Value::String(next), Value::Null) => link = next.clone(),
                (Value::Null, Value::String(delta)) => return (pages, delta.clone()),
                _ => panic!("a page has one link: {page}"),
            }
        }
    }

    async fn round(&self, path: &str) -> (Vec<Value>, String) {
        let (pages, link) = self.walk(path).await;
        (pages.iter().flat_map(|page| page.as_array().unwrap().clone()).collect(), link)
    }

    async fn first_round(&self) -> (Vec<Value>, String) {
        self.round(&format!("/users/delta?{SELECT}")).await
    }

    fn mailbox(&self, upn: &str) -> ObjectId {
        self.emulator.with(|directory| directory.create_user(NewUser::mailbox(upn))).unwrap()
    }

    fn quirk(&self, quirk: Quirk) {
        self.emulator.set_quirks([quirk]);
    }

    fn quirk_named(&self, name: QuirkName) {
        self.quirk(Quirk::new(name));
    }

    async fn control(&self, path: &str, json: Value) -> Response {
        let url = format!("{}/_emulator/{path}", self.emulator.url());
        let request = self.client.post(url).header("content-type", "application/json");
        request.body(json.to_string()).send().await.unwrap()
    }
}

async fn body(answer: Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn date(answer: &Response) -> &str {
    answer.headers()["date"].to_str().unwrap()
}

fn removed(id: ObjectId, reason: &str) -> Value {
    json!({ "id": id, "@removed": { "reason": reason } })
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_the_codes_of_entra() {
    let app = App::start().await;
    for (changes, status, code) in [
        (("client_secret", "wrong"), 401, 7_000_215),
        (("tenant", "nobody.test"), 400, 90002),
        (("client_id", "c0ffee"), 400, 700_016),
        (("scope", "https://graph.microsoft.com/User.Read"), 400, 70011),
        (("grant_type", "password"), 400, 70003),
        (("client_assertion", "no jwt"), 401, 700_027),
    ] {
        let answer = app.login(&[changes]).await;
        assert_eq!(answer.status(), status, "{changes:?}");
        let body = body(answer).await;
        assert_eq!(body["error_codes"], json!([code]));
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = [("client_assertion", "a.b.c"), ("client_assertion_type", jwt), ("client_secret", "")];
    let answer = body(app.login(&assertion).await).await;
    assert_eq!(answer["expires_in"], 3599);
    assert_eq!(app.login(&[("tenant", "contoso.onmicrosoft.com")]).await.status(), 200);
}

/// A registered certificate's key signs these claims.
fn signed(key: &rcgen::KeyPair, der: &[u8], claims: &Value) -> String {
    let header = jsonwebtoken::Header {
        x5t_s256: Some(whowas::graph::certificate::thumbprint(der)),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::PS256)
    };
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

#[tokio::test]
async fn an_assertion_is_checked_in_every_part() {
    let pair = || {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["x.test".to_owned()]).unwrap();
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        (key, der)
    };
    let ((key, der), (other, other_der)) = (pair(), pair());
    let app = App::with(EmulatorOptions { certificates: vec![der.clone()], ..EmulatorOptions::default() }).await;
    let audience = format!("{}/{}/oauth2/v2.0/token", app.emulator.url(), EmulatorOptions::TENANT);
    // The directory stands at 2026-03-01T00:00:00Z.
    let now = 1_772_323_200_i64;
    let good = json!({ "aud": audience, "iss": EmulatorOptions::CLIENT_ID, "sub": EmulatorOptions::CLIENT_ID, "jti": "1",
                       "nbf": now, "exp": now + 600 });
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        signed(&key, &der, &claims)
    };
    let fine = signed(&key, &der, &good);
    let (message, signature) = fine.rsplit_once('.').unwrap();
    let wrong_claims = with("jti", json!("2"));
    let swapped = format!("{}.{signature}", wrong_claims.rsplit_once('.').unwrap().0);
    for (what, assertion, code) in [
        ("another's certificate", signed(&other, &other_der, &good), 700_027),
        ("another's key", signed(&other, &der, &good), 700_027),
        ("another's signature", swapped, 700_027),
        ("no signature", format!("{message}."), 700_027),
        ("another audience", with("aud", json!("https://login.test/t/oauth2/v2.0/token")), 700_023),
        ("another application", with("iss", json!("c0ffee")), 700_021),
        ("expired", with("exp", json!(now - 301)), 700_024),
        ("not yet valid", with("nbf", json!(now + 301)), 700_024),
        ("no claims of ours", signed(&key, &der, &json!({ "aud": audience })), 700_027),
    ] {
        let answer = app.login(&assertion_fields(&assertion)).await;
        assert_eq!(answer.status(), 401, "{what}");
        assert_eq!(body(answer).await["error_codes"], json!([code]), "{what}");
    }
    assert_eq!(app.login(&assertion_fields(&fine)).await.status(), 200);
}

fn assertion_fields(assertion: &str) -> [(&str, &str); 3] {
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    [("client_assertion", assertion), ("client_assertion_type", jwt), ("client_secret", "")]
}

#[tokio::test]
async fn the_endpoint_for_managed_identities_wants_its_header_and_knows_two_identities() {
    let app = App::start().await;
    let own = format!("client_id={}", EmulatorOptions::CLIENT_ID);
    for (metadata, query, status) in [
        (Some("true"), "api-version=2019-08-01&resource=https://graph.microsoft.com", 200),
        (Some("true"), &format!("api-version=2019-08-01&resource=https://graph.microsoft.com&{own}"), 200),
        (Some("true"), "api-version=2019-08-01&resource=https://graph.microsoft.com&client_id=c0ffee", 400),
        (Some("true"), "api-version=2019-08-01", 400),
        (Some("true"), "resource=https://graph.microsoft.com", 400),
        (None, "api-version=2019-08-01&resource=https://graph.microsoft.com", 400),
    ] {
        let url = format!("{}/metadata/identity/oauth2/token?{query}", app.emulator.url());
        let request =
            metadata.into_iter().fold(app.client.get(url), |request, value| request.header("metadata", value));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{metadata:?} {query}");
        let answer = body(answer).await;
        assert_eq!(answer["expires_on"].is_string(), status == 200, "{answer}");
        assert_eq!(answer["error"] == "invalid_request", status == 400, "{answer}");
    }
}

#[tokio::test]
async fn graph_asks_for_a_token_and_the_log_of_requests_tells_who_had_one() {
    let app = App::start().await;
    for header in [None, Some("Bearer made-up"), Some("Bearer emulator-access-token-99"), Some("Basic eDp5")] {
        let request = app.client.get(app.url("/users"));
        let request = header.into_iter().fold(request, |request, value| request.header("authorization", value));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{header:?}");
        assert_eq!(body(answer).await["error"]["code"], "InvalidAuthenticationToken");
    }
    assert_eq!(app.get("/users").await.status(), 200);
    app.quirk(Quirk::new(QuirkName::Unauthorized).times(1));
    assert_eq!(app.get("/users").await.status(), 401);
    assert_eq!(app.get("/users").await.status(), 200);
    let log = app.emulator.requests();
    let users: Vec<bool> = log.last.iter().filter(|r| r.target == "/v1.0/users").map(|r| r.had_token).collect();
    assert_eq!(users, [false, true, true, false, true, true, true]);
    assert_eq!(log.total, 8);
}

#[tokio::test]
async fn a_thousand_users_come_in_pages_and_each_exactly_once() {
    let app = App::start().await;
    app.emulator.with(|directory| directory.seed_users(1_000, "x.test")).unwrap();
    let (pages, link) = app.walk(&format!("/users/delta?{SELECT}")).await;
    assert_eq!(pages.iter().map(|page| page.as_array().unwrap().len()).collect::<Vec<_>>(), [200; 5]);
    let all: Vec<Value> = pages.iter().flat_map(|page| page.as_array().unwrap().clone()).collect();
    assert_eq!(ids(&all).len(), 1_000);
    assert_eq!(all[0]["proxyAddresses"], json!(["SMTP:ann.adams@x.test", "smtp:ann.adams@contoso.onmicrosoft.com"]));
    assert_eq!(app.round(&link).await.0, [] as [Value; 0]);

    let mut listed = Vec::new();
    let mut link = "/users?$top=300&$select=id,mail".to_owned();
    loop {
        let page = app.json(&link).await;
        listed.extend(page["value"].as_array().unwrap().clone());
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        link = next.to_owned();
    }
    assert_eq!((listed.len(), ids(&listed)), (1_000, ids(&all)));
    assert_eq!(listed[0].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn the_initial_round_leaves_empty_properties_out_and_the_next_ones_tell_changes() {
    let app = App::start().await;
    let a = app.emulator.with(|directory| directory.create_user(NewUser::bare("ann@x.test"))).unwrap();
    let (items, link) = app.first_round().await;
    assert_eq!(items, [json!({ "id": a, "userPrincipalName": "ann@x.test" })]);

    app.emulator.with(|directory| directory.rename(a, "roy@x.test", true)).unwrap();
    let (items, link) = app.round(&link).await;
    let proxies = json!(["SMTP:roy@x.test"]);
    let full = json!({ "id": a, "userPrincipalName": "roy@x.test", "mail": "roy@x.test", "proxyAddresses": proxies });
    assert_eq!(items, [full]);

    // A property that was cleared comes as null, one that nobody selected not at all.
    app.emulator.with(|directory| directory.set_addresses(a, None, &[])).unwrap();
    let (items, link) = app.round(&link).await;
    assert_eq!((&items[0]["mail"], &items[0]["proxyAddresses"]), (&Value::Null, &json!([])));
    assert!(items[0].as_object().unwrap().contains_key("mail"));
    app.emulator.with(|directory| directory.edit(a, |user| user.enabled = false)).unwrap();
    assert_eq!(app.round(&link).await.0, [] as [Value; 0]);
}

#[tokio::test]
async fn a_minimal_answer_holds_what_changed_and_nothing_else() {
    let app = App::start().await;
    let a = app.mailbox("ann@x.test");
    let (_, link) = app.first_round().await;
    app.emulator.with(|directory| directory.set_upn(a, "roy@x.test")).unwrap();
    let request = app.client.get(&link).bearer_auth(&app.token).header("Prefer", "return=minimal");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["preference-applied"], "return=minimal");
    assert_eq!(body(answer).await["value"], json!([{ "id": a, "userPrincipalName": "roy@x.test" }]));
}

#[tokio::test]
async fn deletion_purge_and_restore_look_as_they_do_in_graph() {
    let app = App::start().await;
    let a = app.mailbox("kim@x.test");
    let b = app.mailbox("raj@x.test");
    let (_, link) = app.first_round().await;
    app.emulator.with(|directory| directory.delete(a).and_then(|()| directory.delete(b))).unwrap();
    let (items, link) = app.round(&link).await;
    assert_eq!(items, [removed(a, "changed"), removed(b, "changed")]);

    app.emulator.with(|directory| directory.restore(b, None, false)).unwrap();
    let (items, link) = app.round(&link).await;
    assert_eq!((ids(&items), &items[0]["userPrincipalName"]), ([b.to_string()].into(), &json!("raj@x.test")));
    assert!(items[0].get("@removed").is_none());

    app.emulator.advance(RECYCLE_BIN);
    assert_eq!(app.round(&link).await.0, [removed(a, "deleted")]);
    assert_eq!(app.first_round().await.0.len(), 1);
}

#[tokio::test]
async fn two_users_swap_their_names_on_one_page() {
    let app = App::start().await;
    let (a, b) = (app.mailbox("pat@x.test"), app.mailbox("max@x.test"));
    let (_, link) = app.first_round().await;
    let change = |id, upn: &str| NameChange { id, upn: upn.into(), mail_follows: true, keep_alias: false };
    let changes = [change(a, "max@x.test"), change(b, "pat@x.test")];
    app.emulator.with(|directory| directory.set_many(&changes)).unwrap();
    let (pages, _) = app.walk(&link).await;
    let [page] = pages.as_slice() else { panic!("one page") };
    let names: Vec<(&Value, &Value)> =
        page.as_array().unwrap().iter().map(|item| (&item["id"], &item["userPrincipalName"])).collect();
    assert_eq!(names, [(&json!(a), &json!("max@x.test")), (&json!(b), &json!("pat@x.test"))]);
}

#[tokio::test]
async fn a_rotation_comes_over_several_pages_and_every_page_can_be_asked_for_again() {
    let app = App::with(EmulatorOptions { page_size: 1, ..EmulatorOptions::default() }).await;
    let users = ["n1@x.test", "n2@x.test", "n3@x.test"].map(|upn| app.mailbox(upn));
    let (_, start) = app.first_round().await;
    let upns = ["n2@x.test", "n3@x.test", "n1@x.test"];
    let changes = users.iter().zip(upns).map(|(id, upn)| json!({ "user": id, "upn": upn })).collect::<Vec<_>>();
    let answer = app.control("act", json!({ "act": "set_upns", "changes": changes })).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(body(answer).await["ids"], json!(users));

    let first = app.json(&start).await;
    let second_link = first["@odata.nextLink"].as_str().unwrap().to_owned();
    let second = app.json(&second_link).await;
    // The client crashes here; meanwhile the directory goes on.
    app.emulator.with(|directory| directory.rename(users[1], "n9@x.test", false)).unwrap();
    assert_eq!(app.json(&second_link).await, second);
    let (pages, link) = app.walk(&second_link).await;
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[0][0]["userPrincipalName"], "n3@x.test");
    // What happened during the round comes with the next one.
    let (items, _) = app.round(&link).await;
    assert_eq!((items.len(), &items[0]["userPrincipalName"]), (1, &json!("n9@x.test")));
    // From the old link everything is told again, as it is by now.
    assert_eq!(app.round(&start).await.0.len(), 3);
}

#[tokio::test]
async fn delta_knows_its_other_spellings_and_options() {
    let app = App::start().await;
    let (a, b) = (app.mailbox("a@x.test"), app.mailbox("b@x.test"));
    for path in ["/users/microsoft.graph.delta", "/users/microsoft.graph.delta()", "/users/delta()"] {
        assert_eq!(app.json(path).await["value"].as_array().unwrap().len(), 2, "{path}");
    }
    let (items, _) = app.round(&format!("/users/delta?$filter=id eq '{b}' or id eq '{b}'")).await;
    assert_eq!(ids(&items), [b.to_string()].into());
    let (items, link) = app.round("/users/delta?$DeltaToken=latest&$SELECT=id,mail").await;
    assert_eq!(items, [] as [Value; 0]);
    app.emulator.with(|directory| directory.rename(a, "a2@x.test", true)).unwrap();
    let (items, _) = app.round(&link.replace("$deltatoken", "$DELTATOKEN")).await;
    assert_eq!(items, [json!({ "id": a, "mail": "a2@x.test" })]);
    for refused in
        ["$top=5", "$expand=manager", "$orderby=mail", "$filter=mail eq 'x'", "$deltatoken=zz", "$select=nose"]
    {
        assert_eq!(app.get(&format!("/users/delta?{refused}")).await.status(), 400, "{refused}");
    }
    assert_eq!(app.get("/users/delta?$select=photo").await.status(), 501);
    let request = app.client.get(app.url("/users/delta")).bearer_auth(&app.token);
    let page = body(request.header("Prefer", "odata.maxpagesize=1").send().await.unwrap()).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 1);
    // A users link is no groups link.
    let stray = page["@odata.nextLink"].as_str().unwrap().replace("/users/", "/groups/");
    assert_eq!(app.get(&stray).await.status(), 400);
}

#[tokio::test]
async fn single_users_are_read_by_id_and_by_name_while_they_live() {
    let app = App::start().await;
    let a = app.mailbox("$ann@x.test");
    app.emulator
        .with(|directory| directory.create_user(NewUser::bare("b_y.test#EXT#@contoso.onmicrosoft.com")))
        .unwrap();
    for key in [
        format!("/users/{a}"),
        "/users('$ANN@x.test')".into(),
        "/users/b_y.test%23EXT%23@contoso.onmicrosoft.com".into(),
    ] {
        assert_eq!(app.get(&key).await.status(), 200, "{key}");
    }
    let user = app.json(&format!("/users/{a}?$select=createdDateTime,employeeId,assignedPlans")).await;
    assert_eq!((&user["createdDateTime"], &user["employeeId"]), (&json!("2026-03-01T00:00:00Z"), &Value::Null));
    assert_eq!(user["assignedPlans"][0]["capabilityStatus"], "Enabled");
    assert_eq!(app.json(&format!("/users?$filter=id eq '{a}'")).await["value"][0]["id"], json!(a));
    assert_eq!(app.get("/users?$top=1000").await.status(), 400);
    assert_eq!(app.get("/users/$ann@x.test?$select=signInActivity").await.status(), 400);

    app.emulator.with(|directory| directory.delete(a)).unwrap();
    for key in [a.to_string(), "$ann@x.test".into(), "11111111-1111-4111-8111-111111111111".into()] {
        let answer = app.get(&format!("/users/{key}")).await;
        assert_eq!(answer.status(), 404);
        let error = body(answer).await["error"].clone();
        assert_eq!(error["code"], "Request_ResourceNotFound");
        assert_eq!(error["innerError"]["date"], "2026-03-01T00:00:00");
        assert!(error["innerError"]["request-id"].is_string());
    }
}

#[tokio::test]
async fn users_are_found_by_any_of_their_addresses_whatever_a_filter_calls_it() {
    let app = App::start().await;
    let ann = app.emulator.with(|directory| {
        let ann = directory.create_user(NewUser::mailbox("ann@x.test")).unwrap();
        directory.create_user(NewUser::mailbox("bob@x.test")).unwrap();
        let proxies = ["SMTP:ann@x.test", "smtp:alias@x.test"].map(str::to_owned);
        directory.set_addresses(ann, Some("ann@x.test"), &proxies).unwrap();
        ann
    });
    for filter in [
        "proxyAddresses/any(p:p eq 'smtp:alias@x.test')",
        "proxyAddresses/any(address: address eq 'SMTP:Alias@x.test')",
        "proxyAddresses/any(x:x eq 'smtp:nobody@x.test') or proxyAddresses/any(x:x eq 'SMTP:ann@x.test')",
    ] {
        let found = app.json(&format!("/users?$filter={filter}")).await;
        assert_eq!(found["value"].as_array().unwrap().len(), 1, "{filter}");
        assert_eq!(found["value"][0]["id"], json!(ann), "{filter}");
    }
    assert_eq!(app.get("/users?$filter=proxyAddresses/any(p:q eq 'smtp:alias@x.test')").await.status(), 400);
}

#[tokio::test]
async fn over_tls_every_link_leads_back_to_https() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let tls = folder.path().join("tls.pem");
    std::fs::write(&tls, certificate.pem() + &key.serialize_pem()).unwrap();
    let start = |tls: &std::path::Path| {
        let options = EmulatorOptions { tls: Some(tls.to_owned()), page_size: 1, ..EmulatorOptions::default() };
        Emulator::start(options)
    };
    let emulator = start(&tls).unwrap();
    assert!(emulator.url().starts_with("https://127.0.0.1:"));
    emulator.with(|directory| directory.seed_users(2, "x.test")).unwrap();
    let trusted = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap();
    let mut app = App { emulator, client, token: String::new() };
    // Whoever opens a connection and then says nothing keeps nobody else waiting.
    let _silent = std::net::TcpStream::connect(app.emulator.url().strip_prefix("https://").unwrap()).unwrap();
    app.token = body(app.login(&[]).await).await["access_token"].as_str().unwrap().to_owned();
    let first = app.json("/users/delta").await;
    let next = first["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&format!("{}/v1.0/users/delta?", app.emulator.url())), "{next}");
    assert_eq!(app.json(next).await["value"].as_array().unwrap().len(), 1);

    let plain = app.client.get(app.emulator.url().replace("https", "http")).send().await;
    assert!(plain.is_err(), "plain HTTP is no TLS");
    for (content, why) in [(certificate.pem(), "a key is missing"), (key.serialize_pem(), "a certificate is missing")] {
        std::fs::write(&tls, content).unwrap();
        assert_eq!(start(&tls).unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{why}");
    }
}

#[tokio::test]
async fn any_graph_client_can_drive_the_directory() {
    let app = App::start().await;
    let new = json!({
        "accountEnabled": true, "displayName": "Ann", "mailNickname": "ann", "userPrincipalName": "ann@x.test",
        "mail": "ann@x.test", "passwordProfile": { "password": "irrelevant" },
    });
    let answer = app.send(Method::POST, "/users", Some(new.clone())).await;
    assert_eq!(answer.status(), 201);
    let id = body(answer).await["id"].as_str().unwrap().to_owned();
    let conflict = app.send(Method::POST, "/users", Some(new)).await;
    assert_eq!(conflict.status(), 400);
    let detail = body(conflict).await["error"]["details"][0].clone();
    assert_eq!((&detail["code"], &detail["target"]), (&json!("ObjectConflict"), &json!("userPrincipalName")));
    assert_eq!(app.send(Method::POST, "/users", Some(json!({}))).await.status(), 400);

    let user = format!("/users/{id}");
    let patch = json!({ "userPrincipalName": "roy@x.test", "accountEnabled": false });
    assert_eq!(app.send(Method::PATCH, &user, Some(patch)).await.status(), 204);
    let read = app.json(&format!("{user}?{SELECT},accountEnabled")).await;
    assert_eq!(read["proxyAddresses"], json!(["SMTP:ann@x.test", "smtp:roy@x.test"]));
    assert_eq!(read["accountEnabled"], false);
    assert_eq!(app.send(Method::PATCH, &user, Some(json!({ "proxyAddresses": [] }))).await.status(), 400);

    assert_eq!(app.send(Method::DELETE, &user, None).await.status(), 204);
    assert_eq!(app.send(Method::DELETE, &user, None).await.status(), 404);
    let mangled = format!("{}roy@x.test", id.replace('-', ""));
    let bin =
        app.json("/directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName,deletedDateTime").await;
    let item = json!({ "id": id, "userPrincipalName": mangled, "deletedDateTime": "2026-03-01T00:00:00Z" });
    assert_eq!(bin["value"], json!([item]));
    for path in [format!("/directory/deletedItems/{id}"), format!("/directory/deletedItems/microsoft.graph.user/{id}")]
    {
        assert_eq!(app.json(&path).await["userPrincipalName"], json!(mangled));
    }

    let item = format!("/directory/deletedItems/{id}");
    let restore = json!({ "newUserPrincipalName": "ann2@x.test", "autoReconcileProxyConflict": true });
    let answer = app.send(Method::POST, &format!("{item}/restore"), Some(restore)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(body(answer).await["userPrincipalName"], "ann2@x.test");
    assert_eq!(app.send(Method::DELETE, &user, None).await.status(), 204);
    assert_eq!(app.send(Method::DELETE, &item, None).await.status(), 204);
    assert_eq!(app.send(Method::POST, &format!("{item}/restore"), None).await.status(), 404);
}

#[tokio::test]
async fn the_audit_log_is_filtered_ordered_and_paged() {
    let app = App::start().await;
    let a = app.mailbox("ann@x.test");
    app.emulator.advance(Duration::from_millis(3_600_250));
    app.emulator.with(|directory| directory.rename(a, "roy@x.test", true)).unwrap();
    app.mailbox("bob@x.test");
    app.emulator.with(|directory| directory.delete(a).and_then(|()| directory.purge(a))).unwrap();

    let path = format!(
        "/auditLogs/directoryAudits?$filter=targetResources/any(t: t/id eq '{a}')&$top=2&$orderby=activityDateTime asc"
    );
    let first = app.json(&path).await;
    let mut events = first["value"].as_array().unwrap().clone();
    assert_eq!(events.len(), 2);
    let mut link = first["@odata.nextLink"].clone();
    // Newer events do not shift the pages of a listing that began before them.
    app.mailbox("eve@x.test");
    while let Some(next) = link.as_str() {
        let page = app.json(next).await;
        events.extend(page["value"].as_array().unwrap().clone());
        link = page["@odata.nextLink"].clone();
    }
    let names: Vec<&str> = events.iter().map(|event| event["activityDisplayName"].as_str().unwrap()).collect();
    assert_eq!(names, ["Add user", "Update user", "Update user", "Delete user", "Hard Delete user"]);
    assert_eq!(events[1]["activityDateTime"], "2026-03-01T01:00:00.2500000Z");
    let target = &events[1]["targetResources"][0];
    assert_eq!(target["modifiedProperties"][0]["oldValue"], "[\"ann@x.test\"]");
    let mangled = format!("{}roy@x.test", a.to_string().replace('-', ""));
    assert_eq!(events[3]["targetResources"][0]["userPrincipalName"], json!(mangled));

    let since = "/auditLogs/directoryAudits?$filter=activityDateTime ge 2026-03-01T01:00:00Z and activityDisplayName eq 'Add user'";
    assert_eq!(app.json(since).await["value"].as_array().unwrap().len(), 2);
    let until = "/auditLogs/directoryAudits?$filter=activityDateTime le 2026-03-01T01:00:00Z";
    assert_eq!(app.json(until).await["value"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/auditLogs/directoryAudits?$filter=startswith(id,'x')").await.status(), 400);
    let one = format!("/auditLogs/directoryAudits/{}", events[0]["id"].as_str().unwrap());
    assert_eq!(app.json(&one).await, events[0]);

    app.quirk_named(QuirkName::ExchangeUnaudited);
    assert_eq!(
        app.json(&format!("{path}&$count=true").replace("$top=2", "$top=9")).await["value"].as_array().unwrap().len(),
        4
    );
    app.quirk(Quirk::new(QuirkName::AuditLag).seconds(60.0));
    assert_eq!(app.json("/auditLogs/directoryAudits").await["value"].as_array().unwrap().len(), 1);
    app.emulator.advance(Duration::from_secs(60));
    assert_eq!(app.json("/auditLogs/directoryAudits").await["value"].as_array().unwrap().len(), 7);
    app.quirk_named(QuirkName::AuditForbidden);
    let answer = app.get("/auditLogs/directoryAudits").await;
    assert_eq!(answer.status(), 403);
    assert_eq!(body(answer).await["error"]["code"], "Authentication_RequestFromNonPremiumTenantOrB2CTenant");
}

#[tokio::test]
async fn a_batch_answers_each_request_in_another_order_and_throttles_them_one_by_one() {
    let app = App::start().await;
    let users: Vec<ObjectId> = (0..8).map(|n| app.mailbox(&format!("u{n}@x.test"))).collect();
    let request = |n: usize| json!({ "id": n.to_string(), "method": "GET", "url": format!("/users/{}", users[n]) });
    let mut requests: Vec<Value> = (0..8).map(request).collect();
    requests.push(json!({ "id": "gone", "method": "GET", "url": "/users/nobody@x.test" }));
    app.quirk(Quirk::new(QuirkName::Throttle).every(3).times(2).seconds(7.0));
    let answer = app.send(Method::POST, "/$batch", Some(json!({ "requests": requests }))).await;
    assert_eq!(answer.status(), 200);
    let body = body(answer).await;
    let order: Vec<&str> = body["responses"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_ne!(order, ["0", "1", "2", "3", "4", "5", "6", "7", "gone"]);
    let by_id: BTreeMap<&str, &Value> =
        body["responses"].as_array().unwrap().iter().map(|r| (r["id"].as_str().unwrap(), r)).collect();
    let statuses: Vec<u64> = by_id.values().map(|r| r["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429, 200, 200, 404]);
    assert_eq!(by_id["2"]["headers"]["Retry-After"], "7");
    assert_eq!(by_id["4"]["body"]["id"], json!(users[4]));
    for part in by_id.values() {
        // Microsoft's own client takes a body that does not say that it is JSON for text.
        assert!(part["headers"]["Content-Type"].as_str().unwrap().starts_with("application/json;"), "{part}");
    }
    let many: Vec<Value> = (0..21).map(|_| request(0)).collect();
    assert_eq!(app.send(Method::POST, "/$batch", Some(json!({ "requests": many }))).await.status(), 400);
}

#[tokio::test]
async fn groups_and_contacts_hold_addresses_and_are_tracked() {
    let app = App::start().await;
    let a = app.mailbox("tax@x.test");
    let (_, link) = app.round("/groups/delta?$select=id,mail").await;
    app.emulator.with(|directory| directory.delete(a)).unwrap();
    let act = json!([
        { "act": "create_group", "display_name": "Tax", "mail": "tax@x.test" },
        { "act": "create_contact", "display_name": "Audit", "mail": "audit@y.test" },
    ]);
    let made = body(app.control("act", act).await).await;
    let group = made["ids"][0].clone();
    let (items, link) = app.round(&link).await;
    assert_eq!(items, [json!({ "id": group, "mail": "tax@x.test" })]);
    assert_eq!(app.json("/groups").await["value"][0]["proxyAddresses"], json!(["SMTP:tax@x.test"]));
    assert_eq!(app.json("/contacts").await["value"][0]["mail"], "audit@y.test");
    assert_eq!(app.round("/contacts/delta").await.0.len(), 1);
    app.control("act", json!({ "act": "delete_group", "group": group })).await;
    assert_eq!(app.round(&link).await.0, [json!({ "id": group, "@removed": { "reason": "deleted" } })]);
}

#[tokio::test]
async fn every_answer_is_dated_by_the_directorys_clock() {
    let app = App::start().await;
    assert_eq!(date(&app.get("/users").await), "Sun, 01 Mar 2026 00:00:00 GMT");
    let answer = app.control("clock", json!({ "advance": "1d1h" })).await;
    assert_eq!(date(&answer), "Mon, 02 Mar 2026 01:00:00 GMT");
    assert_eq!(date(&app.get("/users/nobody").await), "Mon, 02 Mar 2026 01:00:00 GMT");
    assert_eq!(date(&app.login(&[]).await), "Mon, 02 Mar 2026 01:00:00 GMT");
    let back = app.control("clock", json!({ "now": "2026-03-01T00:00:00Z" })).await;
    assert_eq!(back.status(), 400);
    let set = app.control("clock", json!({ "now": "2026-04-01T00:00:00Z" })).await;
    assert_eq!(body(set).await, json!({ "now": "2026-04-01T00:00:00Z", "ticking": false }));
    for wrong in [json!({}), json!({ "advance": "soon" }), json!({ "now": "noon" }), json!({ "advnce": 3 })] {
        assert_eq!(app.control("clock", wrong).await.status(), 400);
    }
}

#[tokio::test]
async fn a_ticking_clock_goes_on_from_where_it_was_set() {
    let clock = Clock::Ticking { from: "2026-03-01T00:00:00Z".parse().unwrap(), base: std::time::Instant::now() };
    let app = App::with(EmulatorOptions { clock: Some(clock), ..EmulatorOptions::default() }).await;
    let first = app.emulator.with(|directory| directory.now());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = app.emulator.with(|directory| directory.now());
    assert!(second.since(first) >= Duration::from_millis(20));
    app.emulator.advance(DAY);
    let third = app.emulator.with(|directory| directory.now());
    assert!(third.since(second) >= DAY && third.since(second) < DAY + Duration::from_secs(30));
    // Moved from within, it does not stand still either.
    let moved = app.emulator.with(|directory| {
        directory.advance(DAY);
        directory.now()
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(app.emulator.with(|directory| directory.now()) > moved);
}

#[tokio::test]
async fn people_rule_the_emulator_without_a_token() {
    let app = App::start().await;
    let create = json!({ "act": "create", "upn": "ann@x.test", "employee_id": "E1" });
    let id = body(app.control("act", create.clone()).await).await["id"].as_str().unwrap().to_owned();
    assert_eq!(app.control("act", create).await.status(), 400);
    assert_eq!(app.json(&format!("/users/{id}?$select=employeeId")).await["employeeId"], "E1");
    for act in [
        json!({ "act": "rename", "user": "ann@x.test", "upn": "roy@x.test", "keep_alias": false }),
        json!({ "act": "set_addresses", "user": id, "mail": "roy@x.test", "proxies": ["SMTP:roy@x.test", "smtp:info@x.test"] }),
        json!({ "act": "set_licensed", "user": "roy@x.test", "licensed": false }),
        json!({ "act": "delete", "user": "roy@x.test" }),
        json!({ "act": "restore", "user": id, "upn": "roy2@x.test", "auto_reconcile": true }),
        json!({ "act": "delete", "user": id }),
        json!({ "act": "purge", "user": id }),
        json!({ "act": "seed", "count": 3, "domain": "x.test" }),
        json!({ "act": "create", "upn": "ann.adams@x.test", "conflicting": true }),
    ] {
        assert_eq!(app.control("act", act.clone()).await.status(), 200, "{act}");
    }
    assert_eq!(app.control("act", json!({ "act": "dance" })).await.status(), 400);
    assert_eq!(app.control("act", json!({ "act": "delete", "user": "nobody@x.test" })).await.status(), 404);

    let quirks = json!(["duplicates", { "name": "throttle", "every": 3, "times": 2 }]);
    let answer = body(app.control("quirks", quirks.clone()).await).await;
    assert_eq!(answer["active"], json!([{ "name": "duplicates" }, { "name": "throttle", "every": 3, "times": 2 }]));
    assert_eq!(answer["known"].as_array().unwrap().len(), QuirkName::ALL.len());
    assert_eq!(app.control("quirks", json!(["gremlins"])).await.status(), 400);
    let url = format!("{}/_emulator/requests", app.emulator.url());
    let log = body(app.client.get(url).send().await.unwrap()).await;
    assert_eq!((&log["total"], &log["last"][1]["method"]), (&json!(2), &json!("GET")));
}

#[tokio::test]
async fn quirks_of_a_round_change_how_it_is_told_but_not_what() {
    let app = App::with(EmulatorOptions { page_size: 3, ..EmulatorOptions::default() }).await;
    app.emulator.with(|directory| directory.seed_users(20, "x.test")).unwrap();
    let (plain, _) = app.walk(&format!("/users/delta?{SELECT}")).await;
    let all: Vec<Value> = plain.iter().flat_map(|page| page.as_array().unwrap().clone()).collect();
    for name in [QuirkName::Duplicates, QuirkName::ShuffledOrder, QuirkName::EmptyPages, QuirkName::UnevenPages] {
        app.quirk_named(name);
        let (pages, _) = app.walk(&format!("/users/delta?{SELECT}")).await;
        let items: Vec<Value> = pages.iter().flat_map(|page| page.as_array().unwrap().clone()).collect();
        let sizes: BTreeSet<usize> = pages.iter().map(|page| page.as_array().unwrap().len()).collect();
        assert_eq!(ids(&items), ids(&all), "{name:?}");
        match name {
            QuirkName::Duplicates => {
                assert!(items.len() > 20);
                assert!(
                    pages
                        .windows(2)
                        .all(|two| two[1].as_array().unwrap().contains(two[0].as_array().unwrap().last().unwrap()))
                );
            }
            QuirkName::ShuffledOrder => assert!(items.len() == 20 && items != all),
            QuirkName::EmptyPages => assert!(items == all && pages[0] == json!([]) && pages.len() == 2 * plain.len()),
            _ => assert!(items == all && sizes.len() > 1 && sizes.iter().all(|size| *size <= 3), "{sizes:?}"),
        }
    }
}

#[tokio::test]
async fn quirks_of_deletion_and_restore_hide_them_from_delta() {
    let app = App::start().await;
    let a = app.mailbox("a@x.test");
    let (_, start) = app.first_round().await;
    app.emulator.with(|directory| directory.delete(a)).unwrap();
    app.quirk_named(QuirkName::DeletionsUnannounced);
    assert_eq!(app.round(&start).await.0, [] as [Value; 0]);
    app.quirk_named(QuirkName::RemovedMissing);
    let (items, _) = app.round(&start).await;
    assert!(items[0].get("@removed").is_none() && items[0]["id"] == json!(a));
    app.quirk_named(QuirkName::RemovedInInitialRound);
    assert_eq!(app.first_round().await.0, [removed(a, "changed")]);
    app.emulator.set_quirks([]);
    assert_eq!(app.first_round().await.0, [] as [Value; 0]);

    let (_, deleted) = app.round(&start).await;
    app.emulator.with(|directory| directory.restore(a, None, false)).unwrap();
    app.quirk_named(QuirkName::UnannouncedRestore);
    assert_eq!(app.round(&deleted).await.0, [] as [Value; 0]);
    assert_eq!(app.first_round().await.0.len(), 1);

    let b = app.mailbox("b@x.test");
    app.emulator.with(|directory| directory.delete(b)).unwrap();
    app.emulator.set_quirks([]);
    assert!(app.round(&deleted).await.0.contains(&removed(b, "changed")));
    app.quirk_named(QuirkName::ShortLivedInvisible);
    assert!(!app.round(&deleted).await.0.contains(&removed(b, "changed")));
}

#[tokio::test]
async fn replay_tells_old_changes_again_and_lag_tells_new_ones_late() {
    let app = App::start().await;
    let (a, b) = (app.mailbox("a@x.test"), app.mailbox("b@x.test"));
    let (_, link) = app.first_round().await;
    app.quirk(Quirk::new(QuirkName::Replay).count(1));
    assert_eq!(ids(&app.round(&link).await.0), [b.to_string()].into());

    app.emulator.advance(DAY);
    app.quirk(Quirk::new(QuirkName::ReplicationLag).seconds(120.0));
    app.emulator.with(|directory| directory.rename(a, "a2@x.test", true)).unwrap();
    app.emulator.advance(Duration::from_secs(119));
    let (items, link) = app.round(&link).await;
    assert_eq!(items, [] as [Value; 0]);
    assert_eq!(app.get("/users/a2@x.test").await.status(), 200);
    app.emulator.advance(Duration::from_secs(1));
    assert_eq!(ids(&app.round(&link).await.0), [a.to_string()].into());
}

#[tokio::test]
async fn expired_tokens_are_refused_and_a_full_round_heals() {
    let app = App::with(EmulatorOptions { page_size: 1, ..EmulatorOptions::default() }).await;
    app.mailbox("a@x.test");
    app.mailbox("b@x.test");
    let (_, link) = app.first_round().await;
    app.quirk_named(QuirkName::DeltaTokenExpired);
    let answer = app.get(&link).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.ends_with("/users/delta?$deltatoken="), "{location}");
    let (items, fresh) = app.round(&location).await;
    assert_eq!(items.len(), 2);
    assert_eq!(app.get(&fresh).await.status(), 200);

    app.quirk(Quirk::new(QuirkName::DeltaTokenExpired).style("bad_request").times(1));
    let answer = app.get(&fresh).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(body(answer).await["error"]["code"], "syncStateNotFound");
    assert_eq!(app.get(&fresh).await.status(), 200);

    app.quirk(Quirk::new(QuirkName::DeltaTokenExpired).seconds(7.0 * 86_400.0));
    app.emulator.advance(DAY * 7);
    assert_eq!(app.get(&fresh).await.status(), 200);
    app.emulator.advance(DAY);
    assert_eq!(app.get(&fresh).await.status(), StatusCode::GONE);

    for path in ["/users/delta", "/users?$top=1"] {
        app.emulator.set_quirks([]);
        let next = app.json(path).await["@odata.nextLink"].as_str().unwrap().to_owned();
        app.quirk(Quirk::new(QuirkName::PageTokenExpired).times(1));
        let answer = app.get(&next).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(body(answer).await["error"]["code"], "Directory_ExpiredPageToken");
        assert_eq!(app.get(&next).await.status(), 200);
    }
}

#[tokio::test]
async fn throttling_comes_as_often_and_in_the_form_that_was_asked_for() {
    let app = App::start().await;
    app.quirk(Quirk::new(QuirkName::Throttle).every(3).times(2).seconds(2.128).style("fraction"));
    let mut seen = Vec::new();
    for _ in 0..9 {
        let answer = app.get("/users").await;
        let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        seen.push((answer.status().as_u16(), retry));
    }
    let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429, 200, 200, 200]);
    assert_eq!(seen[2].1.as_deref(), Some("2.128"));
    for (style, expected) in [("seconds", Some("3")), ("date", Some("Sun, 01 Mar 2026 00:00:02 GMT")), ("none", None)] {
        app.quirk(Quirk::new(QuirkName::Unavailable).seconds(2.128).style(style));
        let answer = app.get("/users").await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get("retry-after").map(|value| value.to_str().unwrap()), expected, "{style}");
    }
    // Token requests are left alone unless their path is named.
    assert_eq!(app.login(&[]).await.status(), 200);
    app.quirk(Quirk::new(QuirkName::Throttle).path("/oauth2/"));
    assert_eq!(app.login(&[]).await.status(), 429);
    assert_eq!(app.get("/users").await.status(), 200);
}

#[tokio::test]
async fn the_wire_breaks_as_asked() {
    let app = App::start().await;
    app.emulator.with(|directory| directory.seed_users(50, "x.test")).unwrap();
    app.quirk(Quirk::new(QuirkName::Reset).times(1));
    let answer = app.get("/users").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err());
    app.quirk(Quirk::new(QuirkName::Truncated).times(1));
    let text = app.get("/users").await.text().await.unwrap();
    assert!(!text.is_empty() && serde_json::from_str::<Value>(&text).is_err());
    app.quirk(Quirk::new(QuirkName::SlowBody).times(1).seconds(0.3));
    let begin = std::time::Instant::now();
    app.json("/users").await;
    assert!(begin.elapsed() >= Duration::from_millis(300));
    app.json("/users").await;
}

#[tokio::test]
async fn answers_hold_strange_things_as_asked() {
    let app = App::with(EmulatorOptions { page_size: 1, ..EmulatorOptions::default() }).await;
    let a = app.mailbox("a@x.test");
    app.mailbox("b@x.test");
    app.quirk_named(QuirkName::ErrorInside200);
    assert!(app.json("/users/delta").await["value"][0]["error"]["code"].is_string());
    assert!(app.json(&format!("/users/{a}")).await["error"].is_object());
    app.quirk_named(QuirkName::ItemWithoutId);
    let page = app.json("/users/delta").await;
    assert!(page["value"][1].get("id").is_none() && page["value"][0]["id"] == json!(a));
    app.quirk_named(QuirkName::ItemWithBadId);
    assert!(app.json("/users/delta").await["value"][1]["id"].as_str().unwrap().parse::<ObjectId>().is_err());
    app.quirk_named(QuirkName::ForeignNextLink);
    let page = app.json("/users/delta").await;
    assert!(page["@odata.nextLink"].as_str().unwrap().starts_with("https://graph.foreign.invalid/v1.0/users/delta?"));
    app.quirk_named(QuirkName::SmtpNotUnique);
    let proxies = ["SMTP:b@x.test".to_owned()];
    app.emulator.with(|directory| directory.set_addresses(a, Some("b@x.test"), &proxies)).unwrap();
    app.emulator.set_quirks([]);
    let again = app.emulator.with(|directory| directory.create_group("B", Some("b@x.test")));
    assert!(again.is_err());
}

#[tokio::test]
async fn only_loopback_is_served_and_stopping_frees_the_port() {
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let options = EmulatorOptions { listen: Some(everywhere), ..EmulatorOptions::default() };
    assert!(Emulator::start(options).is_err());

    let quirks = Quirks::named(&["duplicates"]).unwrap();
    let app = App::with(EmulatorOptions { quirks, ..EmulatorOptions::default() }).await;
    app.mailbox("a@x.test");
    assert_eq!(app.first_round().await.0.len(), 2);
    let address = app.emulator.url().replace("http://", "");
    app.emulator.stop().await;
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn the_first_change_of_a_round_comes_a_round_late_and_only_there() {
    let app = App::start().await;
    let (a, b) = (app.mailbox("a@x.test"), app.mailbox("b@x.test"));
    let (_, start) = app.first_round().await;
    app.emulator.with(|directory| directory.rename(a, "a2@x.test", true)).unwrap();
    app.emulator.with(|directory| directory.rename(b, "a@y.test", true)).unwrap();
    app.quirk(Quirk::new(QuirkName::FirstChangeLate).times(1));
    let (items, link) = app.round(&start).await;
    assert_eq!(ids(&items), [b.to_string()].into());
    let (items, link) = app.round(&link).await;
    assert_eq!((items.len(), &items[0]["userPrincipalName"]), (1, &json!("a2@x.test")));
    assert_eq!(app.round(&link).await.0, [] as [Value; 0]);

    // A later change of the same object tells more, so the one kept back is not told any more. A single one is kept from nobody.
    app.quirk_named(QuirkName::FirstChangeLate);
    app.emulator.with(|directory| directory.rename(a, "a3@x.test", true)).unwrap();
    app.emulator.with(|directory| directory.rename(b, "b@x.test", true)).unwrap();
    let (_, link) = app.round(&link).await;
    app.emulator.with(|directory| directory.rename(a, "a4@x.test", true)).unwrap();
    let (items, _) = app.round(&link).await;
    assert_eq!((items.len(), &items[0]["userPrincipalName"]), (1, &json!("a4@x.test")));
}

#[tokio::test]
async fn what_was_cleared_is_left_out_as_asked() {
    let app = App::start().await;
    let a = app.mailbox("a@x.test");
    let (_, start) = app.first_round().await;
    app.emulator.with(|directory| directory.set_addresses(a, None, &[])).unwrap();
    let (items, _) = app.round(&start).await;
    assert_eq!((&items[0]["mail"], &items[0]["proxyAddresses"]), (&Value::Null, &json!([])));
    assert!(items[0].get("mail").is_some());
    app.quirk_named(QuirkName::ClearedLeftOut);
    let (items, _) = app.round(&start).await;
    assert!(items[0].get("mail").is_none() && items[0].get("proxyAddresses").is_none());
    assert_eq!(items[0]["userPrincipalName"], json!("a@x.test"));
}

#[tokio::test]
async fn a_replica_trails_a_redirect_leads_away_and_a_list_has_a_group_as_asked() {
    let app = App::with(EmulatorOptions { page_size: 1, ..EmulatorOptions::default() }).await;
    let a = app.mailbox("a@x.test");
    app.mailbox("b@x.test");
    app.quirk_named(QuirkName::ReplicaTrails);
    assert_eq!(app.get(&format!("/users/{a}")).await.status(), 404);
    assert_eq!(app.get("/users/a@x.test").await.status(), 404);
    app.emulator.advance(Duration::from_secs(61));
    assert_eq!(app.get(&format!("/users/{a}")).await.status(), 200);

    app.quirk(Quirk::new(QuirkName::Redirect).path("/users/"));
    let answer = app.get(&format!("/users/{a}")).await;
    assert_eq!(answer.status(), 307);
    assert!(answer.headers()["location"].to_str().unwrap().starts_with("https://graph.foreign.invalid/"));

    app.quirk_named(QuirkName::ItemOfOtherType);
    assert_eq!(app.json("/users/delta").await["value"][1]["@odata.type"], "#microsoft.graph.group");

    let foreign = "https://graph.foreign.invalid/";
    for (style, next, delta) in [("next", true, false), ("delta", false, true)] {
        app.quirk(Quirk::new(QuirkName::ForeignNextLink).style(style));
        let page = app.json("/users/delta?$deltatoken=latest").await;
        assert_eq!(page["@odata.deltaLink"].as_str().unwrap().starts_with(foreign), delta, "{style}");
        let page = app.json("/users/delta").await;
        assert_eq!(page["@odata.nextLink"].as_str().unwrap().starts_with(foreign), next, "{style}");
    }
}

#[tokio::test]
async fn a_licence_takes_the_address_along_as_asked() {
    let app = App::start().await;
    let a = app.mailbox("a@x.test");
    let addresses = ["SMTP:a@x.test".to_owned(), "smtp:also@x.test".to_owned()];
    app.emulator.with(|directory| directory.set_addresses(a, Some("a@x.test"), &addresses)).unwrap();
    app.quirk_named(QuirkName::LicenceTakesAddress);
    app.emulator.with(|directory| directory.set_licensed(a, false)).unwrap();
    let user = app.emulator.with(|directory| directory.user(a).unwrap().clone());
    assert_eq!((user.upn.as_str(), user.mail.as_deref()), ("a@x.test", Some("a@contoso.onmicrosoft.com")));
    assert_eq!(user.proxies, ["SMTP:a@contoso.onmicrosoft.com", "smtp:also@x.test"]);
    assert!(app.emulator.with(|directory| directory.create_group("A", Some("a@x.test"))).is_ok(), "it is free");
}

#[tokio::test]
async fn the_audit_log_is_worded_as_asked() {
    let app = App::start().await;
    let a = app.mailbox("a@x.test");
    app.emulator.with(|directory| directory.set_upn(a, "b@x.test")).unwrap();
    let log = "/auditLogs/directoryAudits?$filter=activityDisplayName eq 'Update user'";
    let values = |event: &Value| {
        let modified = event["targetResources"][0]["modifiedProperties"].as_array().unwrap();
        let upn = modified.iter().find(|one| one["displayName"] == "UserPrincipalName").unwrap();
        (upn.get("oldValue").cloned(), upn["newValue"].clone())
    };
    let usual = json!("[\"b@x.test\"]");
    for (style, old, new) in [
        ("lines", Some(json!("[\r\n  \"a@x.test\"\r\n]")), json!("[\r\n  \"b@x.test\"\r\n]")),
        ("text", Some(json!("\"a@x.test\"")), json!("\"b@x.test\"")),
        ("plain", Some(json!("a@x.test")), json!("b@x.test")),
        ("twice", Some(json!("\"[\\\"a@x.test\\\"]\"")), json!("\"[\\\"b@x.test\\\"]\"")),
        ("list", Some(json!(["a@x.test"])), json!(["b@x.test"])),
        ("null", Some(Value::Null), usual.clone()),
        ("empty", Some(json!("")), usual.clone()),
        ("absent", None, usual.clone()),
    ] {
        app.quirk(Quirk::new(QuirkName::AuditEncodings).style(style));
        assert_eq!(values(&app.json(log).await["value"][0]), (old, new), "{style}");
    }

    app.emulator.set_quirks([QuirkName::AuditFailures, QuirkName::AuditTwins].map(Quirk::new));
    let events = app.json(log).await["value"].as_array().unwrap().clone();
    let results: Vec<&str> = events.iter().map(|event| event["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["failure", "success", "success"]);
    assert_eq!(values(&events[0]).1, json!("[\"never@emulator.invalid\"]"));
    assert_eq!(values(&events[1]), values(&events[2]));
    assert_eq!(events[1]["correlationId"], events[2]["correlationId"]);
    assert_eq!(ids(&events).len(), 3);
}

/// docs/EMULATOR.md shows every act, in an order in which they can be done.
#[tokio::test]
async fn the_acts_of_the_documentation_are_all_there_are_and_all_work() {
    let app = App::start().await;
    let act = async |line: &str| {
        let answer = app.client.post(format!("{}/_emulator/act", app.emulator.url())).body(line.to_owned());
        let answer = answer.send().await.unwrap();
        (answer.status(), body(answer).await)
    };
    let page = include_str!("../docs/EMULATOR.md");
    let (mut shown, mut ids) = (BTreeSet::new(), BTreeMap::new());
    for line in page.lines().filter(|line| line.starts_with(r#"{"act":"#)) {
        let mut line = line.to_owned();
        ids.iter()
            .for_each(|(word, id): (&&str, &String)| line = line.replace(&format!("\"{word}\""), &format!("\"{id}\"")));
        let (status, answer) = act(&line).await;
        assert_eq!(status, StatusCode::OK, "{line}: {answer}");
        let done: Value = serde_json::from_str(&line).unwrap();
        let id = answer["id"].as_str().unwrap().to_owned();
        match done["act"].as_str().unwrap() {
            "create" => drop(ids.insert("USER", id)),
            "create_group" => drop(ids.insert("GROUP", id)),
            "create_contact" => drop(ids.insert("CONTACT", id)),
            "deliver" => {
                let messages = app.json(&format!("/users/{id}/messages")).await;
                ids.insert("MESSAGE", messages["value"][0]["id"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
        shown.insert(done["act"].as_str().unwrap().to_owned());
    }
    // Whoever asks for something else is told what there is.
    let (status, refusal) = act(r#"{"act":"no such act"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let told = refusal["error"]["message"].as_str().unwrap().split_once("expected one of ").unwrap().1;
    let all: BTreeSet<String> = told.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(shown, all);
    let quirk = page.split_once("has exactly these on: `").unwrap().1.split_once('`').unwrap().0;
    let answer = app.client.post(format!("{}/_emulator/quirks", app.emulator.url())).body(quirk).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{quirk}");
}
