//! The pages from outside: who is let in, what is refused, and that no text becomes markup.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::middleware::from_fn;
use data_encoding::HEXLOWER;
use tempfile::TempDir;
use tower::ServiceExt;

use super::session::Sessions;
use super::{dress, guarded, routes_with};
use crate::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Receipt, Seen, Snapshot, Source};
use crate::domain::finding::FindingKind;
use crate::domain::id::{ChainId, ObjectId, TenantId};
use crate::domain::name::{Name, NameKind, Proxy};
use crate::domain::time::Instant;
use crate::http::access::caller::RequestId;
use crate::http::access::role::{Right, Role};
use crate::http::access::tokens::Wanted;
use crate::http::service::{Limits, Shared};
use crate::http::trial::{self, NOW};
use crate::ledger::{Batch, Stamp};
use crate::store::{Outcome, Run, RunKind, Trigger};

const OURS: TenantId = TenantId::from_bytes([7; 16]);
const THEIRS: TenantId = TenantId::from_bytes([8; 16]);
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>@x.test",
    "\"onload=\"alert(1)\" x='@x.test",
    "a&b</title></style><img src=x onerror=alert(1)>@x.test",
    "\u{202e}tset.x@mas",
    "שלום@x.test",
    "{{ 7*7 }}{% include x %}@x.test",
];

