//! Mailboxes, asked as a backup agent asks, without sockets.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::request::Request;
use super::world::{Application, World};
use super::*;
use crate::domain::id::{MailboxId, ObjectId};

const ORIGIN: &str = "http://graph.test";
const DAY: Duration = Duration::from_secs(86_400);

/// A world with an application that has its token.
struct App(World);

impl App {
    fn start() -> Self {
        let start = "2026-03-01T00:00:00Z".parse().unwrap();
        let directory = Directory::new("contoso.onmicrosoft.com", start, 7);
        let application = Application {
            tenant: EmulatorOptions::TENANT.to_owned(),
            client_id: EmulatorOptions::CLIENT_ID.to_owned(),
            secret: EmulatorOptions::SECRET.to_owned(),
            certificates: Vec::new(),
            federated_subject: None,
        };
        let mut world = World::new(directory, Quirks::default(), application, 200, Clock::Frozen(start));
        world.tokens_issued = 1;
        Self(world)
    }

    fn send(&mut self, method: &str, target: &str, body: Value) -> Answer {
        let headers = vec![("authorization".to_owned(), "Bearer emulator-access-token-1".to_owned())];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let target = target.strip_prefix(ORIGIN).unwrap_or(target);
        self.0.deliver(&Request::new(method, target, headers, body), target, ORIGIN).answer
    }

    fn get(&mut self, target: &str) -> Answer {
        self.send("GET", target, Value::Null)
    }

    fn json(&mut self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {:?}", answer.body);
        answer.body.unwrap()
    }

    /// All items from `target` to the delta link, that link, and how many pages it took.
    fn round(&mut self, target: &str) -> (Vec<Value>, String, usize) {
        let (mut items, mut link, mut pages) = (Vec::new(), target.to_owned(), 0);
        loop {
            let page = self.json(&link);
            items.extend(page["value"].as_array().unwrap().clone());
            pages += 1;
            match (&page["@odata.nextLink"], &page["@odata.deltaLink"]) {
                (Value::String(next), Value::Null) => link = next.clone(),
                (Value::Null, Value::String(delta)) => return (items, delta.clone(), pages),
                _ => panic!("a page has one link: {page}"),
            }
        }
    }

    fn person(&mut self, upn: &str) -> ObjectId {
        self.0.directory.create_user(NewUser::mailbox(upn)).unwrap()
    }

    fn mail(&mut self, to: ObjectId, subject: &str) -> String {
        let message = NewMessage::text(subject, "Hello.", Some("news@y.test"));
        self.0.directory.deliver(to, Folder::Inbox, message).unwrap()
    }
}

fn subjects(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["subject"].as_str().unwrap_or("?")).collect()
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body.as_ref().unwrap()["error"]["code"].as_str().unwrap())
}

fn inbox(user: impl std::fmt::Display) -> String {
    format!("/v1.0/users/{user}/mailFolders/inbox/messages/delta")
}

