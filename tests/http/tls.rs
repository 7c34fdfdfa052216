//! TLS, a certificate that is renewed, and an address that is not to be open.

use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Method;

use super::served::{Served, token};
use super::world::{World, bare, ran, wait_until};

fn put_certificate(world: &World) -> reqwest::Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::write(world.file("cert.pem"), cert.pem()).unwrap();
    fs::write(world.file("key.pem"), signing_key.serialize_pem()).unwrap();
    reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

fn trusting(certificate: reqwest::Certificate) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).pool_max_idle_per_host(0);
    client.build().unwrap()
}

#[test]
fn a_certificate_is_used_and_its_successor_taken_up_without_a_restart() {
    let mut world = World::new();
    world.at("8:00");
    let config = fs::read_to_string(world.file("whowas.toml")).unwrap();
    fs::write(world.file("whowas.toml"), format!("[server]\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n{config}"))
        .unwrap();
    let first = trusting(put_certificate(&world));
    let served = Served::of(&world);
    assert!(served.url.starts_with("https://"), "{}", served.url);
    let agent = token(&world, "agent", &[]);
    let ask = |client: &reqwest::Client| {
        let request = client.request(Method::GET, format!("{}/v1/status", served.url)).bearer_auth(&agent);
        served.block_on(async { request.send().await.map(|answer| answer.status().as_u16()) })
    };
    assert_eq!(ask(&first).unwrap(), 200);
    // Half a certificate is not taken up, and the old one stays.
    fs::write(world.file("cert.pem"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    wait_until("it is refused", || served.said.lock().unwrap().contains("the old one stays in force"));
    assert_eq!(ask(&first).unwrap(), 200);
    let second = trusting(put_certificate(&world));
    wait_until("it is taken up", || ask(&second).is_ok());
    assert!(ask(&first).is_err());
}

#[test]
fn it_does_not_open_itself_to_the_network_without_tls() {
    let world = World::new();
    let folder = world.file("whowas.toml").parent().unwrap().to_owned();
    let serve = |listen: &str| ran(bare(&folder).args(["serve", "--no-schedule", "--listen", listen]));
    serve("0.0.0.0:0").failed(2, &["only with TLS", "behind = \"proxy\""]);
    serve("somewhere").failed(2, &["no address"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    serve(&taken.local_addr().unwrap().to_string()).failed(1, &["--listen"]);
    let rehearsal = ran(bare(&folder).args(["serve", "--no-schedule", "--rehearsal", "--listen", "0.0.0.0:0"]));
    rehearsal.failed(2, &["this machine only"]);
    assert!(!world.ledger().exists(), "a service that cannot listen leaves no ledger behind");
}