struct Place {
    service: Shared,
    sessions: Sessions,
    router: Router,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let service = trial::service(folder.path(), Limits::default());
        let sessions = Sessions::default();
        let router = routes_with(&service, &sessions)
            .layer(from_fn(dress))
            .layer(axum::Extension(RequestId("r-1".to_owned())))
            .with_state(service.clone());
        Self { service, sessions, router, _folder: folder }
    }

    /// A session as if somebody had signed in with a token of this role. Returns the cookie and the token's id.
    fn session(&self, role: Role, tenants: Option<Vec<TenantId>>, number: u8) -> (String, String) {
        let wanted = Wanted { label: Some("carol".to_owned()), role, tenants, lasts: None };
        let (token, _) = self.service.tokens.add(wanted, self.service.clock).unwrap();
        self.sessions.begin([number; 32], [9; 32], token.id.clone(), tokio::time::Instant::now());
        (format!("whowas={}", HEXLOWER.encode(&[number; 32])), token.id)
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        let request = Request::get(path).header("cookie", cookie).header("accept", "text/html");
        text(self.ask(request.body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, path: &str, cookie: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut request = Request::post(path)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("host", "w.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// What an auditor sees, from texts that want to be something else: one person after another under one name, and a chain
    /// of both.
    fn tell(&self, text: &str) {
        let at = |hours: u64| Instant::from_micros(1_772_400_000_000_000).plus(Duration::from_secs(hours * 3_600));
        let name: Name = text.parse().unwrap();
        let seen = |object: u8, hours: u64, name: Option<&Name>| {
            let reading = Reading { at: at(hours), lag: Duration::ZERO, source: Source::Delta, unchanged_since: None };
            let proxies = name.map(|name| Proxy::Primary(name.clone())).into_iter().collect();
            let profile = Profile { upn: name.cloned(), proxies, ..Profile::default() };
            Fact::Seen(Seen { object: ObjectId::from_bytes([object; 16]), reading, profile })
        };
        let horizon = |hours: u64| Fact::Horizon(Horizon { feed: Feed::Delta, from: at(hours), through: at(hours) });
        let chain: ChainId = text.parse().unwrap();
        let taken = |id: &str, hours: u64, addressed| {
            let id = id.parse().unwrap();
            let (from, until) = (at(hours), at(hours).plus(Duration::from_secs(60)));
            Fact::SnapshotTaken(Snapshot { chain: chain.clone(), id, from, until, addressed, mailbox: None })
        };
        let by_name = || Addressed::Name(name.clone(), NameKind::Any);
        let other: Name = "other@x.test".parse().unwrap();
        let read = ObjectId::from_bytes([2; 16]);
        let receipt = Receipt {
            chain: chain.clone(),
            snapshot: text.parse().unwrap(),
            object: read,
            mailbox: None,
            object_end: Some(read),
            mailbox_end: None,
        };
        for (hours, facts) in [
            (1, vec![seen(1, 1, Some(&name)), horizon(1)]),
            (2, vec![taken("1", 2, Addressed::Object(ObjectId::from_bytes([1; 16])))]),
            (3, vec![seen(1, 3, Some(&other)), seen(2, 3, Some(&name)), horizon(3)]),
            (4, vec![taken(text, 4, by_name()), Fact::Receipt(receipt)]),
        ] {
            let batch = Batch { facts, ..Batch::default() };
            self.service.ledger.append(OURS, batch, Stamp { now: at(hours), salt: [1; 16] }).unwrap();
        }
    }
}

async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 4 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn filled(path: &str) -> String {
    path.replace("{t}", &OURS.to_string())
}

#[tokio::test]
async fn every_page_needs_a_session_of_somebody_who_may_look_at_people() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (agent, agents_token) = place.session(Role::Agent, None, 1);
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    let (elsewhere, _) = place.session(Role::Auditor, Some(vec![THEIRS]), 4);
    let ours = [("sec-fetch-site", "same-origin")];
    for (path, right, _) in guarded() {
        assert!(Role::Admin.has(right) && !Role::Agent.has(right), "{path}");
        let path = filled(path);
        // Nobody signs in so, and being found out ends it.
        place.sessions.begin([1; 32], [9; 32], agents_token.clone(), tokio::time::Instant::now());
        let is_post = path.ends_with("/sync") || path.ends_with("/acknowledge") || path.ends_with("/resolve");
        for (cookie, what) in [("", "nobody"), (agent.as_str(), "an agent"), ("whowas=00", "a made-up cookie")] {
            let status = match is_post {
                true => place.post(&path, cookie, &ours, "form=0").await.status(),
                false => place.get(&path, cookie).await.0,
            };
            let refused = if is_post { StatusCode::UNAUTHORIZED } else { StatusCode::SEE_OTHER };
            assert_eq!(status, refused, "{path} and {what}");
        }
        if path != "/" {
            let status = match is_post {
                true => {
                    place.post(&path, &elsewhere, &ours, &format!("form={}", HEXLOWER.encode(&[9; 32]))).await.status()
                }
                false => place.get(&path, &elsewhere).await.0,
            };
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} of another tenant");
        }
        if right == Right::Sync {
            let form = format!("form={}", HEXLOWER.encode(&[9; 32]));
            assert_eq!(place.post(&path, &auditor, &ours, &form).await.status(), StatusCode::FORBIDDEN);
        }
    }
    for form in ["?kind=&severity=critical&state=", "?known_at=1&at=", "?at=&known_at="] {
        // A form sends its empty fields too.
        let (status, page) = place.get(&(filled("/t/{t}/findings") + form), &auditor).await;
        assert_eq!(status, StatusCode::OK, "{form}: {page}");
    }
    let (status, page) = place.get(&filled("/t/{t}/findings"), &auditor).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("mixed chain"), "{page}");
    let newest = place.service.access_log.read(None, 1, |_| true).unwrap().0.remove(0);
    assert_eq!((newest.status, newest.tenant, newest.role), (200, Some(OURS), Some(Role::Auditor)));
    let chain = |subject: &String| subject.starts_with("chain#");
    assert!(newest.subjects.iter().any(chain) && newest.subjects.iter().any(|subject| subject.starts_with("name#")));
    assert!(!format!("{newest:?}").contains("sam@"), "who was looked at is written down, and not by name");
    place.get(&filled("/t/{t}/reuse"), &auditor).await;
    let newest = place.service.access_log.read(None, 1, |_| true).unwrap().0.remove(0);
    for person in [1, 2] {
        let object = ObjectId::from_bytes([person; 16]);
        assert!(newest.subjects.contains(&format!("object:{object}")), "{newest:?}");
    }
}

