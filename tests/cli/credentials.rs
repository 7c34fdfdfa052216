//! The ways to sign in, each against the emulator, which checks what it is shown.

use std::fs;

use serde_json::json;
use whowas::graph::emulator::{EmulatorOptions, Quirk, QuirkName};

use super::world::World;

const CLIENT: &str = EmulatorOptions::CLIENT_ID;

/// A certificate and its key in PEM, and the certificate in DER.
struct Made {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

fn made() -> Made {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["whowas.test".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Made { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
}

fn world(registered: &[&Made]) -> World {
    let certificates = registered.iter().map(|made| made.der.clone()).collect();
    begun(EmulatorOptions { certificates, ..EmulatorOptions::default() })
}

/// A directory of one user in which some time has passed.
fn begun(options: EmulatorOptions) -> World {
    let mut w = World::with(options);
    w.create("eve");
    w.at("00:10");
    w
}

/// The credential line for a certificate written beside `whowas.toml`.
fn certificate(w: &World, made: &Made) -> String {
    fs::write(w.file("own.pem"), &made.certificate).unwrap();
    fs::write(w.file("own.key"), &made.key).unwrap();
    format!("{{ certificate = {:?}, key = {:?} }}", w.file("own.pem"), w.file("own.key"))
}

#[test]
fn a_certificate_signs_in_and_a_renewed_one_is_read_anew() {
    let (old, new) = (made(), made());
    let w = world(&[&old, &new]);
    w.configure_as(CLIENT, &certificate(&w, &old), "");
    assert_eq!(w.poll()["outcome"], json!("completed"));
    certificate(&w, &new);
    assert_eq!(w.poll()["outcome"], json!("completed"));
    // Both in one file.
    fs::write(w.file("own.pem"), format!("{}{}", new.key, new.certificate)).unwrap();
    w.configure_as(CLIENT, &format!("{{ certificate = {:?} }}", w.file("own.pem")), "");
    assert_eq!(w.poll()["outcome"], json!("completed"));
    w.verify();
}

#[test]
fn a_certificate_that_is_not_registered_is_refused_with_what_to_upload() {
    let (known, own) = (made(), made());
    let w = world(&[&known]);
    w.configure_as(CLIENT, &certificate(&w, &own), "");
    w.run(&["sync"]).failed(1, &["AADSTS700027", "upload this very certificate"]);
    assert!(w.requests().iter().all(|request| !request.had_token));
}

#[test]
fn certificate_files_that_will_not_do_are_wrong_configuration() {
    let (a, b) = (made(), made());
    let w = world(&[&a]);
    let line = certificate(&w, &a);
    w.configure_as(CLIENT, &line, "");
    fs::write(w.file("own.key"), &b.key).unwrap();
    w.run(&["sync"]).failed(2, &["own.pem", "does not belong to the private key", "hint: "]);
    fs::remove_file(w.file("own.key")).unwrap();
    w.run(&["sync"]).failed(2, &["own.key", "cannot be read"]);
    w.configure_as(CLIENT, "{ certificate = \"a\", secret_file = \"b\" }", "");
    w.run(&["sync"]).failed(2, &["secret_file and certificate are both set"]);
}

#[test]
fn an_assertion_dated_by_a_wrong_clock_says_to_set_it() {
    let own = made();
    let mut w = world(&[&own]);
    w.configure_as(CLIENT, &certificate(&w, &own), "");
    let right = w.now();
    w.pretend(right.plus(std::time::Duration::from_secs(3_600)));
    w.run(&["sync"]).failed(1, &["AADSTS700024", "set this machine's clock"]);
}

#[test]
fn a_federated_token_is_read_anew_and_its_subject_must_be_the_registered_one() {
    // {"alg":"none"} . {"sub":"right"} or {"sub":"wrong"} . nothing that is looked at
    let (right, wrong) =
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyaWdodCJ9.c2ln", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3cm9uZyJ9.c2ln");
    let subject = Some("right".to_owned());
    let w = begun(EmulatorOptions { federated_subject: subject, ..EmulatorOptions::default() });
    w.configure_as(CLIENT, &format!("{{ federated_token_file = {:?} }}", w.file("token")), "");
    w.run(&["sync"]).failed(2, &["federated_token_file", "token", "cannot be read"]);
    fs::write(w.file("token"), "no token").unwrap();
    w.run(&["sync"]).failed(2, &["it holds no token"]);
    fs::write(w.file("token"), wrong).unwrap();
    w.run(&["sync"]).failed(1, &["AADSTS700213", "Federated credentials"]);
    fs::write(w.file("token"), format!("{right}\n")).unwrap();
    assert_eq!(w.poll()["outcome"], json!("completed"));
}

#[test]
fn a_managed_identity_signs_in_with_and_without_a_client_id() {
    let w = world(&[]);
    for client in ["", CLIENT] {
        w.configure_as(client, "{ managed_identity = true }", "");
        assert_eq!(w.poll()["outcome"], json!("completed"), "{client:?}");
        let asked = w.requests().into_iter().rev().find(|request| request.target.contains("/metadata/")).unwrap();
        assert_eq!(asked.target.contains("client_id="), !client.is_empty(), "{}", asked.target);
        assert!(asked.target.starts_with("/metadata/identity/oauth2/token?api-version="), "{}", asked.target);
    }
    w.configure_as("c0ffee", "{ managed_identity = true }", "");
    w.run(&["sync"]).failed(1, &["no identity with this client_id", "assign the identity to this machine"]);
}

/// The endpoint of a machine is not told which tenant is meant: it gives a token for the one to which the identity belongs.
#[test]
fn a_managed_identity_of_another_tenant_reads_nothing() {
    let home = "5c0f6d0a-7d1f-4a57-9c4b-0f3b0a4a2d11";
    let w = begun(EmulatorOptions { tenant: home.to_owned(), ..EmulatorOptions::default() });
    w.configure_as("", "{ managed_identity = true }", "");
    w.run(&["sync"]).failed(1, &[home, EmulatorOptions::TENANT, "nothing was asked", "correct id"]);
    let doctor = w.run(&["doctor"]);
    assert!(doctor.stdout.contains(&format!("it belongs to tenant {home}")), "{}", doctor.stdout);
    assert!(w.requests().iter().all(|request| !request.had_token));
    w.configure_as(CLIENT, "{ managed_identity = true }", "");
    w.run(&["sync"]).failed(1, &[home]);
}

#[test]
fn a_managed_identity_endpoint_in_trouble_is_waited_for() {
    let w = world(&[]);
    w.configure_as("", "{ managed_identity = true }", "");
    w.quirks([Quirk::new(QuirkName::Unavailable).path("/metadata/identity").times(1).seconds(0.02).style("none")]);
    assert_eq!(w.poll()["outcome"], json!("completed"));
}

#[test]
fn a_proxy_in_the_environment_does_not_stand_before_this_machine() {
    let own = made();
    let w = world(&[&own]);
    for (client, credential) in [(CLIENT, certificate(&w, &own)), ("", "{ managed_identity = true }".to_owned())] {
        w.configure_as(client, &credential, "");
        let mut command = w.command("json", &["sync"]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        super::world::ran(&mut command).done();
    }
}
