//! Every collected payload of Graph and its neighbours parses as what `SOURCES.tsv` says it is.
#![cfg(feature = "graph")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use whowas::domain::fact::{Fact, Life, Profile, Property, Reading, Removal, Source};
use whowas::domain::name::Name;
use whowas::domain::time::Instant;
use whowas::graph::audits::{self, AuditFacts, Why};
use whowas::graph::cloud::{Cloud, Endpoints};
use whowas::graph::delta::{DeltaLink, DeltaPage};
use whowas::graph::error::{Asked, GraphError};
use whowas::graph::facts;
use whowas::graph::page::{Page, users_page};
use whowas::graph::wire::audit::WireAudit;
use whowas::graph::wire::batch::BatchResponse;
use whowas::graph::wire::failure::WireError;
use whowas::graph::wire::other::{Invitation, Notification, RestoreRequest, Subscription, Values, WireMessage};
use whowas::graph::wire::token::{AssertionClaims, AssertionHeader, WireToken, WireTokenError};
use whowas::graph::wire::user::{RemovedReason, WireUser};
use whowas::graph::wire::{Rejected, Rejection};

type Check = fn(&[u8]);

/// What each file is, and what it says. A file without an entry here is not parsed, and fails.
const CHECKS: &[(&str, Check)] = &[
    ("users-delta/doc-default-properties-page.json", |body| {
        let page = delta(body);
        let profile = seen(&page.items[0]);
        assert_eq!(page.items[0].id.to_string(), "87d349ed-44d7-43e1-9a83-5f2406dee5bd");
        assert_eq!(spelled(&profile.upn), Some("AdeleV@contoso.onmicrosoft.com"));
        assert_eq!(spelled(&profile.mail), Some("AdeleV@contoso.onmicrosoft.com"));
        assert!(
            matches!(&page.link, DeltaLink::Next(link) if link.as_str().ends_with("?$skiptoken=pqwSUjGYvb3jQpbwVAwEL7yuI3dU1LecfkkfLPtnIjsXoYQp_dpA3cNJWc"))
        );
    }),
    ("users-delta/doc-select-three-no-id-in-items.json", |body| {
        let page = delta(body);
        assert_eq!((page.items.len(), page.rejected), (0, vec![rejected(0, Rejection::NoId)]));
    }),
    ("users-delta/doc-initial-page-with-removed-deleted.json", |body| {
        let page = delta(body);
        assert_eq!((page.items.len(), page.rejected.len()), (4, 0));
        let Fact::Removed(removed) = facts::fact(&page.items[2], reading()) else { panic!() };
        assert_eq!(removed.object.to_string(), "86462606-fde0-4fc4-9e0c-a20eb73e54c6");
        assert_eq!((removed.removal, removed.deleted, removed.last_upn), (Removal::Purged, None, None));
        assert_eq!(seen(&page.items[3]), Profile::default());
    }),
    ("users-delta/doc-nextlink-page.json", |body| {
        let page = delta(body);
        assert_eq!(page.items.len(), 2);
        assert!(matches!(page.link, DeltaLink::Next(_)));
    }),
    ("users-delta/doc-final-page-deltalink.json", |body| {
        let page = delta(body);
        assert_eq!(page.items.len(), 2);
        assert!(matches!(page.link, DeltaLink::Delta(_)));
    }),
    ("users-delta/doc-deltalink-no-changes.json", |body| {
        let page = delta(body);
        assert!(page.items.is_empty() && page.rejected.is_empty());
        assert!(matches!(page.link, DeltaLink::Delta(_)));
    }),
    ("users-delta/doc-deltalink-update-and-removed-changed.json", |body| {
        let page = delta(body);
        assert!(matches!(facts::fact(&page.items[0], reading()), Fact::Seen(_)));
        assert_eq!(page.items[1].removed, Some(RemovedReason::Changed));
        let Fact::Removed(removed) = facts::fact(&page.items[1], reading()) else { panic!() };
        assert_eq!(removed.removal, Removal::Soft, "changed means soft-deleted, not updated");
    }),
    ("users-delta/doc-directoryobjects-delta-mixed-types.json", |body| {
        let page = delta(body);
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.items[0].id.to_string(), "01754bb5-89de-4003-be72-9106a9fb16f2");
        let other = |index, found: &str| rejected(index, Rejection::OtherType { found: found.to_owned() });
        assert_eq!(page.rejected, [other(1, "group"), other(2, "orgContact")]);
    }),
    ("users/doc-get-user-default.json", |body| {
        let profile = seen(&user(body).unwrap());
        assert_eq!(spelled(&profile.upn), Some("AdeleV@contoso.onmicrosoft.com"));
        assert_eq!((profile.proxies.len(), profile.user_type), (0, None));
    }),
    ("users/doc-get-user-identities.json", |body| {
        assert_eq!(user(body).unwrap_err().why, Rejection::NoId, "an id is never taken from elsewhere");
    }),
    ("users/doc-list-count-larger-than-page.json", |body| {
        let page = users(body);
        assert_eq!((page.items.len(), page.rejected, page.next), (0, vec![rejected(0, Rejection::NoId)], None));
    }),
    ("users/doc-user-with-local-and-social-identities.json", |body| {
        let user = user(body).unwrap();
        assert_eq!(user.id.to_string(), "4c7be08b-361f-41a8-b1ef-1712f7a3dfb2");
        assert_eq!(seen(&user), Profile::default(), "sign-in names of identities are no UPN and no mail");
    }),
    ("users/doc-invitation-created.json", |body| {
        let invitation: Invitation = json(body);
        assert_eq!(invitation.invited_user.id.to_string(), "243b1de4-ad9f-421c-a933-d55305fb165d");
        assert_eq!(invitation.status, "Completed");
    }),
    ("users/doc-user-mail-null.json", |body| {
        let profile = seen(&user(body).unwrap());
        assert_eq!((spelled(&profile.upn), profile.mail), (Some("ChrisG@contoso.onmicrosoft.com"), None));
    }),
    ("users/lab-hybrid-tenant-inventory.json", |body| {
        let page = users(body);
        let listed = json::<Value>(body)["value"].as_array().unwrap().len();
        assert_eq!((page.items.len(), page.next), (listed, None));
        assert!(page.items.iter().any(|user| user.user_principal_name.as_deref().unwrap().contains("#EXT#@")));
        assert!(page.items.iter().all(|user| seen(user).upn.is_some()));
    }),
    ("users/agent-user-all-properties.json", |body| {
        let profile = seen(&user(body).unwrap());
        assert_eq!(spelled(&profile.upn), Some("SalesAgent@contoso.com"));
        assert_eq!(profile.created, Some(at("2026-07-14T04:19:25Z")));
        assert_eq!(profile.user_type.as_deref(), Some("Member"));
        assert_eq!((profile.mail, profile.proxies.len(), profile.immutable_id), (None, 0, None));
    }),
    ("users/cli-guest-ext-upn.json", |body| {
        assert_eq!(spelled(&seen(&user(body).unwrap()).upn), Some("john.doe_microsoft.com#EXT#@contoso.com"));
    }),
    ("users/cli-list-guest-page.json", |body| {
        let page = users(body);
        let profile = seen(&page.items[0]);
        assert_eq!(spelled(&profile.mail), Some("AarifS@fabrikam.onmicrosoft.com"));
        assert_eq!(spelled(&profile.upn), Some("AarifS_fabrikam.onmicrosoft.com#EXT#@contoso.onmicrosoft.com"));
    }),
    ("deleted-items/cli-deleted-user-mangled-upn.json", |body| {
        let page = users(body);
        let Fact::Removed(removed) = facts::deleted_fact(&page.items[0], reading()) else { panic!() };
        assert_eq!((removed.removal, spelled(&removed.last_upn)), (Removal::Soft, Some("john@contoso.com")));
        assert_eq!(facts::fact(&page.items[0], reading()), Fact::Removed(removed), "it is known as deleted anywhere");
    }),
    ("deleted-items/lab-empty-after-purge.json", |body| {
        let page = users(body);
        assert!(page.items.is_empty() && page.rejected.is_empty() && page.next.is_none());
    }),
    ("deleted-items/doc-get-deleted-group.json", |body| {
        assert_eq!(user(body).unwrap_err().why, Rejection::OtherType { found: "group".to_owned() });
    }),
    ("deleted-items/doc-list-count-order-by-deleted-date.json", |body| {
        let page = users(body);
        assert_eq!((page.items.len(), page.rejected.len()), (0, 2), "a page of groups holds no users");
        assert_eq!(page.rejected[1].why, Rejection::OtherType { found: "member of groups".to_owned() });
    }),
    ("deleted-items/doc-restore-request-autoreconcile.json", |body| {
        let request: RestoreRequest = json(body);
        assert_eq!((request.auto_reconcile_proxy_conflict, &request.new_user_principal_name), (Some(true), &None));
        assert_eq!(serde_json::to_value(&request).unwrap(), json::<Value>(body), "written as read");
    }),
    ("deleted-items/doc-restore-response-autoreconcile.json", |body| {
        assert_eq!(spelled(&seen(&user(body).unwrap()).upn), Some("sampleuser@contoso.com"));
    }),
    ("deleted-items/doc-restore-request-new-upn.json", |body| {
        let request: RestoreRequest = json(body);
        assert_eq!(request.new_user_principal_name.as_deref(), Some("johndoe@contoso.com"));
        assert_eq!(serde_json::to_value(&request).unwrap(), json::<Value>(body), "written as read");
    }),
    ("directory-audits/doc-add-member-to-group-page.json", |body| {
        let events = audit_page(body);
        let kinds: Vec<Option<&str>> = events[0].targets.iter().map(|target| target.kind.as_deref()).collect();
        assert_eq!(kinds, [Some("Group"), Some("User")], "Type with a capital is read");
        assert_eq!(events[0].targets[0].modified[0].new, Some(Value::from("DirectorySync")));
        assert_eq!(whys(&events), [Why::NoName]);
    }),
    ("directory-audits/doc-target-not-applicable.json", |body| {
        let events = audit_page(body);
        assert_eq!(events[0].targets[0].kind.as_deref(), Some("N/A"));
        assert_eq!(whys(&events), [Why::NoUser]);
    }),
    ("directory-audits/doc-update-user-strong-authentication.json", |body| {
        let event = audit(body);
        assert_eq!(event.at, Some(at("2022-06-21T23:25:00.145824Z")));
        assert_eq!(event.targets[0].modified.len(), 3);
        assert_eq!(whys(&[event]), [Why::NoName]);
    }),
    ("directory-audits/doc-update-user-upn-change-no-actor.json", |body| {
        // Its ids are placeholders, so nothing may come of it; with an id of the right form it is a rename.
        assert_eq!(whys(&[audit(body)]), [Why::NoUser]);
        let mut event: Value = json(body);
        event["targetResources"][0]["id"] = "aaaaaaaa-bbbb-0000-1111-bbbbbbbbbbbb".into();
        let told = audits::facts(&[WireAudit::read(0, &event).unwrap()]);
        let [Fact::Changed(changed)] = told.facts.as_slice() else { panic!("{told:?}") };
        assert_eq!(changed.property, Property::UserPrincipalName);
        assert_eq!(changed.old.as_deref(), Some(&[name("user@contoso.onmicrosoft.com")][..]));
        assert_eq!(changed.new.as_deref(), Some(&[name("user@contoso.com")][..]));
        assert_eq!(
            (changed.at, changed.event.as_str()),
            (at("2022-01-27T07:44:05.767303Z"), "Directory_0000000-1111111")
        );
    }),
    ("directory-audits/lab-update-passwordprofile-before-add-user.json", |body| {
        let event = audit(body);
        assert_eq!(event.activity, "Update PasswordProfile");
        assert_eq!(whys(&[event]), [Why::NoUser], "without a type, only a user activity speaks of users");
    }),
    ("directory-audits/lab-add-user-without-upn-in-modified.json", |body| {
        let told = audits::facts(&[audit(body)]);
        let [Fact::Lifecycle(created)] = told.facts.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (created.life, created.object.to_string().as_str()),
            (Life::Created, "84360e8b-3321-4e37-b9ec-10fccd0263b8",)
        );
        assert_eq!(spelled(&created.upn), Some("breakglassrotationverify@raytakosharkygmail.onmicrosoft.com"));
        assert_eq!(created.event, "-/Add user/2026-09-03T15:02:22.538384Z", "it has no id of its own");
    }),
    ("directory-audits/lab-one-action-two-events.json", |body| {
        let events = audit_page(body);
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].correlation_id, events[1].correlation_id);
        let told = audits::facts(&events);
        assert_eq!((told.facts.len(), told.ignored.len()), (0, 2));
        assert_ne!(told.ignored[0].event, told.ignored[1].event, "events without ids are told apart");
    }),
    ("directory-audits/eventhub-change-user-password.json", |body| {
        let event = audit(body);
        assert_eq!(event.id.as_deref(), Some("Directory_1PF86_84995790"), "the inside of the envelope is read");
        assert_eq!((event.activity.as_str(), event.result.as_deref()), ("Change user password", Some("success")));
        assert_eq!(whys(&[event]), [Why::NoUser], "user1 is no GUID");
    }),
    ("directory-audits/eventhub-update-sts-token-same-correlation.json", |body| {
        let event = audit(body);
        assert_eq!(event.id.as_deref(), Some("Directory_1PF86_84995795"));
        assert_eq!(event.correlation_id.as_deref(), Some("11111111-1111-1111-1111-111111111111"));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/eventhub-add-member-to-group.json", |body| {
        let event = audit(body);
        assert_eq!(event.targets[0].kind.as_deref(), Some("User"));
        assert_eq!(event.targets[0].modified[0].name, "Group.ObjectID");
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/eventhub-add-unverified-domain.json", |body| {
        let event = audit(body);
        assert_eq!((&event.targets[0].id, event.targets[0].modified.len()), (&None, 3));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/eventhub-remove-unverified-domain.json", |body| {
        let event = audit(body);
        assert_eq!((&event.targets[0].id, event.targets[0].modified.len()), (&None, 0));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/graph-update-user-lastdirsync-noise.json", |body| {
        let event = audit(body);
        assert_eq!(event.at, Some(at("2025-11-12T13:59:29.848568Z")));
        assert_eq!(event.targets[0].modified[1].old, None, "an absent key");
        assert_eq!(whys(&[event]), [Why::NoUser], "the all-zero id is nobody's");
    }),
    ("directory-audits/graph-add-registered-owner-user-and-device.json", |body| {
        let event = audit(body);
        assert_eq!(event.targets[1].kind.as_deref(), Some("Device"));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/loganalytics-row-nested-json-strings.json", |body| {
        let event = audit(body);
        assert!(event.id.as_deref().unwrap().ends_with("_7H1JL_8584070"));
        assert_eq!(event.at.unwrap().to_string().get(..16), Some("2021-08-02T13:25"));
        assert_eq!(event.targets[0].kind.as_deref(), Some("Application"), "targets are JSON inside a text");
        assert!(event.targets[0].modified.iter().any(|property| property.name == "RequiredResourceAccess"));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/eventhub-app-initiator-no-user.json", |body| {
        let event = audit(body);
        assert_eq!(event.targets[0].kind.as_deref(), Some("ServicePrincipal"));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/eventhub-invite-external-user.json", |body| {
        let event = audit(body);
        assert_eq!(event.at, Some(at("2024-09-23T14:33:09.049661Z")), "a space for the T and no zone");
        assert_eq!(event.targets[0].user_principal_name, None);
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/graph-invite-external-user-ext-upn.json", |body| {
        let event = audit(body);
        assert_eq!((&event.id, event.at), (&None, None));
        assert!(event.targets[0].user_principal_name.as_deref().unwrap().contains("#EXT#@"));
        assert_eq!(whys(&[event]), [Why::NoUser]);
    }),
    ("directory-audits/o365-mgmt-update-user.json", |body| {
        let event = audit(body);
        assert_eq!(event.activity, "Update user", "without the final full stop");
        assert_eq!(event.at, Some(at("2019-12-09T14:18:19Z")));
        assert_eq!(event.targets[0].user_principal_name.as_deref(), Some("bob.smith@acme.org"));
        assert_eq!(whys(&[event]), [Why::NoUser], "a UPN is no object id");
    }),
    ("subscriptions/doc-list-users-subscription.json", |body| {
        let list: Values<Subscription> = json(body);
        let [subscription] = list.value.as_slice() else { panic!() };
        assert_eq!((subscription.resource.as_str(), subscription.change_type.as_str()), ("Users", "updated,deleted"));
        assert_eq!(subscription.client_state, None);
    }),
    ("subscriptions/doc-create-request.json", |body| {
        let subscription: Subscription = json(body);
        assert_eq!((subscription.id, subscription.change_type.as_str()), (None, "created"));
    }),
    ("subscriptions/doc-create-response.json", |body| {
        let subscription: Subscription = json(body);
        assert_eq!(subscription.id.as_deref(), Some("7f105c7d-2dc5-4530-97cd-4e7ae6534c07"));
        assert_eq!(at(&subscription.expiration_date_time), at("2016-11-20T18:23:45.935691Z"));
    }),
    ("subscriptions/doc-renew-response.json", |body| {
        let subscription: Subscription = json(body);
        assert_eq!(subscription.change_type, "created,updated");
    }),
    ("subscriptions/doc-change-notification-placeholders.json", |body| {
        let list: Values<Notification> = json(body);
        let [change] = list.value.as_slice() else { panic!() };
        assert_eq!(change.change_type.as_deref(), Some("created"));
        assert!(change.resource.as_deref().unwrap().starts_with("users/{user_guid}@"));
        assert_eq!(change.lifecycle_event, None);
    }),
    ("subscriptions/doc-lifecycle-reauthorization-required.json", |body| {
        let list: Values<Notification> = json(body);
        assert_eq!(list.value[0].lifecycle_event.as_deref(), Some("reauthorizationRequired"));
        assert_eq!(list.value[0].subscription_id, "e3898f08-5cd0-4a6a-80fc-6addbfb73b7b");
    }),
    ("subscriptions/doc-lifecycle-subscription-removed.json", |body| {
        let list: Values<Notification> = json(body);
        assert_eq!(list.value[0].lifecycle_event.as_deref(), Some("subscriptionRemoved"));
        assert_eq!(list.value[0].tenant_id, "<tenant_guid>");
    }),
    ("errors/doc-501-property-not-trackable.json", |body| {
        let error = answer(Asked::UsersDelta, 501, body);
        assert!(matches!(error, GraphError::Unsupported { .. }) && !error.is_transient(), "{error}");
        assert!(error.to_string().contains("NotImplemented"), "{error}");
    }),
    ("errors/doc-429-too-many-requests.json", |body| {
        let error = answer(Asked::Users, 429, body);
        assert!(matches!(error, GraphError::Throttled { .. }) && error.is_transient(), "{error}");
        assert!(error.to_string().contains("94fb3b52-452a-4535-a601-69e0a90e3aa2"), "{error}");
        assert!(error.hint().contains("later"), "{}", error.hint());
    }),
    ("errors/doc-error-envelope.json", |body| {
        let error = WireError::of_body(body).unwrap();
        assert_eq!((error.code.as_str(), error.request_id.as_deref()), ("invalidRange", Some("request-id")));
    }),
    ("errors/cli-400-upn-already-exists.json", |body| {
        let error = WireError::of_body(body).unwrap();
        assert_eq!(error.code, "Request_BadRequest");
        assert_eq!(error.details, [("ObjectConflict".to_owned(), Some("userPrincipalName".to_owned()))]);
        assert!(matches!(answer(Asked::Users, 400, body), GraphError::Refused { .. }));
    }),
    ("errors/cli-404-resource-not-found.json", |body| {
        assert!(matches!(answer(Asked::UserByName, 404, body), GraphError::NotFound { .. }));
        assert_eq!(WireError::of_body(body).unwrap().code, "Request_ResourceNotFound");
    }),
    ("errors/lab-404-soft-deleted-user-by-id.json", |body| {
        let error = answer(Asked::User("84360e8b-3321-4e37-b9ec-10fccd0263b8".parse().unwrap()), 404, body);
        assert!(matches!(error, GraphError::NotFound { .. }), "{error}");
        assert!(error.to_string().starts_with("read user 84360e8b-3321-4e37-b9ec-10fccd0263b8: not found"), "{error}");
    }),
    ("errors/lab-400-msa-account.json", |body| {
        let error = answer(Asked::Users, 400, body);
        assert!(matches!(error, GraphError::Unsupported { .. }), "{error}");
        assert!(error.hint().contains("personal account"), "{}", error.hint());
    }),
    ("errors/issue-410-syncstatenotfound.json", |body| {
        for status in [410, 400, 404] {
            let error = answer(Asked::UsersDelta, status, body);
            assert!(matches!(error, GraphError::Expired { .. }), "{status}: {error}");
            assert!(error.hint().contains("--full"), "{}", error.hint());
        }
    }),
    ("errors/doc-403-non-premium-tenant.json", |body| {
        let error = answer(Asked::Audits, 403, body);
        assert!(matches!(error, GraphError::PermissionDenied { .. }), "{error}");
        let hint = error.hint();
        for part in ["P1 or P2", "AuditLog.Read.All", "Directory.Read.All", "audits = false"] {
            assert!(hint.contains(part), "{hint}");
        }
    }),
    ("errors/doc-batch-mixed-statuses.json", |body| {
        let batch: BatchResponse = json(body);
        let parts: Vec<(&str, u16)> = batch.responses.iter().map(|part| (part.id.as_str(), part.status)).collect();
        assert_eq!(parts, [("1", 302), ("3", 401), ("2", 200), ("4", 204)]);
        assert!(batch.responses[0].header("Location").unwrap().starts_with("https://"));
        assert_eq!(batch.responses[3].body, None);
    }),
    ("token/doc-client-credentials-success.json", |body| {
        let token: WireToken = json(body);
        assert_eq!((token.expires_in, token.token_type.as_deref()), (3599, Some("Bearer")));
        assert!(!format!("{token:?}").contains("eyJ0"), "a token is not shown");
    }),
    ("token/doc-client-credentials-invalid-scope.json", |body| {
        let error = refused(body, 70_011);
        assert!(error.to_string().contains("invalid_scope") && error.hint().contains("graph_url"), "{error}");
    }),
    ("token/doc-imds-success.json", |body| {
        let token: WireToken = json(body);
        assert_eq!((token.expires_in, token.expires_on), (3599, Some(1_506_484_173)));
    }),
    ("token/doc-certificate-assertion-header.json", |body| {
        let header: AssertionHeader = json(body);
        assert_eq!((header.alg.as_str(), header.thumbprint.as_str()), ("PS256", "A1bC2dE3fH4iJ5kL6mN7oP8qR9s"));
    }),
    ("token/doc-certificate-assertion-claims.json", |body| {
        let claims: AssertionClaims = json(body);
        assert_eq!(claims.exp - claims.nbf, 600);
        assert_ne!(claims.iss, claims.sub, "an example to read, not to imitate");
    }),
    ("token/sdk-invalid-client-secret.json", |body| {
        let error = refused(body, 7_000_215);
        assert!(error.hint().contains("Certificates & secrets") && error.hint().contains("Value"), "{}", error.hint());
    }),
    ("token/msal-refresh-in.json", |body| {
        let token: WireToken = json(body);
        assert_eq!((token.expires_in, token.refresh_in), (86_400, Some(43_200)));
    }),
    ("token/aadsts700016-application-not-found.json", |body| {
        let error = refused(body, 700_016);
        assert!(!error.to_string().contains("Test Test"), "the directory's name is not repeated: {error}");
        assert!(error.hint().contains("client_id") && error.hint().contains("consent"), "{}", error.hint());
        assert_eq!(json::<WireTokenError>(body).aadsts(), Some(700_016), "read from the description");
    }),
    ("mail-delta/doc-messages-first-page.json", |body| {
        let page: Values<WireMessage> = json(body);
        let read: Vec<Option<bool>> = page.value.iter().map(|message| message.is_read).collect();
        assert_eq!(read, [Some(false), Some(true)]);
        assert_eq!(page.value[1].id, "AQMkADNkNAAAVRMKAAAAA==");
    }),
    ("mail-delta/doc-messages-removed-and-string-boolean.json", |body| {
        let page: Values<WireMessage> = json(body);
        assert_eq!((page.value[0].removed, page.value[0].is_read), (Some(RemovedReason::Deleted), None));
        assert_eq!((page.value[1].removed, page.value[1].is_read), (None, Some(true)), "the text \"true\"");
    }),
];