#[tokio::test]
async fn signing_in_gives_a_closed_cookie_and_signing_out_ends_it() {
    let place = Place::new();
    place.tell("sam@x.test");
    let give = |role| {
        let wanted = Wanted { label: None, role, tenants: None, lasts: Some(Duration::from_secs(60)) };
        place.service.tokens.add(wanted, place.service.clock).unwrap()
    };
    let ours = [("sec-fetch-site", "same-origin")];
    let (_, agent) = give(Role::Agent);
    for (token, status) in [
        (agent.as_str(), StatusCode::FORBIDDEN),
        ("whowas_x", StatusCode::UNAUTHORIZED),
        ("", StatusCode::UNAUTHORIZED),
    ] {
        let refused = place.post("/sign-in", "", &ours, &format!("token={token}&next=/")).await;
        assert_eq!(refused.status(), status);
        assert!(refused.headers().get("set-cookie").is_none());
        assert!(!text(refused).await.1.contains("whowas_"), "the token is not said again");
    }
    let (token, secret) = give(Role::Auditor);
    let body = format!("token={secret}&next=//evil.test");
    assert_eq!(place.post("/sign-in", "", &[], &body).await.status(), StatusCode::FORBIDDEN, "a form from elsewhere");
    let entered = place.post("/sign-in", "", &ours, &body).await;
    assert_eq!((entered.status(), &entered.headers()["location"]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let findings = filled("/t/{t}/findings");
    let (status, page) = place.get(&findings, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    let form = page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let wrong = place.post("/sign-out", &cookie, &ours, "form=0").await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN, "nobody is signed out by a form from elsewhere");
    assert_eq!(place.get(&findings, &cookie).await.0, StatusCode::OK);
    let left = place.post("/sign-out", &cookie, &ours, &format!("form={form}")).await;
    assert!(left.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(place.get(&findings, &cookie).await.0, StatusCode::SEE_OTHER, "a cookie that was kept is nobody's");
    // A token that is revoked ends what was begun with it.
    let again = place.post("/sign-in", "", &ours, &format!("token={secret}")).await;
    let cookie = again.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(place.get(&findings, &cookie).await.0, StatusCode::OK);
    place.service.tokens.revoke(&token.id, NOW).unwrap();
    assert_eq!(place.get(&findings, &cookie).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_review_needs_the_session_s_own_form_and_says_who() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, token) = place.session(Role::Auditor, None, 3);
    let desk = place.service.desk(OURS, place.service.clock);
    let found =
        crate::service::findings::findings(&desk, &crate::service::findings::Filter::default(), None, 9).unwrap();
    let id = found.items[0].id;
    let path = filled("/t/{t}/finding/acknowledge");
    let form = HEXLOWER.encode(&[9; 32]);
    let ours = [("sec-fetch-site", "same-origin")];
    for (headers, body) in [
        (&ours[..], format!("id={id}")),
        (&ours[..], format!("id={id}&form=00")),
        (&[("sec-fetch-site", "cross-site")][..], format!("id={id}&form={form}")),
        (&[][..], format!("id={id}&form={form}")),
    ] {
        assert_eq!(place.post(&path, &auditor, headers, &body).await.status(), StatusCode::FORBIDDEN, "{body}");
    }
    let state = || crate::service::findings::show(&desk, id).unwrap();
    assert_eq!(state().history.len(), 1);
    let done = place.post(&path, &auditor, &ours, &format!("id={id}&form={form}&note=%3Cb%3Eticket")).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let last = state().history.pop().unwrap();
    assert_eq!((last.by, last.note), (Some(format!("carol (token {token})")), Some("<b>ticket".to_owned())));
    // Whoever resolves it from a page of before has not seen that, and is told.
    let before = state().history[0].sequence.0;
    let path = filled("/t/{t}/finding/resolve");
    let stale = place.post(&path, &auditor, &ours, &format!("id={id}&form={form}&seen={before}")).await;
    let told = stale.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(state().history.len(), 2, "nothing was done");
    let (_, page) = place.get(&told, &auditor).await;
    assert!(page.contains("It has changed since you looked, so nothing was done."), "{page}");
    let now = state().newest().0;
    place.post(&path, &auditor, &ours, &format!("id={id}&form={form}&seen={now}")).await;
    assert_eq!(state().history.len(), 3);
}

#[tokio::test]
async fn no_text_becomes_markup_on_any_page() {
    for hostile in HOSTILE {
        let place = Place::new();
        place.tell(hostile);
        let (auditor, _) = place.session(Role::Auditor, None, 3);
        let desk = place.service.desk(OURS, place.service.clock);
        let found = crate::service::findings::findings(&desk, &Default::default(), None, 99).unwrap();
        assert!(!found.items.is_empty());
        let quoted: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        let person = ObjectId::from_bytes([1; 16]);
        let mut paths = vec![
            "/t/{t}".to_owned(),
            "/t/{t}/reuse".to_owned(),
            "/t/{t}/findings".to_owned(),
            format!("/t/{{t}}/chain?id={quoted}"),
            format!("/t/{{t}}/name?name={quoted}&at=2026-03-02"),
            format!("/t/{{t}}/person?id={person}&at=2026-03-02"),
            format!("/t/{{t}}/search?q={quoted}"),
            format!("/t/{{t}}/chain?id={quoted}&known_at=2"),
        ];
        paths.extend(found.items.iter().map(|item| format!("/t/{{t}}/finding?id={}", item.id)));
        for path in paths {
            let (status, page) = place.get(&filled(&path), &auditor).await;
            assert_eq!(status, StatusCode::OK, "{path} {page}");
            for tag in ["<script>", "<img", "<b>"] {
                assert!(!page.contains(tag), "{path} has {tag}");
            }
            for tag in page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or_default()) {
                // Every other piece stands between quotes.
                let bare: String = tag.split('"').step_by(2).collect();
                assert!(!bare.contains("onload") && !bare.contains("onerror"), "{path}: {tag}");
            }
            // What a form sends back is the name itself.
            let shown: String =
                page.split("value=\"").map(|part| part.split_once('"').map_or(part, |(_, rest)| rest)).collect();
            assert!(!shown.contains('\u{202e}') && !page.contains(">49<"), "{path}");
        }
        // What was not known yet is not shown.
        let (_, then) = place.get(&filled("/t/{t}/findings?known_at=2"), &auditor).await;
        assert!(then.contains("You are looking at the past") && then.contains("Nothing was found"), "{then}");
    }
}

#[tokio::test]
async fn failures_have_the_look_of_pages_for_people_and_of_problems_for_programs() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    for (path, status, said) in [
        ("/t/{t}/chain?id=none", StatusCode::NOT_FOUND, "no snapshots"),
        ("/t/{t}/person?id=7", StatusCode::BAD_REQUEST, "UUID"),
        ("/t/{t}/name?name=a&known_at=soon", StatusCode::BAD_REQUEST, "is no time"),
        ("/t/{t}/name?name=a&known_at=99", StatusCode::NOT_FOUND, "commit 99"),
        ("/t/{t}/findings?colour=red", StatusCode::BAD_REQUEST, "colour"),
        ("/t/{t}/findings?severity=red", StatusCode::BAD_REQUEST, "no such word"),
        ("/t/nobody", StatusCode::NOT_FOUND, "nobody"),
    ] {
        let (found, page) = place.get(&filled(path), &auditor).await;
        assert_eq!(found, status, "{path}");
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains(said) && page.contains("r-1"), "{path} {page}");
    }
    let request = Request::get(filled("/t/{t}/chain?id=none")).header("cookie", &auditor).body(Body::empty()).unwrap();
    let response = place.ask(request).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn what_was_known_earlier_is_told_without_counts_and_without_what_was_learnt_later() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    let (_, now) = place.get(&filled("/t/{t}/report?format=html"), &auditor).await;
    assert!(now.contains("among 2 active objects and 2 snapshots") && now.contains("<bdi>sam@x.test</bdi>"), "{now}");
    let (_, then) = place.get(&filled("/t/{t}/report?format=html&known_at=2"), &auditor).await;
    assert!(then.contains("Nothing is open in tenant") && !then.contains("0 active"), "{then}");
    assert!(!then.contains("<dt>Active</dt>") && !then.contains("<bdi>sam@x.test</bdi>"), "{then}");
    let (_, then) = place.get(&filled("/t/{t}/report?format=json&known_at=2"), &auditor).await;
    let then: serde_json::Value = serde_json::from_str(&then).unwrap();
    assert_eq!((then["summary"].get("active"), &then["summary"]["names"]), (None, &serde_json::json!([])), "{then}");
    let (_, page) = place.get(&filled("/t/{t}"), &auditor).await;
    assert!(page.contains("1 name passed from hand to hand"), "{page}");
    let (_, page) = place.get(&filled("/t/{t}?known_at=2"), &auditor).await;
    assert!(page.contains("No name has passed from hand to hand"), "{page}");
}