#[test]
fn a_round_tells_all_and_the_next_one_what_changed() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    let sent: Vec<String> = (0..25).map(|n| app.mail(ann, &format!("m{n}"))).collect();
    let (items, link, pages) = app.round(&inbox(ann));
    assert_eq!((items.len(), pages), (25, 3), "ten a page unless asked otherwise");
    assert_eq!(items[0]["@odata.type"], "#microsoft.graph.message");
    assert_eq!(items[0]["receivedDateTime"], "2026-03-01T00:00:00Z");
    assert!(items[0]["@odata.etag"].as_str().unwrap().starts_with("W/\""), "{}", items[0]);
    let (nothing, link, _) = app.round(&link);
    assert_eq!(nothing, Vec::<Value>::new());

    app.0.directory.delete_message(ann, &sent[3]).unwrap();
    let read = app.send("PATCH", &format!("/v1.0/users/{ann}/messages/{}", sent[4]), json!({ "isRead": true }));
    assert_eq!((read.status, read.body.unwrap()["isRead"].clone()), (200, json!(true)));
    app.mail(ann, "new");
    let (items, link, _) = app.round(&link);
    let removed =
        json!({ "id": sent[3], "@removed": { "reason": "deleted" }, "@odata.type": "#microsoft.graph.message" });
    assert_eq!(items[0], removed);
    assert_eq!((items[1]["id"].as_str(), &items[1]["isRead"]), (Some(sent[4].as_str()), &json!(true)));
    assert_eq!(subjects(&items[2..]), ["new"]);
    assert_eq!(app.round(&link).0.len(), 0);

    // What was deleted lies in another folder, under another id, and goes from there for good.
    let (gone, _, _) = app.round(&format!("/v1.0/users/{ann}/mailFolders('deleteditems')/messages/delta"));
    assert_eq!(subjects(&gone), ["m3"]);
    let id = gone[0]["id"].as_str().unwrap().to_owned();
    assert_ne!(id, sent[3]);
    assert_eq!(app.send("DELETE", &format!("/v1.0/users/{ann}/messages/{id}"), Value::Null).status, 204);
    assert_eq!(code(&app.get(&format!("/v1.0/users/{ann}/messages/{id}"))), (404, "ErrorItemNotFound"));
}

#[test]
fn a_selection_and_a_page_size_go_along_in_the_links() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    for n in 0..5 {
        app.mail(ann, &format!("m{n}"));
    }
    let (items, link, pages) = app.round(&format!("{}?$select=subject&$top=2", inbox(ann)));
    assert_eq!((items.len(), pages), (5, 3));
    assert_eq!(items[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["@odata.type", "id", "subject"]);
    app.mail(ann, "later");
    let (items, _, _) = app.round(&link);
    assert_eq!(items[0].as_object().unwrap().len(), 3, "{}", items[0]);
    for refused in ["$select=colour", "$top=0", "$top=1001", "$filter=isRead eq true", "changeType=created"] {
        assert_eq!(app.get(&format!("{}?{refused}", inbox(ann))).status, 400, "{refused}");
    }
}

#[test]
fn a_name_opens_whoever_holds_it_now_and_an_id_never_anybody_else() {
    let mut app = App::start();
    let ann = app.person("kim@x.test");
    app.mail(ann, "for the first");
    let (_, by_id, _) = app.round(&inbox(ann));
    let (_, by_name, _) = app.round(&inbox("kim@x.test"));
    assert!(by_name.contains("/users/kim@x.test/"), "the link repeats the name: {by_name}");
    app.0.directory.rename(ann, "ann@x.test", false).unwrap();
    assert_eq!(code(&app.get(&by_name)), (404, "ErrorInvalidUser"));
    let newcomer = app.person("kim@x.test");
    app.mail(newcomer, "for the second");
    app.mail(ann, "for the first again");

    assert_eq!(subjects(&app.round(&by_id).0), ["for the first again"]);
    // The trap: the stored link leads into the other mailbox, says that it must begin anew, and a full round there succeeds.
    let refused = app.get(&by_name);
    assert_eq!(code(&refused), (410, "SyncStateNotFound"));
    let location = refused.headers.iter().find(|(name, _)| *name == "Location").unwrap().1.clone();
    assert_eq!(subjects(&app.round(&location).0), ["for the second"]);
    let listed = app.json("/v1.0/users/kim@x.test/messages");
    assert_eq!(subjects(listed["value"].as_array().unwrap()), ["for the second"]);
}