#[test]
fn every_file_is_listed_with_its_source_and_parsed_as_its_kind() {
    let root = root();
    let listed: BTreeSet<String> = std::fs::read_to_string(root.join("SOURCES.tsv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    let mut found = BTreeSet::new();
    collect(&root, &root, &mut found);
    found.remove("SOURCES.tsv");
    assert_eq!(found, listed, "the directory and SOURCES.tsv list the same files");
    assert!(found.len() >= 65, "the walk found only {}", found.len());

    let checks: BTreeMap<&str, Check> = CHECKS.iter().copied().collect();
    assert_eq!(checks.len(), CHECKS.len(), "one check a file");
    let checked: BTreeSet<String> = checks.keys().map(|file| (*file).to_owned()).collect();
    assert_eq!(found, checked, "a file without a check is not parsed");
    for (file, check) in checks {
        println!("{file}");
        check(&std::fs::read(root.join(file)).unwrap());
    }
}

/// Whatever a file is, no other reader may take it for a user, panic over it, or let its names out through `Debug`.
#[test]
fn no_file_is_taken_for_more_than_it_is() {
    for (file, _) in CHECKS {
        let body = std::fs::read(root().join(file)).unwrap();
        let page = DeltaPage::parse(&endpoints(), at("2026-03-01T00:00:00Z"), &body);
        if !file.starts_with("users-delta/") {
            assert!(page.map_or(true, |page| page.items.is_empty()), "{file} holds no users");
        }
        let event = WireAudit::read(0, &json::<Value>(&body));
        if let Ok(event) = &event {
            assert!(!format!("{event:?}").contains('@'), "{file}");
        }
        // An untyped subscription with a GUID looks like a user; only the request tells them apart.
        if let (false, Ok(user)) = (file.ends_with("renew-response.json"), user(&body)) {
            assert!(file.starts_with("users/") || file.starts_with("deleted-items/"), "{file} is no user");
            assert!(!format!("{user:?}").contains('@'), "{file}");
        }
    }
}

fn delta(body: &[u8]) -> DeltaPage {
    let mut page = DeltaPage::parse(&endpoints(), at("2026-03-01T00:00:00Z"), body).unwrap();
    page.rejected.iter_mut().for_each(|rejected| rejected.id = None);
    page
}

fn users(body: &[u8]) -> Page<WireUser> {
    users_page(&endpoints(), &Asked::Users, at("2026-03-01T00:00:00Z"), body).unwrap()
}

fn user(body: &[u8]) -> Result<WireUser, Rejected> {
    WireUser::read(0, &json(body))
}

fn seen(user: &WireUser) -> Profile {
    match facts::fact(user, reading()) {
        Fact::Seen(seen) => seen.profile,
        other => panic!("{other:?}"),
    }
}

fn audit(body: &[u8]) -> WireAudit {
    WireAudit::read(0, &json(body)).unwrap()
}

fn audit_page(body: &[u8]) -> Vec<WireAudit> {
    let page: Values<Value> = json(body);
    page.value.iter().map(|event| WireAudit::read(0, event).unwrap()).collect()
}

fn whys(events: &[WireAudit]) -> Vec<Why> {
    let AuditFacts { facts, ignored } = audits::facts(events);
    assert_eq!(facts, []);
    ignored.iter().map(|ignored| ignored.why).collect()
}

fn answer(asked: Asked, status: u16, body: &[u8]) -> GraphError {
    GraphError::of_answer(asked, status, body, None, 1)
}

fn refused(body: &[u8], code: u32) -> GraphError {
    let error = GraphError::of_token_refusal("the-client", body).unwrap();
    assert!(matches!(&error, GraphError::TokenRefused { aadsts: Some(found), .. } if *found == code), "{error}");
    assert!(error.to_string().contains(&format!("AADSTS{code}")), "{error}");
    error
}

fn rejected(index: usize, why: Rejection) -> Rejected {
    Rejected { index, id: None, why }
}

fn reading() -> Reading {
    let at = at("2026-03-01T00:00:00Z");
    Reading { at, lag: Duration::from_secs(300), source: Source::Delta, unchanged_since: None }
}

fn endpoints() -> Endpoints {
    Endpoints::new(Cloud::Global, None, None).unwrap()
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn spelled(name: &Option<Name>) -> Option<&str> {
    name.as_ref().map(Name::spelling)
}

fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/graph-samples")
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}