#[tokio::test]
async fn of_an_instant_no_page_says_more_than_is_proved() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    let desk = place.service.desk(OURS, place.service.clock);
    crate::service::snapshot::expire(&desk, "sam@x.test".parse().unwrap(), "1".parse().unwrap()).unwrap();
    let person = format!("person?id={}", ObjectId::from_bytes([1; 16]));
    let (name, chain) = ("name?name=sam@x.test".to_owned(), "chain?id=sam@x.test".to_owned());
    for (page, at, said) in [
        (&person, "2026-03-01T22:20:00Z", vec!["At 2026-03-01 22:20 UTC it may have been called sam@x.test; nothing"]),
        // Nobody looked between the two syncs.
        (
            &person,
            "2026-03-01 23:00",
            vec!["it may have been called other@x.test or sam@x.test; nothing proves it.</p>"],
        ),
        (
            &person,
            "2026-03-03",
            vec![
                "it seems to have been called other@x.test.",
                "No sync covers that time: the last one reaches to 2026-03-02 00:20 UTC.",
            ],
        ),
        (
            &person,
            "2999-01-01",
            vec!["2999-01-01 00:00 UTC is still to come, so this is about now.", "it seems to have"],
        ),
        (&name, "2026-03-01 23:00", vec!["it may have been held by", ", or by nobody."]),
        (&name, "2999-01-01", vec!["is still to come", "it seems to have been held by", "No sync covers that time"]),
        (&chain, "2026-03-01 23:30", vec!["was 1, which certainly holds the mail of", "; it is no longer kept."]),
        (&chain, "2999-01-01", vec!["is still to come", "which certainly holds the mail of sam@x.test"]),
    ] {
        let (status, text) = place.get(&format!("/t/{OURS}/{page}&at={}", at.replace(' ', "+")), &auditor).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let line = text.split("<p class=\"then\">").nth(1).unwrap_or_default().split('\n').next().unwrap();
        for said in said {
            assert!(line.contains(said), "{page} at {at}: {line}");
        }
    }
    // The instant is asked for where it means something.
    for (page, asks) in
        [("", false), ("/findings", false), ("/runs", false), ("/search?q=sam", false), ("/reuse", false)]
    {
        let (_, text) = place.get(&format!("/t/{OURS}{page}"), &auditor).await;
        assert_eq!(text.contains("How it was at"), asks, "{page}");
    }
    let (_, text) = place.get(&format!("/t/{OURS}/{name}"), &auditor).await;
    assert!(text.contains("How it was at"), "{text}");
    let (_, text) = place.get(&format!("/t/{OURS}/name?name=other@x.test"), &auditor).await;
    assert!(
        text.contains("is only known to have been held by") && text.contains("2 hours are covered by no sync"),
        "{text}"
    );
    let (_, text) = place.get(&format!("/t/{OURS}/search?q=sam&at=2026-03-02"), &auditor).await;
    assert!(text.contains("told here by the newest evidence, not as of"), "{text}");
}