#[test]
fn listings_begin_with_the_latest_and_count_on_in_their_links() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    for n in 0..12 {
        app.0.directory.advance(Duration::from_secs(60));
        app.mail(ann, &format!("m{n}"));
    }
    let first = app.json(&format!("/v1.0/users/{ann}/messages?$select=subject"));
    assert_eq!(subjects(first["value"].as_array().unwrap())[..2], ["m11", "m10"]);
    let second = app.json(first["@odata.nextLink"].as_str().unwrap());
    assert_eq!(subjects(second["value"].as_array().unwrap()), ["m1", "m0"]);
    assert_eq!(second["@odata.nextLink"], Value::Null);
    assert!(second["value"][0].get("body").is_none(), "the selection goes along");
    let of_folder = app.json(&format!("/v1.0/users/{ann}/mailfolders/sentitems/messages"));
    assert_eq!(of_folder["value"], json!([]));
    let folders = app.json(&format!("/v1.0/users/{ann}/mailFolders"));
    assert_eq!(folders["value"][2]["totalItemCount"], 12);
    let inbox = folders["value"][2]["id"].as_str().unwrap();
    assert_eq!(app.json(&format!("/v1.0/users/{ann}/mailFolders/{inbox}"))["displayName"], "Inbox");
    let one = first["value"][0]["id"].as_str().unwrap();
    assert_eq!(app.json(&format!("/v1.0/users/{ann}/messages/{one}"))["parentFolderId"], inbox);
}

#[test]
fn a_message_made_is_a_draft_of_now_unless_its_mapi_properties_say_otherwise() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    let to = format!("/v1.0/users/{ann}/mailFolders/inbox/messages");
    let plain = json!({ "subject": "a", "receivedDateTime": "2020-01-01T00:00:00Z", "isDraft": false });
    let made = app.send("POST", &format!("/v1.0/users/{ann}/messages"), plain);
    assert_eq!(made.status, 201);
    let made = made.body.unwrap();
    assert_eq!((&made["isDraft"], &made["receivedDateTime"]), (&json!(true), &json!("2026-03-01T00:00:00Z")));
    let restored = json!({ "subject": "b", "isRead": true, "singleValueExtendedProperties": [
        { "id": "Integer 0x0E07", "value": "1" },
        { "id": "SystemTime 0x0E06", "value": "2020-01-01T08:00:00Z" },
        { "id": "SystemTime 0x0039", "value": "2020-01-01T07:59:00Z" },
    ]});
    let made = app.send("POST", &to, restored).body.unwrap();
    assert_eq!((&made["isDraft"], &made["isRead"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&made["receivedDateTime"], &made["sentDateTime"]),
        (&json!("2020-01-01T08:00:00Z"), &json!("2020-01-01T07:59:00Z"))
    );
    assert_eq!(made["createdDateTime"], "2026-03-01T00:00:00Z", "when it came here is not for the client to say");
    for refused in [
        json!("text"),
        json!({ "colour": "red" }),
        json!({ "singleValueExtendedProperties": [{ "id": "Integer 0x0E07", "value": "x" }] }),
    ] {
        assert_eq!(code(&app.send("POST", &to, refused)), (400, "UnableToDeserializePostBody"));
    }
}

#[test]
fn a_mailbox_comes_and_goes_with_the_licence_and_outlasts_a_short_gap() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    app.mail(ann, "before");
    let settings = |app: &mut App| {
        let told = app.json(&format!("/v1.0/users/{ann}/settings/exchange"))["primaryMailboxId"].clone();
        let (guid, tenant) = told.as_str().unwrap().strip_prefix("MBX:").unwrap().split_once('@').unwrap();
        assert_eq!(tenant, EmulatorOptions::TENANT);
        guid.parse::<MailboxId>().unwrap()
    };
    let (first, (_, link, _)) = (settings(&mut app), app.round(&inbox(ann)));
    assert_eq!(app.0.directory.mailbox_id(ann), Some(first));

    app.0.directory.set_licensed(ann, false).unwrap();
    assert_eq!(code(&app.get(&link)), (404, "MailboxNotEnabledForRESTAPI"));
    assert_eq!(app.0.directory.mailbox_id(ann), None);
    app.0.directory.advance(DAY * 30);
    app.0.directory.set_licensed(ann, true).unwrap();
    assert_eq!((settings(&mut app), app.round(&link).0.len()), (first, 0), "the same mailbox");

    app.0.directory.set_licensed(ann, false).unwrap();
    app.0.directory.advance(DAY * 31);
    app.0.directory.set_licensed(ann, true).unwrap();
    assert_ne!(settings(&mut app), first);
    assert_eq!(code(&app.get(&link)), (410, "SyncStateNotFound"));
    assert_eq!(app.round(&inbox(ann)).0.len(), 0, "another one, empty");
}

#[test]
fn a_deleted_user_has_no_mailbox_until_restored() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    app.mail(ann, "kept");
    app.0.directory.delete(ann).unwrap();
    assert_eq!(code(&app.get(&inbox(ann))), (404, "ErrorInvalidUser"));
    app.0.directory.restore(ann, None, false).unwrap();
    assert_eq!(subjects(&app.round(&inbox(ann)).0), ["kept"]);
    let bare = app.0.directory.create_user(NewUser::bare("bare@x.test")).unwrap();
    assert_eq!(code(&app.get(&inbox(bare))), (404, "MailboxNotEnabledForRESTAPI"));
    assert_eq!(app.0.directory.deliver(bare, Folder::Inbox, NewMessage::default()), Err(Refusal::NoMailbox(bare)));
    assert_eq!(code(&app.get(&inbox(ann).replace("inbox", "outbox"))), (404, "ErrorItemNotFound"));
}

#[test]
fn mail_is_refused_without_its_permission_and_throttled_as_all_else() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    let messages = format!("/v1.0/users/{ann}/messages");
    app.0.set_quirks(vec![Quirk::new(QuirkName::MailForbidden)]);
    assert_eq!(code(&app.get(&messages)), (403, "ErrorAccessDenied"));
    assert_eq!(app.get(&format!("/v1.0/users/{ann}")).status, 200);
    assert_eq!(app.get(&format!("/v1.0/users/{ann}/settings/exchange")).status, 200);
    app.0.set_quirks(vec![Quirk::new(QuirkName::MailReadOnly)]);
    assert_eq!(app.get(&messages).status, 200);
    assert_eq!(code(&app.send("POST", &messages, json!({ "subject": "a" }))), (403, "ErrorAccessDenied"));
    app.0.set_quirks(vec![Quirk::new(QuirkName::Throttle).path("/messages").times(1)]);
    assert_eq!(app.get(&messages).status, 429);
    assert_eq!(app.get(&messages).status, 200);
    app.mail(ann, "a");
    let (_, link, _) = app.round(&inbox(ann));
    app.0.set_quirks(vec![Quirk::new(QuirkName::DeltaTokenExpired)]);
    assert_eq!(code(&app.get(&link)), (410, "SyncStateNotFound"));
    assert_eq!(app.get(&format!("{}?$deltatoken=5b5d", inbox(ann))).status, 400);
}

#[test]
fn a_message_arrives_through_the_control_route() {
    let mut app = App::start();
    let ann = app.person("ann@x.test");
    let act = json!([{ "act": "deliver", "user": "ann@x.test", "subject": "a", "from": "b@y.test" },
        { "act": "deliver", "user": ann, "subject": "b", "folder": "sentitems" }]);
    assert_eq!(app.send("POST", "/_emulator/act", act).status, 200);
    let told = app.0.directory.messages(ann).unwrap();
    let told: Vec<(Folder, &Value)> =
        told.iter().map(|message| (message.folder, &message.content["subject"])).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.contains(&(Folder::Inbox, &json!("a"))) && told.contains(&(Folder::SentItems, &json!("b"))),
        "{told:?}"
    );
    let nobody = json!({ "act": "deliver", "user": "nobody@x.test", "subject": "a" });
    assert_eq!(app.send("POST", "/_emulator/act", nobody).status, 404);
}

#[test]
fn mail_changes_nothing_about_the_ids_of_the_directory() {
    let ids = |with_mail: bool| {
        let mut app = App::start();
        let ann = app.person("ann@x.test");
        if with_mail {
            app.mail(ann, "a");
        }
        (ann, app.person("ben@x.test"))
    };
    assert_eq!(ids(true), ids(false));
}