#[tokio::test]
async fn the_past_is_what_the_ledger_did_not_know_yet_and_nothing_else() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    for now in ["4", "2999-01-01"] {
        let (_, page) = place.get(&format!("/t/{OURS}?known_at={now}"), &auditor).await;
        assert!(!page.contains("You are looking at the past") && page.contains("Live objects"), "{now}: {page}");
    }
    let (_, page) = place.get(&format!("/t/{OURS}?known_at=0"), &auditor).await;
    assert!(!page.contains("What to do first"), "{page}");
    let object = ObjectId::from_bytes([2; 16]);
    let (status, page) = place.get(&format!("/t/{OURS}/person?id={object}&known_at=2&at=2026-03-02"), &auditor).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let now = format!("href=\"/t/{OURS}/person?id={object}&#38;at=2026-03-02\">As known now</a>");
    assert!(page.contains("<h1>It was not known then</h1>") && page.contains(&now), "{page}");
    let (_, page) = place.get(&format!("/t/{OURS}/chain?id=none"), &auditor).await;
    assert!(!page.contains("then") && !page.contains("As known now"), "{page}");
}

#[tokio::test]
async fn a_finding_says_where_it_stands_whatever_its_address_says_and_what_to_do_about_a_receipt() {
    let place = Place::new();
    place.tell("sam@x.test");
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    let desk = place.service.desk(OURS, place.service.clock);
    let found = crate::service::findings::findings(&desk, &Default::default(), None, 9).unwrap();
    for item in &found.items {
        let (_, page) = place.get(&format!("/t/{OURS}/finding?id={}&said=resolved", item.id), &auditor).await;
        assert!(!page.contains("It is resolved.") && page.contains("Acknowledge"), "{page}");
    }
    let mismatch = found.items.iter().find(|item| item.kind == FindingKind::ReceiptMismatch).unwrap();
    let (_, page) = place.get(&format!("/t/{OURS}/finding?id={}", mismatch.id), &auditor).await;
    assert!(page.contains("do not restore it as that of other@x.test"), "{page}");
    assert!(page.contains("find out why the agent read another mailbox"), "{page}");
    let plan = crate::service::plan::plan(&desk, mismatch.chain.as_ref().unwrap()).unwrap().unwrap();
    assert!(plan.reasons.iter().any(|reason| reason.contains("do not restore it as that of")), "{:?}", plan.reasons);
}

#[tokio::test]
async fn a_first_sync_that_failed_is_told_with_what_it_said() {
    let place = Place::new();
    let run = Run {
        run: 1,
        trigger: Trigger::Schedule,
        kind: RunKind::Full,
        started: NOW,
        ended: Some(NOW),
        outcome: Outcome::Failed,
        pages: 0,
        seen: 0,
        changed: 0,
        removed: 0,
        restored: 0,
        facts: 0,
        requests: 1,
        throttled_ms: 0,
        horizon: None,
        error: Some("the secret is wrong".to_owned()),
        note: None,
    };
    let batch = Batch { run: Some(run), ..Batch::default() };
    place.service.ledger.append(OURS, batch, Stamp { now: NOW, salt: [1; 16] }).unwrap();
    let (auditor, _) = place.session(Role::Auditor, None, 3);
    let (_, page) = place.get(&format!("/t/{OURS}"), &auditor).await;
    assert!(page.contains("What to do first") && page.contains("did not go through: the secret is wrong"), "{page}");
    assert!(page.contains("Nothing is covered: no sync has gone through.") && !page.contains("is uncovered"), "{page}");
    place.tell("sam@x.test");
    let (_, page) = place.get(&format!("/t/{OURS}"), &auditor).await;
    assert!(!page.contains("What to do first") && page.contains("no sync reached over this time"), "{page}");
    let (_, page) = place.get(&format!("/t/{OURS}/runs"), &auditor).await;
    assert!(page.contains("no sync reached over this time"), "the run log lists the same: {page}");
}
